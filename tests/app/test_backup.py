import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from manara.app import Factory
from manara.app.backup import back_up, check, restore
from manara.blueprints.make import make_factory
from manara.connectors.databases import duckdb_file
from manara.errors import Conflict, ManaraError, NotAllowed, NotFound, WrongDefinition
from manara.store.repository import Backup, Kept, Repository


def silent(_path: str, _done: int, _whole: int) -> None:
    pass


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    """A factory that has loaded a table, with a secret and a key beside it."""
    root = tmp_path / "factory"
    make_factory(root, "start")
    load(root)
    (root / ".env").write_text("PASSWORD=hunter2\n")
    (root / "data" / "seal.key").write_text("key")
    return root


def load(root: Path) -> None:
    assert Factory.open(root).run("load_csv").status == "Succeeded"
    duckdb_file.close_all()


def content(root: Path) -> dict[str, bytes]:
    """Return all files that are no database, with their bytes; not the one that keeps the name of the factory."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in (".duckdb", ".sqlite", ".key") and path.name != ".env"
        and not path.name.endswith(("-wal", "-shm")) and path.parent != root / "factory"
    }  # fmt: skip


def rows(root: Path) -> list[dict[str, Any]]:
    found = Factory.open(root).query("Warehouse", "from clinics order by all")
    duckdb_file.close_all()
    return found


def runs(root: Path) -> list[Any]:
    with closing(sqlite3.connect(root / "data" / "journal.sqlite")) as connection:
        return connection.execute("select * from run order by 1").fetchall()


def make(factory: Path, repository: Path) -> Backup:
    return back_up(factory, Repository(repository), silent)


def test_a_backup_is_restored_onto_an_empty_place_with_everything(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    assert restore(Repository(tmp_path / "backups"), made, tmp_path / "again", silent) == []
    assert content(tmp_path / "again") == content(factory)
    assert rows(tmp_path / "again") == rows(factory)
    assert runs(tmp_path / "again") == runs(factory)
    load(tmp_path / "again")


def test_secrets_stay_where_they_are(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    assert made.left_out == (".env: a secret", "data/seal.key: a secret")
    with_key = back_up(factory, Repository(tmp_path / "backups"), silent, with_key=True)
    assert "data/seal.key" in [file.path for file in with_key.files]
    assert not any(b"hunter2" in path.read_bytes() for path in (tmp_path / "backups").rglob("*") if path.is_file())


def test_each_backup_can_be_had_as_it_was(factory: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "backups")
    first = make(factory, tmp_path / "backups")
    before = rows(factory)
    inbox = factory / "data" / "lake" / "inbox" / "clinics.csv"
    inbox.write_text(inbox.read_text() + "9,Another,2024-01-01,3\n", encoding="utf-8")
    load(factory)
    second = make(factory, tmp_path / "backups")
    for backup, expected in ((first, before), (second, rows(factory))):
        restore(repository, repository.find(backup.id), tmp_path / backup.id, silent)
        assert rows(tmp_path / backup.id) == expected
    assert repository.find(first.made.isoformat()).id == first.id
    assert repository.find().id == second.id


def test_what_has_not_changed_is_kept_once(factory: Path, tmp_path: Path) -> None:
    make(factory, tmp_path / "backups")
    before = {path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()}
    make(factory, tmp_path / "backups")
    assert len({path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()} - before) <= 1


def test_a_journal_in_use_is_backed_up_as_of_one_moment(factory: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(factory / "data" / "journal.sqlite", isolation_level=None)) as writing:
        writing.execute("begin immediate")
        writing.execute("create table half (n)")
        made = make(factory, tmp_path / "backups")
        writing.execute("rollback")
    restore(Repository(tmp_path / "backups"), made, tmp_path / "again", silent)
    assert runs(tmp_path / "again") == runs(factory)


def test_a_warehouse_that_another_process_writes_is_a_conflict(factory: Path, tmp_path: Path) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    warehouse = str(factory / "data" / "warehouse.duckdb")
    with subprocess.Popen(
        [sys.executable, "-c", code, warehouse], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Conflict, match=r"'data/warehouse\.duckdb' is in use"):
            back_up(factory, Repository(tmp_path / "backups"), silent, wait_s=0.3)
        other.communicate()
    with pytest.raises(NotFound, match="There is no backup"):
        Repository(tmp_path / "backups").find()
    make(factory, tmp_path / "backups")


def test_a_backup_that_is_killed_leaves_the_others_whole(factory: Path, tmp_path: Path) -> None:
    make(factory, tmp_path / "backups")
    (factory / "data" / "lake" / "big.bin").write_bytes(os.urandom(40 << 20))
    code = (
        "import sys; from pathlib import Path; from manara.app.backup import back_up; "
        "from manara.store.repository import Repository; "
        "back_up(Path(sys.argv[1]), Repository(Path(sys.argv[2])), lambda *told: print(*told, flush=True))"
    )
    words = [sys.executable, "-c", code, str(factory), str(tmp_path / "backups")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        for line in other.stdout:
            if "big.bin" in line:
                time.sleep(0.05)
                other.send_signal(signal.SIGKILL)
                break
    repository = Repository(tmp_path / "backups")
    assert len(repository.backups()) in (1, 2)
    assert check(repository, repository.backups(), silent) == []
    made = make(factory, tmp_path / "backups")
    restore(repository, made, tmp_path / "again", silent)
    assert content(tmp_path / "again") == content(factory)


def test_a_damaged_piece_names_its_file_and_the_rest_can_be_had(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    repository = Repository(tmp_path / "backups")
    damage(tmp_path / "backups", made, "load_csv.json")
    assert [each.path for _, each in check(repository, [made], silent)] == ["pipeline/load_csv.json"]
    with pytest.raises(NotFound, match=r"A piece of 'pipeline/load_csv\.json' is damaged"):
        restore(repository, made, tmp_path / "again", silent)
    assert not (tmp_path / "again").exists()
    lost = restore(repository, made, tmp_path / "again", silent, damaged=True)
    assert [each.path for each in lost] == ["pipeline/load_csv.json"]
    assert rows(tmp_path / "again") == rows(factory)


def test_nothing_is_restored_over_anything(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    before = content(factory)
    with pytest.raises(Conflict, match="is not empty"):
        restore(Repository(tmp_path / "backups"), made, factory, silent)
    assert content(factory) == before


def test_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "backups")
    (tmp_path / "x").write_text("x")
    kept = repository.keep("../outside.txt", tmp_path / "x")
    backup = repository.note("evil", [kept], [])
    with pytest.raises(NotAllowed, match="outside of its folder"):
        restore(repository, backup, tmp_path / "again", silent)
    assert not (tmp_path / "outside.txt").exists()


def test_a_factory_keeps_its_name_in_another_folder_and_with_it_its_cursors(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    repository = Repository(tmp_path / "backups")
    restore(repository, made, tmp_path / "again", silent)
    assert Factory.open(tmp_path / "again").definitions.name == Factory.open(factory).definitions.name == "factory"
    restore(repository, made, tmp_path / "elsewhere" / "factory", silent)
    assert not (tmp_path / "elsewhere" / "factory" / "factory").exists()


def test_old_backups_are_forgotten_and_their_pieces_with_them(factory: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "backups")
    make(factory, tmp_path / "backups")
    (factory / "pipeline" / "load_csv.json").write_text("{}")
    kept = make(factory, tmp_path / "backups")
    for path in (tmp_path / "backups" / "objects").rglob("*"):
        os.utime(path, (0, 0))
    gone, pieces = repository.prune(1)
    assert (gone, pieces >= 1) == (1, True)
    assert [each.id for each in repository.backups()] == [kept.id]
    assert check(repository, [kept], silent) == []


def test_a_damaged_backup_does_not_count_when_old_ones_are_forgotten(factory: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "backups")
    make(factory, tmp_path / "backups")
    (factory / "pipeline" / "load_csv.json").write_text("{}")
    whole = make(factory, tmp_path / "backups")
    (factory / "pipeline" / "load_csv.json").write_text("[]")
    damaged = make(factory, tmp_path / "backups")
    damage(tmp_path / "backups", damaged, "load_csv.json")
    assert repository.prune(2)[0] == 0
    assert repository.prune(1)[0] == 1
    assert [each.id for each in repository.backups()] == [whole.id, damaged.id]


def test_a_new_backup_mends_a_damaged_piece_of_an_older_one(factory: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "backups")
    made = make(factory, tmp_path / "backups")
    damage(tmp_path / "backups", made, "load_csv.json")
    assert len(check(repository, [made], silent)) == 1
    again = make(factory, tmp_path / "backups")
    assert check(repository, [made, again], silent) == []


def damage(repository: Path, backup: Backup, file_name: str) -> None:
    """Change the first piece of a file of a backup."""
    file = next(file for file in backup.files if file.path.endswith(file_name))
    piece = repository / "objects" / file.pieces[0][:2] / file.pieces[0]
    piece.write_bytes(piece.read_bytes()[:-3] + b"xxx")


@pytest.mark.parametrize(
    ("at", "error", "message"),
    [
        ("1999-01-01", NotFound, "There is no backup up to '1999-01-01'"),
        ("yesterday", WrongDefinition, "neither a backup nor a moment"),
    ],
)
def test_a_backup_that_is_not_there_is_told(
    factory: Path, tmp_path: Path, at: str, error: type[ManaraError], message: str
) -> None:
    make(factory, tmp_path / "backups")
    with pytest.raises(error, match=message):
        Repository(tmp_path / "backups").find(at)


def test_a_backup_of_a_newer_manara_is_refused(factory: Path, tmp_path: Path) -> None:
    made = make(factory, tmp_path / "backups")
    manifest = tmp_path / "backups" / "backups" / f"{made.id}.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(WrongDefinition, match="by a newer Manara"):
        Repository(tmp_path / "backups").find()


def test_a_repository_inside_the_factory_does_not_hold_itself(factory: Path) -> None:
    make(factory, factory / "backups")
    second = make(factory, factory / "backups")
    assert not any(file.path.startswith("backups/") for file in second.files)


def test_an_empty_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    kept: Kept = Repository(tmp_path / "backups").keep("empty", tmp_path / "empty")
    Repository(tmp_path / "backups").restore(kept, tmp_path / "out")
    assert (tmp_path / "out" / "empty").read_bytes() == b""
