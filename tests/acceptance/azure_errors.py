"""A program of a user of Azure that runs into everything that can go wrong, and prints what its client raises."""

import json
import os
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.datafactory import DataFactoryManagementClient
from azure.mgmt.resource import ResourceManagementClient

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP, FACTORY = "errors", "errors-factory"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
TENANT = os.environ.get("AZURE_TENANT_ID", "")


def credential(client: str, secret: str) -> ClientSecretCredential:
    return ClientSecretCredential(TENANT, client, secret)


def told(work: Any) -> list[str]:
    """Return the class of what a call raises, and its code."""
    try:
        work()
    except HttpResponseError as error:
        return [type(error).__name__, str(error.error.code) if error.error else ""]
    except AzureError as error:
        return [type(error).__name__, str(error)[:200]]
    return ["nothing", ""]


def copy_of(source: str) -> dict[str, Any]:
    def named(name: str) -> list[dict[str, str]]:
        return [{"referenceName": name, "type": "DatasetReference"}]

    act: dict[str, Any] = {"name": "Copy", "type": "Copy", "inputs": named(source), "outputs": named("Out")}
    act["typeProperties"] = {"source": {"type": "BinarySource"}, "sink": {"type": "BinarySink"}}
    return {"properties": {"activities": [act]}}


def dataset(file: str) -> dict[str, Any]:
    place = {"type": "AzureBlobStorageLocation", "container": "lab", "folderPath": "errors", "fileName": file}
    service = {"referenceName": "Store", "type": "LinkedServiceReference"}
    return {"properties": {"type": "Binary", "linkedServiceName": service, "typeProperties": {"location": place}}}


def main() -> None:
    owner = credential(os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"])
    client: Any = DataFactoryManagementClient(owner, SUBSCRIPTION)
    groups: Any = ResourceManagementClient(owner, SUBSCRIPTION).resource_groups
    groups.create_or_update(GROUP, {"location": "here"})
    client.factories.create_or_update(GROUP, FACTORY, {"location": "here"})
    store = {"type": "AzureBlobStorage", "typeProperties": {"connectionString": os.environ["LAB_STORAGE"]}}
    client.linked_services.create_or_update(GROUP, FACTORY, "Store", {"properties": store})
    for name, file in (("Gone", "gone.csv"), ("Out", "out.csv")):
        client.datasets.create_or_update(GROUP, FACTORY, name, dataset(file))
    found = {
        "wrong secret": told(
            lambda: credential(os.environ["AZURE_CLIENT_ID"], "wrong").get_token(
                "https://management.azure.com/.default"
            )
        ),
        "bad reference": told(lambda: client.pipelines.create_or_update(GROUP, FACTORY, "P", copy_of("Nowhere"))),
        "no pipeline": told(lambda: client.pipelines.get(GROUP, FACTORY, "Nothing")),
        "no factory": told(lambda: client.factories.get(GROUP, "nothing-here")),
        "no group": told(lambda: client.factories.create_or_update("no-group", FACTORY, {"location": "here"})),
        "unknown run": told(lambda: client.pipeline_runs.cancel(GROUP, FACTORY, "someGuid")),
        "not implemented": told(
            lambda: client.factories.get_git_hub_access_token(
                GROUP, FACTORY, {"gitHubAccessCode": "x", "gitHubAccessTokenBaseUrl": "y"}
            )
        ),
        "missing blob": missing_blob(client),
        **rights(owner, sys.argv[1], sys.argv[2], sys.argv[3]),
    }
    print(json.dumps(found))  # noqa: T201 # what the test reads


def missing_blob(client: Any) -> list[str]:
    """Return how a copy of a blob that is not there ends, and the code inside of its message."""
    client.pipelines.create_or_update(GROUP, FACTORY, "Lost", copy_of("Gone"))
    run_id = client.pipelines.create_run(GROUP, FACTORY, "Lost").run_id
    until = time.monotonic() + 30
    while client.pipeline_runs.get(GROUP, FACTORY, run_id).status in ("Queued", "InProgress"):
        time.sleep(0.2 if time.monotonic() < until else 999)
    now = datetime.now(UTC)
    span = {"lastUpdatedAfter": (now - timedelta(days=1)).isoformat(), "lastUpdatedBefore": now.isoformat()}
    (activity,) = client.activity_runs.query_by_pipeline_run(GROUP, FACTORY, run_id, span).value
    return [activity.status, activity.error["errorCode"], activity.error["message"].partition(",")[0]]


def rights(owner: Any, object_id: str, client_id: str, secret: str) -> dict[str, list[str]]:
    """Return what somebody meets who has no role, and then that of a reader."""
    other: Any = DataFactoryManagementClient(credential(client_id, secret), SUBSCRIPTION)
    before = told(lambda: other.factories.get(GROUP, FACTORY))
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    asked = {"properties": {"roleDefinitionId": role, "principalId": object_id, "principalType": "ServicePrincipal"}}
    given: Any = AuthorizationManagementClient(owner, SUBSCRIPTION).role_assignments
    given.create(scope, str(uuid.uuid4()), asked)
    return {
        "no role": before,
        "reader reads": told(lambda: other.factories.get(GROUP, FACTORY)),
        "reader writes": told(lambda: other.factories.create_or_update(GROUP, FACTORY, {"location": "here"})),
        "role twice": told(lambda: given.create(scope, str(uuid.uuid4()), asked)),
    }


if __name__ == "__main__":
    main()
