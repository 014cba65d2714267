from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from tests.azurite import azurite

__all__ = ["azurite", "s3_url"]


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Gives the address of an S3 in memory."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
