"""The linked services of compute in Azure, whose work is done on this machine: Databricks, Synapse, Batch."""

from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector


@connector("AzureDatabricks", "AzureSynapseArtifacts", "AzureBatch", can=())
def compute(given: LinkedServiceGiven) -> Endpoint:
    """Return the address of the workspace or the account, which nobody calls: its notebooks and commands run here."""
    addresses = (given.properties.get(name) for name in ("domain", "endpoint", "batchUri"))
    return Endpoint(url=next((each for each in addresses if isinstance(each, str)), ""), headers={})
