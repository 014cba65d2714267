"""A small lab with Azure Data Factory: copy a blob from one folder of a container to another, and look at the run.

Nothing in it is special to Manara. In Azure, set the variables below and run it with python; here:

    manara azure -- python examples/azure/lab.py

Needs: azure-identity, azure-mgmt-resource<26, azure-mgmt-datafactory<10.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from azure.identity import DefaultAzureCredential
from azure.mgmt.datafactory import DataFactoryManagementClient
from azure.mgmt.datafactory import models as adf
from azure.mgmt.resource import ResourceManagementClient

SUBSCRIPTION = os.environ.get("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000000")
STORAGE = os.environ.get("LAB_STORAGE", "UseDevelopmentStorage=true")  # a connection string of a storage account
GROUP, FACTORY, CONTAINER = "lab", "lab-factory", "lab"


def main() -> None:
    """Make everything, run the copy, tell what happened, and clean up."""
    credential = DefaultAzureCredential()  # asks the environment first: AZURE_TENANT_ID, _CLIENT_ID, _CLIENT_SECRET
    groups = ResourceManagementClient(credential, SUBSCRIPTION).resource_groups
    client = DataFactoryManagementClient(credential, SUBSCRIPTION)
    groups.create_or_update(GROUP, {"location": "westeurope"})
    try:
        make_factory(client)
        print("The run", run(client))
    finally:
        groups.begin_delete(GROUP).wait()


def make_factory(client: DataFactoryManagementClient) -> None:
    """Make a factory with a store, two datasets and a pipeline that copies one to the other."""
    client.factories.create_or_update(GROUP, FACTORY, adf.Factory(location="westeurope"))
    store = adf.AzureBlobStorageLinkedService(connection_string=STORAGE)
    client.linked_services.create_or_update(GROUP, FACTORY, "Store", adf.LinkedServiceResource(properties=store))
    reference = adf.LinkedServiceReference(type="LinkedServiceReference", reference_name="Store")
    for name, folder in (("In", "input"), ("Out", "output")):
        place = adf.AzureBlobStorageLocation(container=CONTAINER, folder_path=folder, file_name="clinics.csv")
        dataset = adf.BinaryDataset(linked_service_name=reference, location=place)
        client.datasets.create_or_update(GROUP, FACTORY, name, adf.DatasetResource(properties=dataset))
    copy = adf.CopyActivity(
        name="Copy",
        inputs=[adf.DatasetReference(type="DatasetReference", reference_name="In")],
        outputs=[adf.DatasetReference(type="DatasetReference", reference_name="Out")],
        source=adf.BinarySource(),
        sink=adf.BinarySink(),
    )
    client.pipelines.create_or_update(GROUP, FACTORY, "Load", adf.PipelineResource(activities=[copy]))


def run(client: DataFactoryManagementClient) -> str:
    """Run the pipeline to its end, tell of each activity, and return how it ended."""
    run_id = client.pipelines.create_run(GROUP, FACTORY, "Load").run_id
    while (found := client.pipeline_runs.get(GROUP, FACTORY, run_id)).status in ("Queued", "InProgress"):
        time.sleep(0.5)
    now = datetime.now(UTC)
    span = adf.RunFilterParameters(
        last_updated_after=now - timedelta(days=1), last_updated_before=now + timedelta(days=1)
    )
    for activity in client.activity_runs.query_by_pipeline_run(GROUP, FACTORY, run_id, span).value:
        told = activity.error["message"] if activity.status == "Failed" else activity.output
        print(activity.activity_name, activity.status, told)
    return str(found.status)


if __name__ == "__main__":
    main()
