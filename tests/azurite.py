"""Azurite, Microsoft's emulator of Azure's blobs and tables: started once for a process, in memory, on free ports.

It comes by `make peers` (npm), or is looked for in the PATH.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # known to everybody
_PROGRAM = Path(__file__).parent / "peers" / "node_modules" / ".bin" / "azurite"
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (https?://\S+)")


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """The endpoints of the running emulator, with the account in their path, and without a `/` at the end."""

    blob: str
    table: str
    account: str = ACCOUNT
    key: str = KEY

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.blob};TableEndpoint={self.table};"
        )


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Gives the running emulator. Skips where it is not installed."""
    with running(found_program()) as emulator:
        yield emulator


def found_program() -> str:
    """Return the emulator's program; skips where it is not installed."""
    program = str(_PROGRAM) if _PROGRAM.exists() else shutil.which("azurite")
    if program is None or shutil.which("node") is None:
        pytest.skip("there is no Azurite here: run `make peers` (needs npm)")
    return program


@contextmanager
def running(program: str, *more: str) -> Iterator[Azurite]:
    """Run the emulator for the length of the `with` block."""
    options = "--silent --inMemoryPersistence --disableTelemetry --skipApiVersionCheck"
    ports = "--blobPort 0 --queuePort 0 --tablePort 0"
    with subprocess.Popen(
        [program, *options.split(), *ports.split(), *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        try:
            found: dict[str, str] = {}
            for line in process.stdout:
                if match := _LISTENING.search(line.decode()):
                    found[match[1]] = f"{match[2]}/{ACCOUNT}"
                if len(found) == 3:
                    break
            assert len(found) == 3, "Azurite did not start"
            yield Azurite(blob=found["Blob"], table=found["Table"])
        finally:
            process.kill()
