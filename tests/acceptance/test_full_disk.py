"""A disk that is full: a plain message, nothing half-loaded, and the run goes on when there is space again."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from manara.app import Factory
from manara.blueprints.make import make_factory
from manara.connectors.databases.duckdb_file import close_all
from manara.store.journal import Journal

ROWS = 50_000


def mount(*words: str) -> bool:
    program = shutil.which("mount")
    return program is not None and subprocess.run([program, *words], capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a factory whose data lies on a disk of so many kilobytes; the same call makes the disk larger."""
    root = tmp_path / "factory"
    make_factory(root, "start")
    shutil.rmtree(root / "data")
    (root / "data").mkdir()

    def of_size(kilobytes: int) -> Path:
        options = f"size={kilobytes}k"
        if not (
            mount("-o", f"remount,{options}", str(root / "data"))
            or mount("-t", "tmpfs", "-o", options, "tmpfs", str(root / "data"))
        ):
            pytest.skip("a small disk cannot be mounted here: it needs the rights of root")
        return root

    yield of_size
    close_all()  # the test has looked into the warehouse
    if (root / "data").is_mount():
        subprocess.run(["umount", str(root / "data")], check=True)


def write_csv(root: Path, rows: int) -> None:
    inbox = root / "data" / "lake" / "inbox"
    inbox.mkdir(parents=True)
    lines = "".join(f"HC{n:06},Clinic {n},District {n % 7},{n % 90}\n" for n in range(rows))
    (inbox / "clinics.csv").write_text("code,name,district,beds\n" + lines, encoding="utf-8")


def manara(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "manara.cli", *words], capture_output=True, text=True, check=False, timeout=120
    )


def rows_loaded(root: Path) -> int:
    opened = Factory.open(root)
    found = opened.query("Warehouse", "select 1 from duckdb_tables() where table_name = 'clinics'")
    return int(opened.query("Warehouse", "select count(*) as n from clinics")[0]["n"]) if found else 0


def test_a_warehouse_that_does_not_fit_fails_the_run_and_leaves_no_row(disk: Callable[[int], Path]) -> None:
    root = disk(2_600)
    write_csv(root, ROWS)
    told = manara("run", "load_csv", "-f", str(root))
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert "full" in told.stdout.lower() + told.stderr.lower() or "space" in told.stdout.lower() + told.stderr.lower()
    disk(100_000)
    assert rows_loaded(root) == 0
    assert manara("run", "load_csv", "-f", str(root)).returncode == 0
    assert rows_loaded(root) == ROWS


@pytest.mark.parametrize("kilobytes", [64, 100])
def test_a_journal_that_cannot_be_written_stops_the_run_which_goes_on_later(
    disk: Callable[[int], Path], kilobytes: int
) -> None:
    root = disk(kilobytes)
    write_csv(root, 3)
    told = manara("run", "load_csv", "-f", str(root))
    assert told.returncode == 1
    assert "The journal cannot be written: database or disk is full. Free some space" in told.stderr
    disk(100_000)
    with closing(Journal(root / "data" / "journal.sqlite")) as journal:
        unfinished = journal.unfinished()
    words = ("resume", unfinished[0][0]) if unfinished else ("run", "load_csv")
    assert manara(*words, "-f", str(root)).returncode == 0
    assert rows_loaded(root) == 3
