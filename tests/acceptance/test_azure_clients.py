"""Azure's own clients, unchanged, work against a server: through the gateway, with a real copy in Azurite."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.azure_clients import environment_of
from tests.azurite import Azurite, azurite  # noqa: F401 # a fixture
from tests.connectors.stores.below import opened
from tests.manara_server import FACTORY, SPAN, ManaraServer, manara_server

from manara.testing.suites import fill, read

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples" / "azure"
PEERS = REPOSITORY / "tests" / "peers"
ERRORS = Path(__file__).parent / "azure_errors.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManaraServer]:
    with manara_server(tmp_path_factory.mktemp("azure") / "home") as started:
        yield started


def output_of(server: ManaraServer, *command: str, **more: str) -> str:
    environment = environment_of(server, PYTHONPATH=more.pop("PYTHONPATH", ""), **more)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_lab_copies_a_blob(server: ManaraServer, azurite: Azurite, tmp_path: Path) -> None:  # noqa: F811
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    fill(store, "lab/input/clinics.csv", b"id,name\n1,North\n")
    said = output_of(server, sys.executable, str(EXAMPLES / "lab.py"), LAB_STORAGE=azurite.connection_string)
    assert "Copy Succeeded" in said
    assert said.endswith("The run Succeeded\n")
    assert read(store, "lab/output/clinics.csv") == b"id,name\n1,North\n"


def test_the_lab_of_the_asynchronous_clients_runs(server: ManaraServer) -> None:
    assert output_of(server, sys.executable, str(EXAMPLES / "lab_async.py")) == "The run Succeeded\n"


def test_the_lab_in_javascript_runs(server: ManaraServer, tmp_path: Path) -> None:
    if not shutil.which("node") or not (PEERS / "node_modules" / "@azure" / "arm-datafactory").is_dir():
        pytest.skip("node or Azure's packages are not here: run `make peers` (needs npm)")
    script = tmp_path / "lab.mjs"
    shutil.copy(EXAMPLES / "lab.mjs", script)
    (tmp_path / "node_modules").symlink_to(PEERS / "node_modules")
    said = output_of(server, "node", str(script))
    assert said == "The run Succeeded\nA pipeline that is not there: 404 NotFound\n"


@pytest.mark.parametrize("version", ["9", "10"])
def test_each_error_of_azure_is_raised_as_its_client_knows_it(
    server: ManaraServer,
    azurite: Azurite,  # noqa: F811
    version: str,
    tmp_path: Path,
) -> None:
    ten = PEERS / "azure10"
    if version == "10" and not ten.is_dir():
        pytest.skip("azure-mgmt-datafactory 10 is not here: run `make peers`")
    name = f"reader-{version}"
    made = subprocess.run(
        [sys.executable, "-m", "manara.cli", "identity", "create", name, "--home", str(server.home), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(made.stdout)
    fill(opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string), "lab/keep.txt", b"x")
    said = output_of(
        server,
        sys.executable,
        str(ERRORS),
        told["objectId"],
        told["clientId"],
        told["secret"],
        LAB_STORAGE=azurite.connection_string,
        PYTHONPATH=str(ten) if version == "10" else "",
    )
    found = json.loads(said)
    assert found.pop("wrong secret")[0] == "ClientAuthenticationError"
    assert found == {
        "bad reference": ["HttpResponseError", "BadRequest"],
        "no pipeline": ["ResourceNotFoundError", "NotFound"],
        "no factory": ["ResourceNotFoundError", "ResourceNotFound"],
        "no group": ["ResourceNotFoundError", "ResourceGroupNotFound"],
        "unknown run": ["HttpResponseError", "ReferencedPipelineRunNotFound"],
        "not implemented": ["HttpResponseError", "NotImplemented"],
        "missing blob": ["Failed", "2200", "ErrorCode=UserErrorSourceBlobNotExist"],
        "no role": ["HttpResponseError", "AuthorizationFailed"],
        "reader reads": ["nothing", ""],
        "reader writes": ["HttpResponseError", "AuthorizationFailed"],
        "role twice": ["ResourceExistsError", "RoleAssignmentExists"],
    }


def test_a_blob_that_arrives_starts_a_run_with_its_name(server: ManaraServer, azurite: Azurite, tmp_path: Path) -> None:  # noqa: F811
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    fill(store, "events/in/old.csv", b"1")
    server.make_factory()
    service = {"type": "AzureBlobStorage", "typeProperties": {"connectionString": azurite.connection_string}}
    server.put("linkedservices/Store", service)
    value = {"value": "@pipeline().parameters.file", "type": "Expression"}
    note = {"name": "Note", "type": "SetVariable", "typeProperties": {"variableName": "v", "value": value}}
    declared = {"parameters": {"file": {"type": "string"}}, "variables": {"v": {"type": "String"}}}
    server.put("pipelines/Arrived", {"activities": [note], **declared})
    entry = {"pipelineReference": {"referenceName": "Arrived", "type": "PipelineReference"}}
    told = {"blobPathBeginsWith": "/events/blobs/in/", "events": ["Microsoft.Storage.BlobCreated"], "scope": "/x"}
    pipelines = [{**entry, "parameters": {"file": "@triggerBody().fileName"}}]
    server.put("triggers/Files", {"type": "BlobEventsTrigger", "typeProperties": told, "pipelines": pipelines})
    assert server.send("POST", f"{FACTORY}/triggers/Files/start").status_code == 200
    runs: list[dict[str, Any]] = []
    until = time.monotonic() + 40
    number = 0
    while not any(run["status"] == "Succeeded" for run in runs) and time.monotonic() < until:
        number += 1
        fill(store, f"events/in/new-{number}.csv", b"2")
        time.sleep(1)
        runs = server.send("POST", f"{FACTORY}/queryPipelineRuns", SPAN).json()["value"]
    names = {run["parameters"]["file"] for run in runs}
    assert names
    assert names <= {f"new-{each}.csv" for each in range(1, number + 1)}
