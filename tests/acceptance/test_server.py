"""The server as a process: runs survive its death, triggers fire in it, and it lets nobody in who should stay out."""

import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.manara_server import FACTORY, SPAN, manara_server

from manara import clock
from manara.blueprints.make import make_factory
from manara.resources.published import factory_id
from manara.store.seal import new_key


def wait(seconds: int) -> dict[str, Any]:
    return {
        "activities": [
            {"name": f"W{n}", "type": "Wait", "typeProperties": {"waitTimeInSeconds": seconds}} for n in (1,)
        ]
    }


def test_a_run_that_its_server_died_under_goes_on_in_the_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with manara_server(home) as server:
        server.make_factory()
        server.put("pipelines/Slow", wait(3))
        asked = [server.send("POST", f"{FACTORY}/pipelines/Slow/createRun", {}).json()["runId"] for _ in range(5)]
        assert server.wait_for(asked[0], "InProgress") == "InProgress"
        server.kill()
    with manara_server(home) as server:
        assert {server.wait_for(run_id, "Succeeded", within_s=60) for run_id in asked} == {"Succeeded"}


def test_it_ends_when_told_to_and_leaves_what_is_at_work_for_the_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with manara_server(home, "--workers", "2") as server:
        server.make_factory()
        server.put("pipelines/Slow", wait(60))
        run_id = server.send("POST", f"{FACTORY}/pipelines/Slow/createRun", {}).json()["runId"]
        assert server.wait_for(run_id, "InProgress") == "InProgress"
        before = time.monotonic()
        assert "Stopped." in server.end()
        assert time.monotonic() - before < 30
        assert not (home / "server.json").exists()
    with manara_server(home, "--workers", "0") as server:
        assert server.status_of(run_id) == "InProgress"


def test_a_trigger_fires_in_a_running_server(tmp_path: Path) -> None:
    with manara_server(tmp_path / "home") as server:
        server.make_factory()
        server.put("pipelines/Load", wait(1))
        told = {"frequency": "Hour", "interval": 1, "startTime": "2024-01-01T00:00:00Z", "maxConcurrency": 3}
        told["endTime"] = "2024-01-01T02:00:00Z"
        reference = {"pipelineReference": {"referenceName": "Load", "type": "PipelineReference"}}
        server.put("triggers/Windows", {"type": "TumblingWindowTrigger", "typeProperties": told, "pipeline": reference})
        assert server.send("POST", f"{FACTORY}/triggers/Windows/start").status_code == 200
        until = time.monotonic() + 30
        states: list[str] = []
        while states != ["Succeeded"] * 2 and time.monotonic() < until:
            found = server.send("POST", f"{FACTORY}/queryTriggerRuns", SPAN).json()["value"]
            states = [each["status"] for each in found]
            time.sleep(0.2)
    assert states == ["Succeeded"] * 2


def test_nobody_gets_in_without_a_good_token_and_only_refusals_are_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with manara_server(home) as server:
        server.make_factory()
        where = f"{server.address}{FACTORY}?api-version=2018-06-01"
        answers = [httpx.get(where), httpx.get(where, headers={"Authorization": "Bearer x"})]
        assert [each.status_code for each in answers] == [401, 401]
        assert [each.json()["error"]["code"] for each in answers] == [
            "AuthenticationFailed",
            "InvalidAuthenticationToken",
        ]
        assert answers[0].headers["www-authenticate"].startswith("Bearer authorization_uri=")
        assert httpx.get(f"{server.address}/health").json()["status"] == "ok"
        assert httpx.get(f"{server.address}/ready").json()["unfinishedRuns"] == 0
    for name in ("owner.json", "seal.key", "token.key"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600


def test_a_home_takes_one_server_and_a_port_one_program(tmp_path: Path) -> None:
    with manara_server(tmp_path / "home") as server:
        with pytest.raises(AssertionError, match="at work in"), manara_server(tmp_path / "home"):
            pass
        port = str(server.state["port"])
        with (
            pytest.raises(AssertionError, match="cannot be used"),
            manara_server(tmp_path / "other", "--port", port),
        ):
            pass


def test_others_than_this_machine_need_identities(tmp_path: Path) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 # it is refused
    with pytest.raises(AssertionError, match="nobody but the owner"), manara_server(tmp_path, "--host", everywhere):
        pass


@pytest.mark.parametrize("raw", [b"GET / HTTP/9\r\n\r\n", b"\x00" * 100, b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_garbage_on_the_line_ends_nothing(tmp_path: Path, raw: bytes) -> None:
    with manara_server(tmp_path / "home", "--workers", "0") as server:
        with socket.create_connection(("127.0.0.1", server.state["port"])) as line:
            line.sendall(raw)
            line.settimeout(5)
            line.recv(100)
        assert httpx.get(f"{server.address}/health").status_code == 200


def test_a_factory_in_a_folder_is_published_and_its_runs_are_seen_by_commands(tmp_path: Path) -> None:
    make_factory(tmp_path / "field", "start")
    daily = {"recurrence": {"frequency": "Day", "interval": 1, "startTime": "2024-01-01T00:00:00Z"}}
    reference = {"pipelineReference": {"referenceName": "load_csv", "type": "PipelineReference"}}
    told = {"type": "ScheduleTrigger", "runtimeState": "Started", "typeProperties": daily, "pipelines": [reference]}
    (tmp_path / "field" / "trigger").mkdir()
    (tmp_path / "field" / "trigger" / "Daily.json").write_text(json.dumps({"name": "Daily", "properties": told}))
    home = tmp_path / "field" / "data"
    with manara_server(home, "-f", str(tmp_path / "field")) as server:
        path = factory_id("field")
        assert server.send("GET", f"{path}/triggers/Daily").json()["properties"]["runtimeState"] == "Started"
        run_id = server.send("POST", f"{path}/pipelines/load_csv/createRun", {}).json()["runId"]
        until = clock.now().timestamp() + 30
        status = ""
        while status != "Succeeded" and clock.now().timestamp() < until:
            status = server.send("GET", f"{path}/pipelineruns/{run_id}").json()["status"]
            time.sleep(0.1)
    assert status == "Succeeded"


def test_a_worker_elsewhere_does_the_runs_of_a_server_on_postgresql(
    tmp_path: Path,
    postgres: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MANARA_STORE_JOURNAL", postgres())
    monkeypatch.setenv("MANARA_STORE_KEY", new_key())
    with manara_server(tmp_path / "server", "--workers", "0") as server:
        server.make_factory()
        server.put("pipelines/Load", wait(1))
        server.put("integrationRuntimes/field", {"type": "SelfHosted"})
        key = server.send("POST", f"{FACTORY}/integrationRuntimes/field/listAuthKeys").json()["authKey1"]
        run_id = server.send("POST", f"{FACTORY}/pipelines/Load/createRun", {}).json()["runId"]
        command = [sys.executable, "-m", "manara.cli", "worker", "--home", str(tmp_path / "elsewhere"), "--key", key]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
            try:
                assert server.wait_for(run_id, "Succeeded") == "Succeeded"
                status = server.send("POST", f"{FACTORY}/integrationRuntimes/field/getStatus").json()["properties"]
            finally:
                worker.terminate()
        assert (status["state"], len(status["typeProperties"]["nodes"])) == ("Online", 1)
