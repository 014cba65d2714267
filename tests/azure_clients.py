"""What leads Azure's own clients to a server of the tests, as the command `manara azure` does it."""

import os
from collections.abc import Mapping

from manara.cli.azure import variables_of
from tests.manara_server import ManaraServer


def environment_of(server: ManaraServer, **more: str) -> Mapping[str, str]:
    """Return the environment of a client's process."""
    return {**os.environ, **variables_of(server.home, server.state), **more}
