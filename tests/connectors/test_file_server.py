import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manara.connectors.file_server import FolderStore, disk_error
from manara.errors import ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import CONNECTORS, LinkedServiceGiven, Store


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_host_is_a_folder_of_the_factory(tmp_path: Path) -> None:
    given = LinkedServiceGiven(name="Lake", type="FileServer", properties={"host": "data/lake"}, root=tmp_path)
    store = CONNECTORS.find("FileServer")(given)
    assert isinstance(store, Store)
    with store.create("in/a.txt") as file:
        file.write(b"1")
    assert (tmp_path / "data/lake/in/a.txt").read_bytes() == b"1"


def test_a_host_is_needed(tmp_path: Path) -> None:
    given = LinkedServiceGiven(name="Lake", type="FileServer", properties={}, root=tmp_path)
    with pytest.raises(WrongDefinition, match=r"linked service 'Lake'"):
        CONNECTORS.find("FileServer")(given)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    store = FolderStore(root=tmp_path)
    (tmp_path / "a.txt").write_text("old")
    writing = store.create("a.txt")
    file = writing.__enter__()
    file.write(b"half")
    file.flush()
    assert [info.name for info in store.list("")] == ["a.txt"]
    writing.__exit__(ValueError, ValueError("stop"), None)
    assert _names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_what_a_killed_process_left_is_not_listed_and_swept_after_a_day(tmp_path: Path) -> None:
    store = FolderStore(root=tmp_path)
    old, new = tmp_path / ".manara-unfinished-1", tmp_path / ".manara-unfinished-2"
    for left in (old, new):
        left.write_text("half")
    os.utime(old, (0, 0))
    assert store.list("") == []
    with store.create("a.txt"):
        pass
    assert _names(tmp_path) == [new.name, "a.txt"]


@pytest.mark.parametrize("path", ["../a", "in/../../a", "..\\a", "link/secret", "file"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside/secret")
    with pytest.raises(NotAllowed):
        FolderStore(root=root).open(path)


def test_links_of_files_are_followed_when_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "secret")
    with FolderStore(root=root, follow_links=True).open("file") as file:
        assert file.read() == b"x"


def test_what_is_missing_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").touch()
    store = FolderStore(root=tmp_path)
    assert store.info("no/such") is None
    with pytest.raises(SourceMissing, match=r"no file 'stok.csv'. In .* there is: stock.csv"):
        store.open("stok.csv")
    with pytest.raises(SourceMissing, match=r"no folder 'in'"):
        store.list("in")


def test_deleting_takes_a_folder_with_all_it_holds(tmp_path: Path) -> None:
    store = FolderStore(root=tmp_path)
    with store.create("in/deep/a.txt"):
        pass
    store.delete("in")
    store.delete("in")
    assert store.list("") == []
    with pytest.raises(NotAllowed):
        store.delete("")


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(errno.ENOSPC, ManaraError, "UserErrorDiskFull"), (errno.EIO, Transient, "Transient")],
)
def test_what_the_disk_says_is_told(number: int, kind: type[ManaraError], code: str) -> None:
    error = disk_error(OSError(number, os.strerror(number)), "out/a.csv")
    assert isinstance(error, kind)
    assert error.error_code == code
    assert "out/a.csv" in str(error)


def _fill(store: FolderStore) -> None:
    with store.create("a.txt") as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ManaraError, match=r"The disk is full: 'a.txt' could not be written"):
        _fill(FolderStore(root=tmp_path))
    assert _names(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_not_allowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotAllowed, match=r"may not reach 'a.txt'"), FolderStore(root=tmp_path).create("a.txt"):
        pass


@pytest.mark.parametrize("host", ["C:\\data", "d:/data", "\\\\server\\share", "//server/share", "file:///C:/data"])
def test_a_place_of_windows_is_told_with_what_to_write_instead(tmp_path: Path, host: str) -> None:
    secret = {"userId": "ann", "password": {"type": "SecureString", "value": "swordfish"}}
    given = LinkedServiceGiven(name="Share", type="FileServer", properties={"host": host, **secret}, root=tmp_path)
    with pytest.raises(WrongDefinition, match=r"local/linkedService/Share.json") as raised:
        CONNECTORS.find("FileServer")(given)
    assert "swordfish" not in str(raised.value)


