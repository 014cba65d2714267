"""A Delta table on the command line: its versions, and its upkeep."""

import json
import os
import time
from pathlib import Path

import pytest
from tests.cli.test_main import manara
from tests.factories import act, pipeline, write

from manara.app import Factory

pytest.importorskip("deltalake")
FILES = {"linkedServiceName": {"referenceName": "Files", "type": "LinkedServiceReference"}}


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    """A factory whose pipeline appends a file to a Delta table, and has run three times."""
    write(tmp_path, "linkedService", "Files", {"type": "FileServer", "typeProperties": {"host": "."}})
    write(tmp_path, "dataset", "In", {"type": "DelimitedText", **FILES, "typeProperties": {
        "location": {"type": "FileServerLocation", "fileName": "in.csv"}, "firstRowAsHeader": True}})  # fmt: skip
    write(tmp_path, "dataset", "Stock", {"type": "Delta", **FILES, "typeProperties": {
        "location": {"type": "FileServerLocation", "folderPath": "lake/stock"}}})  # fmt: skip
    copy = act("Load", "Copy", source={"type": "DelimitedTextSource"}, sink={"type": "DeltaSink"})
    references = {"inputs": "In", "outputs": "Stock"}
    copy |= {side: [{"referenceName": name, "type": "DatasetReference"}] for side, name in references.items()}
    write(tmp_path, "pipeline", "main", pipeline(copy))
    (tmp_path / "in.csv").write_text("code,quantity\na,1\nb,2\n")
    opened = Factory.open(tmp_path)
    assert all(opened.run("main").status == "Succeeded" for _ in range(3))
    return tmp_path


def test_the_versions_of_a_table_are_told_with_the_runs_that_made_them(factory: Path) -> None:
    told = json.loads(manara("lake", "versions", "Stock", "--json", at=factory).stdout)
    assert [(each["version"], each["rowsAdded"]) for each in told["value"]] == [(2, 2), (1, 2), (0, 2)]
    runs = json.loads(manara("runs", "--json", at=factory).stdout)["value"]
    assert [each["runId"] for each in told["value"]] == [run["runId"] for run in runs]
    shown = manara("lake", "versions", "Stock", at=factory).stdout
    assert ("append" in shown, runs[0]["runId"][:8] in shown) == (True, True)


def test_small_files_are_brought_together_and_removed_when_no_version_needs_them(factory: Path) -> None:
    assert "3 files became 1." in manara("lake", "compact", "Stock", at=factory).stdout
    assert "There is nothing to remove." in manara("lake", "vacuum", "Stock", at=factory).stdout
    grow_old(factory / "lake" / "stock", days=40)
    told = manara("lake", "vacuum", "Stock", at=factory)
    assert "3 files would be removed. Do it:  manara lake vacuum Stock --really" in told.stdout
    assert parquet(factory) == 4
    assert "3 files were removed." in manara("lake", "vacuum", "Stock", "--really", at=factory).stdout
    assert parquet(factory) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["versions", "In"], "keeps no versions"),
        (["versions", "Stok"], "Did you mean 'Stock'?"),
        (["vacuum", "Stock", "--keep-days", "3"], "At least 7 days are kept, not 3."),
    ],
)
def test_what_cannot_be_is_told(factory: Path, words: list[str], says: str) -> None:
    told = manara("lake", *words, at=factory)
    assert (told.returncode, says in told.stderr) == (2, True), told.stderr


def parquet(factory: Path) -> int:
    return len(list((factory / "lake" / "stock").glob("*.parquet")))


def grow_old(table: Path, days: int) -> None:
    """Let everything that the table's log says have been so many days ago."""
    past = days * 24 * 3600
    for entry in (table / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in entry.read_text().splitlines()]
        for line in lines:
            for what in line.values():
                for name in ("timestamp", "deletionTimestamp", "modificationTime", "inCommitTimestamp"):
                    if isinstance(what, dict) and isinstance(what.get(name), int):
                        what[name] -= past * 1000
        entry.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for file in table.rglob("*"):
        os.utime(file, (time.time() - past,) * 2)
