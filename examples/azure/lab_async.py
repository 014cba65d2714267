"""The lab with the asynchronous clients: a factory, a pipeline that waits, its run.

    manara azure -- python examples/azure/lab_async.py

Needs: azure-identity, azure-mgmt-resource<26, azure-mgmt-datafactory<10, aiohttp.
"""

import asyncio
import os

from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.datafactory import models as adf
from azure.mgmt.datafactory.aio import DataFactoryManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

SUBSCRIPTION = os.environ.get("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000000")
GROUP, FACTORY = "lab-async", "lab-async-factory"


async def main() -> None:
    """Make everything, run it, and clean up."""
    async with (
        DefaultAzureCredential() as credential,
        ResourceManagementClient(credential, SUBSCRIPTION) as resources,
        DataFactoryManagementClient(credential, SUBSCRIPTION) as client,
    ):
        await resources.resource_groups.create_or_update(GROUP, {"location": "westeurope"})
        await client.factories.create_or_update(GROUP, FACTORY, adf.Factory(location="westeurope"))
        pause = adf.WaitActivity(name="Pause", wait_time_in_seconds=1)
        await client.pipelines.create_or_update(GROUP, FACTORY, "Pause", adf.PipelineResource(activities=[pause]))
        run_id = (await client.pipelines.create_run(GROUP, FACTORY, "Pause")).run_id
        while (await client.pipeline_runs.get(GROUP, FACTORY, run_id)).status in ("Queued", "InProgress"):
            await asyncio.sleep(0.5)
        print("The run", (await client.pipeline_runs.get(GROUP, FACTORY, run_id)).status)
        await (await resources.resource_groups.begin_delete(GROUP)).wait()


if __name__ == "__main__":
    asyncio.run(main())
