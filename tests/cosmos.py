"""A server that speaks the API of Cosmos DB for NoSQL: started once for a process, in memory, on a free port.

It comes by `make peers` (npm: @vercel/cosmosdb-server). It does not check keys.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = Path(__file__).parent / "peers" / "node_modules" / ".bin" / "cosmosdb-server"
_READY = re.compile(r"connections at \S*?:(\d+)")
KEY = "bm8gc2VjcmV0"


@pytest.fixture(scope="session")
def cosmos() -> Iterator[Callable[[str], dict[str, Any]]]:
    """Gives the properties of a linked service: a new database with the container `place`, by the path of its key.

    Skips where the server is not installed.
    """
    cosmosdb = pytest.importorskip("azure.cosmos", reason="azure-cosmos is not installed")
    if not _PROGRAM.exists() or shutil.which("node") is None:
        pytest.skip("there is no server for Cosmos DB here: run `make peers` (needs npm)")
    with subprocess.Popen(
        [_PROGRAM, "-p", "0", "--no-ssl"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().decode()
            found = _READY.search(said)
            assert found, said
            url = f"http://127.0.0.1:{found[1]}"
            number = count(1)

            def new(key_path: str) -> dict[str, Any]:
                name = f"test_{next(number)}"
                with cosmosdb.CosmosClient(url, credential=KEY, enable_endpoint_discovery=False) as client:
                    made = client.create_database(name)
                    made.create_container("place", cosmosdb.PartitionKey(path=key_path))
                return {"connectionString": f"AccountEndpoint={url};AccountKey={KEY};Database={name}"}

            yield new
        finally:
            process.kill()
