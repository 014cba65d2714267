"""The host names of Azure that this server answers for: where its clients sign in, and where they manage things."""

AZURE_HOSTS = (
    "management.azure.com",
    "management.core.windows.net",  # the older name of the same, which scopes of tokens still carry
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
