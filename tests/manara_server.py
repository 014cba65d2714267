"""A real server in a process of its own, for tests: started, asked with its owner's token, and ended or killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_S = 30
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/relief"
FACTORY = f"{GROUP}/providers/Microsoft.DataFactory/factories/north"
SPAN = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2999-01-01T00:00:00Z"}


@dataclass
class ManaraServer:
    """A server at work; `state` is what it says of itself."""

    home: Path
    process: subprocess.Popen[str]
    state: dict[str, Any]
    token: str = ""

    @property
    def address(self) -> str:
        """Where it listens without TLS."""
        return f"http://127.0.0.1:{self.state['port']}"

    def owner(self) -> dict[str, str]:
        """Return the ids and the secret of its owner."""
        told: dict[str, str] = json.loads((self.home / "owner.json").read_text())
        return told

    def sign_in(self) -> str:
        """Return a token of the owner."""
        owner = self.owner()
        form = {"grant_type": "client_credentials", "scope": "https://management.azure.com/.default"}
        form |= {"client_id": owner["clientId"], "client_secret": owner["clientSecret"]}
        answer = httpx.post(f"{self.address}/tenant/oauth2/v2.0/token", data=form)
        return str(answer.json()["access_token"])

    def send(self, method: str, path: str, body: Any = None, version: str = "2018-06-01") -> httpx.Response:
        """Return the answer to a request of the owner."""
        self.token = self.token or self.sign_in()
        headers = {"Authorization": f"Bearer {self.token}"}
        where = f"{self.address}{path}{'&' if '?' in path else '?'}api-version={version}"
        return httpx.request(method, where, json=body, headers=headers, timeout=30)

    def make_factory(self) -> None:
        """Make the resource group and the factory of the tests."""
        assert self.send("PUT", GROUP, {"location": "local"}, "2021-04-01").status_code in (200, 201)
        assert self.send("PUT", FACTORY, {"location": "local"}).status_code == 200

    def put(self, path: str, properties: Any) -> None:
        """Make a part of the factory."""
        answer = self.send("PUT", f"{FACTORY}/{path}", {"properties": properties})
        assert answer.status_code == 200, answer.text

    def status_of(self, run_id: str) -> str:
        """Return how a run stands."""
        return str(self.send("GET", f"{FACTORY}/pipelineruns/{run_id}").json()["status"])

    def wait_for(self, run_id: str, *states: str, within_s: float = 30) -> str:
        """Wait until a run stands in one of the states, and return it."""
        until = time.monotonic() + within_s
        while (found := self.status_of(run_id)) not in states and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def kill(self) -> None:
        """End the process without a word."""
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """Ask the process to end, and return what it has said."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=60)
        return said


@contextmanager
def manara_server(home: Path, *options: str) -> Iterator[ManaraServer]:
    """Start a server on free ports, and end it at the end of the block."""
    command = [sys.executable, "-m", "manara.cli", "serve", "--home", str(home), "--quiet"]
    ports = [word for name in ("--port", "--tls-port", "--gateway-port") for word in (name, "0")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    log = (home.parent / f"{home.name}.log").open("a")
    (home / "server.json").unlink(missing_ok=True)
    process = subprocess.Popen(
        [*command, *ports, *options], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        yield ManaraServer(home, process, _ready(home, process))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
        if process.stdout:
            process.stdout.close()
        log.close()


def _ready(home: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        if (home / "server.json").exists():
            told: dict[str, Any] = json.loads((home / "server.json").read_text())
            return told
        time.sleep(0.02)
    log = (home.parent / f"{home.name}.log").read_text()
    raise AssertionError(f"The server did not start: {log[-2000:]}")
