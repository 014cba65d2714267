"""The activity Custom: a command on this machine, with what Azure Batch would give it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, factory_of, pipeline, write

from manara.app import Factory
from manara.store.journal import Journal
from manara.store.record import ActivityRun

ALLOWED = "[custom]\nallowed = true\n"
LAKE = {"referenceName": "Lake", "type": "LinkedServiceReference"}
LOOK = """
import json, os, stat, pathlib
told = {name: json.loads(pathlib.Path(name).read_text()) for name in ("activity.json", "linkedServices.json", "datasets.json")}
told["modes"] = {name: stat.S_IMODE(os.stat(name).st_mode) for name in ("activity.json", "linkedServices.json")}
told["files"] = sorted(str(p) for p in pathlib.Path(".").rglob("*") if p.is_file())
told["environment"] = [name for name in os.environ if name.startswith("MANARA_")]
told["folder"] = os.getcwd()
pathlib.Path("outputs.json").write_text(json.dumps(told))
print("all is well")
"""  # noqa: E501


def python(code: str) -> str:
    """Return a command that runs the code; a shell would read its quotes in the same way."""
    return f"'{sys.executable}' -c {json.dumps(code)}"


def made(root: Path, settings: str = ALLOWED, policy: Json | None = None, **properties: Any) -> Factory:
    write(root, "linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "data/lake"}})
    properties.setdefault("command", "true")
    factory_of(root, main=pipeline(act("Work", "Custom", policy=policy or {}, **properties)))
    (root / "manara.toml").write_text(settings)
    return Factory.open(root)


def run(root: Path, **properties: Any) -> ActivityRun:
    return made(root, **properties).run("main").activities["Work"]


def why(ended: ActivityRun) -> tuple[str, str]:
    assert ended.error is not None
    return ended.error["errorCode"], ended.error["message"]


def test_a_command_finds_its_files_and_what_it_refers_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANARA_SECRET_KEY", "open sesame")
    (tmp_path / "data/lake/app/inner").mkdir(parents=True)
    (tmp_path / "data/lake/app/look.py").write_text(LOOK)
    (tmp_path / "data/lake/app/inner/more.txt").write_text("more")
    key = {"type": "AzureKeyVaultSecret", "store": {"referenceName": "Vault"}, "secretName": "key"}
    write(tmp_path, "linkedService", "Other", {"type": "FileServer", "typeProperties": {"host": "x", "password": key}})
    data = {"type": "Binary", "linkedServiceName": LAKE, "typeProperties": {"folder": "@dataset().f"}}
    write(tmp_path, "dataset", "In", {**data, "parameters": {"f": {"type": "String"}}})
    other = {"referenceName": "Other", "type": "LinkedServiceReference"}
    dataset = {"referenceName": "In", "type": "DatasetReference", "parameters": {"f": "@pipeline().Pipeline"}}
    ended = run(
        tmp_path,
        command=f"'{sys.executable}' look.py",
        resourceLinkedService=LAKE,
        folderPath="app",
        referenceObjects={"linkedServices": [other], "datasets": [dataset]},
        extendedProperties={"token": {"type": "SecureString", "value": "t0p"}},
    )
    assert ended.status == "Succeeded", ended.error
    told = ended.output["customOutput"]
    assert told["files"][:2] == ["activity.json", "datasets.json"]
    assert {"look.py", "inner/more.txt"} <= set(told["files"])
    assert told["activity.json"]["typeProperties"]["extendedProperties"]["token"]["value"] == "t0p"
    assert told["linkedServices.json"][0]["properties"]["typeProperties"]["password"]["value"] == "open sesame"
    assert told["datasets.json"][0]["properties"]["typeProperties"] == {"folder": "main"}
    assert set(told["modes"].values()) == {0o600}
    assert told["environment"] == []
    assert not Path(told["folder"]).exists()
    assert (ended.output["exitcode"], Path(ended.output["outputs"][0]).read_text()) == (0, "all is well\n")
    assert "t0p" not in json.dumps(ended.input)


def test_no_definition_runs_a_command_unless_the_settings_allow_it(tmp_path: Path) -> None:
    code, message = why(run(tmp_path, settings="", command=python("open('here', 'w')")))
    assert (code, "allowed = true" in message) == ("AuthorizationFailed", True)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (python("import sys; print('no disk', file=sys.stderr); sys.exit(3)"), "2500", "exit code 3"),
        (python("import sys; print('password=abc', file=sys.stderr); sys.exit(1)"), "2500", "password=*****"),
        ("no-such-program --now", "2500", "'no-such-program' cannot be started: No such file"),
        ("echo 'open", "BadRequest", "No closing quotation"),
        ("", "BadRequest", "needs typeProperties.command"),
        (python("open('outputs.json', 'w').write('{')"), "2500", "outputs.json is no JSON"),
        (python("open('outputs.json', 'w').write(' ' * 3_000_000)"), "2500", "more than 2 MB"),
    ],
    ids=["exit code", "a secret it says", "not there", "open quote", "none", "broken output", "too much output"],
)
def test_a_command_that_fails_says_why(tmp_path: Path, command: str, code: str, told: str) -> None:
    found, message = why(run(tmp_path, command=command))
    assert (found, told in message) == (code, True), message


def test_no_shell_reads_a_command(tmp_path: Path) -> None:
    ended = run(tmp_path, command="echo $HOME > here; `ls`")
    assert Path(ended.output["outputs"][0]).read_text() == "$HOME > here; `ls`\n"


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    code, message = why(run(tmp_path, resourceLinkedService=LAKE, folderPath="nowhere"))
    assert (code, "'nowhere'" in message) == ("UserErrorSourceBlobNotExist", True)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


CHILD = "import os, subprocess, sys, time, pathlib; p = subprocess.Popen(['sleep', '600']); pathlib.Path(sys.argv[1]).write_text(str(p.pid)); {then}"  # noqa: E501


def test_what_takes_too_long_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    command = f"{python(CHILD.format(then='time.sleep(600)'))} '{tmp_path / 'pid'}'"
    code, _ = why(run(tmp_path, command=command, policy={"timeout": "0.00:00:01"}))
    assert code == "Timeout"
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_what_outlives_its_command_is_stopped(tmp_path: Path) -> None:
    ended = run(tmp_path, command=f"{python(CHILD.format(then=''))} '{tmp_path / 'pid'}'")
    assert ended.status == "Succeeded"
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_a_cancelled_run_stops_its_command_even_one_that_does_not_listen(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = f"{python(CHILD.format(then=deaf))} '{tmp_path / 'pid'}'"
    factory = made(tmp_path, command=command, policy={"timeout": "0.00:01:00"})

    def cancel() -> None:
        wait_for(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        with closing(Journal(tmp_path / "data" / "journal.sqlite")) as journal:
            journal.write_cancel(journal.unfinished()[0][0])

    other = threading.Thread(target=cancel)
    other.start()
    assert factory.run("main").status == "Cancelled"
    other.join()
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_a_command_ends_with_manara_even_by_kill_9(tmp_path: Path) -> None:
    made(tmp_path, command=f"{python(CHILD.format(then='time.sleep(600)'))} '{tmp_path / 'pid'}'")
    with subprocess.Popen([sys.executable, "-m", "manara.cli", "run", "main", "-f", str(tmp_path)]) as process:
        wait_for(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        process.kill()
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_what_commands_printed_is_thrown_away_after_its_days(tmp_path: Path) -> None:
    factory = made(tmp_path, retentionTimeInDays=0)
    first = Path(factory.run("main").activities["Work"].output["outputs"][0])
    second = Path(factory.run("main").activities["Work"].output["outputs"][0])
    assert (first.parent.parent.exists(), second.exists()) == (False, True)