def test_a_host_may_be_an_address_of_this_machine(tmp_path: Path) -> None:
    properties = {"host": f"file://{tmp_path}/in", "userId": "ann", "password": "swordfish"}
    given = LinkedServiceGiven(name="Share", type="FileServer", properties=properties, root=tmp_path)
    store = CONNECTORS.find("FileServer")(given)
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / "in"
    assert "swordfish" not in repr(store)


def test_files_made_in_bulk_are_there_when_the_block_ends(tmp_path: Path) -> None:
    with FolderStore(root=tmp_path).bulk() as store:
        for name in ("a", "deep/b"):
            with store.create(name) as file:
                file.write(b"1")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a", "b"}


def _linked(tmp_path: Path) -> FolderStore:
    """Return a store with links that leave it, and others."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/secret").write_text("secret")
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    (root / "plain").write_text("plain")
    (root / "inside").symlink_to(root / "plain")
    (root / "file").symlink_to(tmp_path / "out/secret")
    (root / "folder").symlink_to(tmp_path / "out")
    os.mkfifo(root / "pipe")
    return FolderStore(root=root)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("plain", b"plain"),
        ("inside", b"plain"),
        ("deep/../plain", NotAllowed),
        ("file", NotAllowed),
        ("folder/secret", NotAllowed),
        ("../out/secret", NotAllowed),
        ("deep", SourceMissing),
        ("pipe", SourceMissing),
        ("plain/file", SourceMissing),
        ("absent", SourceMissing),
        ("absent/file", SourceMissing),
        ("zero\0", NotAllowed),
    ],
)
def test_many_files_are_read_as_one_is(tmp_path: Path, path: str, found: bytes | type[ManaraError]) -> None:
    alone = _linked(tmp_path)
    with alone.bulk() as many:
        for store in (alone, many):
            if isinstance(found, bytes):
                with store.open(path) as file:
                    assert file.read() == found
            else:
                with pytest.raises(found):
                    store.open(path)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("plain", None),
        ("inside", None),
        ("new/deeper/file", None),
        ("file", NotAllowed),
        ("folder/new", NotAllowed),
        ("../out/new", NotAllowed),
        ("deep", WrongDefinition),
        ("plain/file", ManaraError),
    ],
)
def test_many_files_are_written_as_one_is(tmp_path: Path, path: str, error: type[ManaraError] | None) -> None:
    alone = _linked(tmp_path)
    with alone.bulk() as many:
        for store in (alone, many):
            if error is None:
                with store.create(path) as file:
                    file.write(b"new")
                assert (alone.root / path).read_bytes() == b"new"
                continue
            with pytest.raises(error), store.create(path) as file:
                file.write(b"new")
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["secret"]
    assert not list(tmp_path.rglob(".manara-*"))


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere_else(tmp_path: Path) -> None:
    store = FolderStore(root=tmp_path / "in")
    (tmp_path / "out").mkdir()
    with store.bulk() as many:
        with many.create("a/1"):
            pass
        (tmp_path / "in/a").rename(tmp_path / "in/b")
        (tmp_path / "in/a").symlink_to(tmp_path / "out")
        with many.create("a/2"):
            pass
    assert not list((tmp_path / "out").iterdir())
    assert {path.name for path in (tmp_path / "in/b").iterdir()} == {"1", "2"}


def test_a_file_of_many_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail(store: FolderStore) -> None:
        with store.create("a") as file:
            file.write(b"half")
            raise ValueError("no")

    with FolderStore(root=tmp_path).bulk() as store, pytest.raises(ValueError, match="no"):
        fail(store)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_folders_beyond_those_that_are_held_are_written_and_read_too(tmp_path: Path) -> None:
    names = [f"{folder}/{file}" for file in "ab" for folder in range(40)]
    with FolderStore(root=tmp_path).bulk() as store, ThreadPoolExecutor(8) as pool:

        def write(name: str) -> bytes:
            with store.create(name) as file:
                file.write(name.encode())
            with store.open(name) as read:
                return read.read()

        assert list(pool.map(write, names)) == [name.encode() for name in names]
