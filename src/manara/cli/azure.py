"""Unchanged Azure clients on this machine: a server is found or started, and a command runs where it finds it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from manara.app.server import STATE, home_of
from manara.errors import TimedOut, WrongDefinition
from manara.resources.published import SUBSCRIPTION
from manara.server.arm.azure import TENANT
from manara.server.gateway.certificates import places
from manara.server.gateway.environment import Local, environment, exports
from manara.server.identity.principals import OWNER_FILE

START_S = 30.0
LOG = "server.log"


def run_command(folder: Path | None, home: Path | None, command: list[str]) -> int:
    """Run a command with the environment that leads Azure's clients to the server; return its exit code."""
    if not command:
        raise WrongDefinition("There is no command to run.", advice="Write one: manara azure -- python lab.py")
    where = _home(folder, home)
    state = find_server(where) or start_server(folder, where)
    variables = {**os.environ, **variables_of(where, state)}
    try:
        process = subprocess.Popen(command, env=variables)  # noqa: S603 # the user's own command
    except OSError as error:
        raise WrongDefinition(
            f"The command '{command[0]}' cannot be run: {error.strerror}.", advice="Check its name."
        ) from error
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)


def show_environment(folder: Path | None, home: Path | None, *, as_json: bool) -> None:
    """Print the environment for a shell (`eval "$(manara azure env)"`), or as JSON; a server is started if need be."""
    where = _home(folder, home)
    state = find_server(where) or start_server(folder, where)
    variables = variables_of(where, state)
    sys.stdout.write((json.dumps(variables, indent=2) if as_json else exports(variables)) + "\n")


def find_server(home: Path) -> dict[str, Any] | None:
    """Return what the server of a home says of itself; None where none is at work."""
    try:
        state: dict[str, Any] = json.loads((home / STATE).read_text(encoding="utf-8"))
        answer = httpx.get(f"http://127.0.0.1:{state['port']}/health", timeout=5, trust_env=False)
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return state if answer.status_code == httpx.codes.OK else None


def start_server(folder: Path | None, home: Path) -> dict[str, Any]:
    """Start a server of the home on free ports, which goes on after this command, and return what it says of itself.

    Raises TimedOut where it does not answer in time; what it said is in the home, in server.log.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = ["-f", str(folder)] if folder else ["--home", str(home)]
    ports = [word for name in ("--port", "--tls-port", "--gateway-port") for word in (name, "0")]
    with (home / LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 # our own command
            [sys.executable, "-m", "manara.cli", "serve", *place, *ports, "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        if state := find_server(home):
            sys.stderr.write(f"Started a server in {home}; end it with: kill {state['pid']}\n")
            return state
        time.sleep(0.05)
    lines = (home / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    raise TimedOut("The server did not start.", where=str(home / LOG), advice=lines[-1] if lines else "")


def variables_of(home: Path, state: dict[str, Any]) -> dict[str, str]:
    """Return the variables that lead a client to the server, as its owner."""
    found = places(home)
    try:
        owner = json.loads((home / OWNER_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        owner = {}
    identity = Local(
        tenant=TENANT,
        client=owner.get("clientId", ""),
        secret=owner.get("clientSecret", ""),
        subscription=SUBSCRIPTION,
    )
    return environment(
        state["gatewayPort"],
        bundle=found.bundle,
        authority=found.authority,
        az=home / "az",
        identity=identity,
        outer=os.environ,
    )


def _home(folder: Path | None, home: Path | None) -> Path:
    return (home or home_of(folder)).absolute()
