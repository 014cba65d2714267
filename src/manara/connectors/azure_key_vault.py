"""The linked service AzureKeyVault: its secrets are in the environment and in the factory's `.env` file."""

from manara.errors import WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector


@connector("AzureKeyVault", can=())
def azure_key_vault(given: LinkedServiceGiven) -> Endpoint:
    """Return the address of the vault, which is not called: references to its secrets are opened on this machine."""
    url = given.properties.get("baseUrl")
    if not isinstance(url, str) or not url:
        raise WrongDefinition("The Key Vault has no baseUrl.", advice="Give one: https://name.vault.azure.net")
    return Endpoint(url=url.rstrip("/"), headers={})
