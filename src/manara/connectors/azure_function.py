"""The linked service AzureFunction: the address of a function app, and the key that opens it."""

from manara.errors import WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector
from manara.secret import read_secret


@connector("AzureFunction", can=())
def azure_function(given: LinkedServiceGiven) -> Endpoint:
    """Return the function app at `functionAppUrl`, opened by `functionKey` where there is one."""
    where = f"linked service '{given.name}'"
    url = given.properties.get("functionAppUrl")
    if not isinstance(url, str) or not url.strip():
        raise WrongDefinition("It needs the address of the function app.", where=f"{where}: functionAppUrl")
    key = given.properties.get("functionKey")
    headers = {"x-functions-key": read_secret(key, f"{where}: functionKey")} if key else {}
    return Endpoint(url=url.strip().rstrip("/"), headers=headers)
