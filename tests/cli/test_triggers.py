"""When a trigger fires, told from a factory's folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from manara.cli.main import cli
from manara.errors import NotFound, WrongDefinition

BERLIN = {"frequency": "Day", "interval": 1, "startTime": "2024-01-01T08:00:00", "timeZone": "W. Europe Standard Time"}
KINDS: dict[str, dict[str, Any]] = {
    "Daily": {"type": "ScheduleTrigger", "typeProperties": {"recurrence": BERLIN}},
    "Hours": {
        "type": "TumblingWindowTrigger",
        "typeProperties": {"frequency": "Hour", "interval": 2, "startTime": "2024-03-30T00:00:00Z"},
    },
    "Files": {"type": "BlobEventsTrigger", "typeProperties": {}},
}


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    (tmp_path / "trigger").mkdir()
    for name, properties in KINDS.items():
        (tmp_path / "trigger" / f"{name}.json").write_text(json.dumps({"name": name, "properties": properties}))
    return tmp_path


def ask(factory: Path, name: str, *more: str) -> Any:
    words = ["trigger", "next", name, "-f", str(factory), "--after", "2024-03-30T00:30:00Z", "--count", "2", *more]
    return CliRunner().invoke(cli, words)


def test_a_schedule_keeps_its_time_of_day_when_the_clocks_change(factory: Path) -> None:
    assert ask(factory, "Daily").output.splitlines() == [
        "2024-03-30T08:00:00+01:00   2024-03-30T07:00:00Z",
        "2024-03-31T08:00:00+02:00   2024-03-31T06:00:00Z",
    ]


def test_windows_are_told_with_their_ends(factory: Path) -> None:
    told = json.loads(ask(factory, "Hours", "--json").output)
    assert [(row["utc"][11:16], row["windowEnd"][11:16]) for row in told] == [("02:00", "04:00"), ("04:00", "06:00")]


@pytest.mark.parametrize(("name", "error"), [("Files", WrongDefinition), ("Dayly", NotFound)])
def test_what_has_no_set_time_is_told(factory: Path, name: str, error: type[Exception]) -> None:
    assert isinstance(ask(factory, name).exception, error)
