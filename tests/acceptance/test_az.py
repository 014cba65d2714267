"""az itself, unchanged, against a server: signs in, makes a factory, runs a pipeline, deploys an exported template.

It is large (370 MB), so that it has a target of its own: make test-az.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.azure_clients import environment_of
from tests.manara_server import ManaraServer, manara_server

from manara.blueprints.make import make_factory
from manara.cli.transfer import export_arm

REPOSITORY = Path(__file__).parents[2]
AZ = REPOSITORY / "tests" / "peers" / "az" / "bin"

pytestmark = pytest.mark.skipif(not (AZ / "az").exists(), reason="az is not here: run `make test-az`")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManaraServer]:
    with manara_server(tmp_path_factory.mktemp("az") / "home") as started:
        yield started


def run(server: ManaraServer, *command: str) -> str:
    environment = dict(environment_of(server, PYTHONPATH=""))
    environment["PATH"] = f"{AZ}:{environment['PATH']}"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_lab_with_az_runs(server: ManaraServer) -> None:
    assert run(server, "sh", str(REPOSITORY / "examples" / "azure" / "lab.sh")).strip() == "Succeeded"


def test_az_deploys_the_template_that_a_factory_was_exported_as(server: ManaraServer, tmp_path: Path) -> None:
    make_factory(tmp_path / "supply", "supply")
    export_arm(tmp_path / "supply", tmp_path, home=None, factory="", with_secrets=True, force=False)
    run(server, "az", "group", "create", "--name", "deployed", "--location", "local")
    factory = ["--name", "supply", "--resource-type", "Microsoft.DataFactory/factories"]
    run(server, "az", "resource", "create", "-g", "deployed", *factory, "--properties", "{}", "--location", "local")
    template = ["--template-file", str(tmp_path / "ARMTemplateForFactory.json")]
    parameters = ["--parameters", f"@{tmp_path / 'ARMTemplateParametersForFactory.json'}"]
    said = run(server, "az", "deployment", "group", "create", "-g", "deployed", *template, *parameters)
    assert json.loads(said)["properties"]["provisioningState"] == "Succeeded"
    listed = json.loads(run(server, "az", "resource", "list", "-g", "deployed"))
    assert [each["name"] for each in listed] == ["supply"]
