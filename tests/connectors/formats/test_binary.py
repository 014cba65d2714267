import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Place, csv, files

from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import Tally

CONTENT = bytes(range(256)) * 2_000


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sink(behaviour: str) -> dict[str, Any]:
    return {"storeSettings": {"copyBehavior": behaviour}}


def test_files_arrive_byte_by_byte_with_their_folders(place: Place) -> None:
    place.write("in/a.bin", CONTENT)
    place.write("in/deep/empty", b"")
    output = place.copy(files("Binary", "in/"), files("Binary", "raw/"))
    assert _tree(place.folder / "raw") == {"a.bin": CONTENT, "deep/empty": b""}
    assert (output["filesRead"], output["filesWritten"], output["dataWritten"]) == (2, 2, len(CONTENT))
    assert output["dataRead"] == len(CONTENT)
    assert "rowsRead" not in output


@pytest.mark.parametrize("at_a_time", [1, 16])
def test_many_files_arrive_whole_however_many_at_a_time(place: Place, at_a_time: int) -> None:
    wanted = {f"{number % 7}/{number}": b"%d" % number * (number % 50) for number in range(200)}
    for path, content in wanted.items():
        place.write(f"in/{path}", content)
    output = place.copy(files("Binary", "in/"), files("Binary", "out/"), parallelCopies=at_a_time)
    assert _tree(place.folder / "out") == wanted
    assert output["filesWritten"] == 200
    assert output["dataWritten"] == sum(map(len, wanted.values()))


def test_a_flat_copy_keeps_names_and_tells_the_same_apart_by_their_paths(place: Place) -> None:
    for path in ("x/a.bin", "y/a.bin", "z/b.bin"):
        place.write(f"in/{path}", path)
    for _ in range(2):
        place.copy(files("Binary", "in/"), files("Binary", "raw/"), sink_settings=_sink("FlattenHierarchy"))
    found = _tree(place.folder / "raw")
    assert sorted(found.values()) == [b"x/a.bin", b"y/a.bin", b"z/b.bin"]
    assert "b.bin" in found


def test_merged_files_are_one_behind_the_other(place: Place) -> None:
    for path in ("a", "b", "deep/c"):
        place.write(f"in/{path}", path)
    place.copy(files("Binary", "in/"), files("Binary", "raw/all.bin"), sink_settings=_sink("MergeFiles"))
    place.copy(files("Binary", "in/"), files("Binary", "other/"), sink_settings=_sink("MergeFiles"))
    assert _tree(place.folder / "raw") == {"all.bin": b"abdeep/c"}
    assert list(_tree(place.folder / "other").values()) == [b"abdeep/c"]


def test_several_files_do_not_become_one_by_chance(place: Place) -> None:
    place.write("in/a.bin", b"1")
    place.write("in/b.bin", b"2")
    with pytest.raises(Conflict, match=r"'b.bin' and 'a.bin' would both become 'raw/one.bin'"):
        place.copy(files("Binary", "in/"), files("Binary", "raw/one.bin"))


def test_rows_are_no_bytes(place: Place) -> None:
    place.write("in.csv", "a\n1\n")
    with pytest.raises(WrongDefinition, match=r"Only Binary can be copied to Binary"):
        place.copy(csv("in.csv"), files("Binary", "raw/"))


CODECS = {"gzip": ".gz", "bzip2": ".bz2", "deflate": ".deflate", "snappy": ".snappy", "lz4": ".lz4", "zstd": ".zst"}


@pytest.mark.parametrize("codec", [*CODECS, "ZipDeflate", "Tar", "TarGZip"])
@pytest.mark.parametrize("level", ["Fastest", "Optimal"])
def test_packed_and_unpacked_again_it_is_the_same(place: Place, codec: str, level: str) -> None:
    wanted = {"a.bin": CONTENT, "deep/b.bin": b"", "deep/c.bin": b"c"}
    for path, content in wanted.items():
        place.write(f"in/{path}", content)
    packed = files("Binary", "packed/", compression={"type": codec, "level": level})
    place.copy(files("Binary", "in/"), packed)
    assert set(_tree(place.folder / "packed")).isdisjoint(wanted)
    unfold = {"formatSettings": {"compressionProperties": {"preserveZipFileNameAsFolder": False}}}
    place.copy(packed, files("Binary", "back/"), source_settings=unfold)
    assert _tree(place.folder / "back") == wanted


@pytest.mark.parametrize(
    ("codec", "unpack"),
    [("gzip", gzip.decompress), ("bzip2", bz2.decompress), ("deflate", lambda data: zlib.decompress(data, -15))],
)
def test_foreign_tools_unpack_what_is_packed(place: Place, codec: str, unpack: Any) -> None:
    place.write("in/a", CONTENT)
    place.copy(files("Binary", "in/"), files("Binary", "out/", compression={"type": codec}))
    assert unpack((place.folder / f"out/a{CODECS[codec]}").read_bytes()) == CONTENT


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _tar(members: dict[str, bytes], mode: Any = "w", link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo("link")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return out.getvalue()


MEMBERS = {"b.csv": b"n\n2\n", "a.csv": b"n\n1\n", "deep/c.csv": CONTENT}
ARCHIVES = {
    "ZipDeflate": ("x.zip", _zip(MEMBERS)),
    "Tar": ("x.tar", _tar(MEMBERS)),
    "TarGZip": ("x.tar.gz", _tar(MEMBERS, "w:gz")),
}


@pytest.mark.parametrize("codec", ARCHIVES)
@pytest.mark.parametrize("keeps", [True, False])
def test_the_files_of_an_archive_arrive_in_a_folder_of_its_name_unless_told(
    place: Place, codec: str, keeps: bool
) -> None:
    name, content = ARCHIVES[codec]
    place.write(f"in/{name}", content)
    option = "preserveZipFileNameAsFolder" if codec == "ZipDeflate" else "preserveCompressionFileNameAsFolder"
    told = {"formatSettings": {"compressionProperties": {option: keeps}}}
    source = files("Binary", "in/", compression={"type": codec})
    output = place.copy(source, files("Binary", "out/"), source_settings=told)
    folder = f"{name}/" if keeps else ""
    assert _tree(place.folder / "out") == {f"{folder}{path}": data for path, data in MEMBERS.items()}
    assert output["filesRead"] == 3


@pytest.mark.parametrize("codec", ARCHIVES)
def test_rows_are_read_from_the_files_of_an_archive(place: Place, codec: str) -> None:
    name, _ = ARCHIVES[codec]
    small = {"a.csv": b"n\n1\n", "b.csv": b"n\n2\n"}
    content = {"ZipDeflate": _zip(small), "Tar": _tar(small), "TarGZip": _tar(small, "w:gz")}[codec]
    place.write(name, content)
    assert place.read(csv(name, compressionCodec=codec)).to_pylist() == [{"n": "1"}, {"n": "2"}]


def test_many_files_become_one_archive_with_a_name(place: Place) -> None:
    for path, content in MEMBERS.items():
        place.write(f"in/{path}", content)
    place.copy(files("Binary", "in/"), files("Binary", "out/all.zip", compression={"type": "ZipDeflate"}))
    with zipfile.ZipFile(place.folder / "out/all.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def _locked() -> bytes:
    data = bytearray(_zip({"a": b"1"}))
    for place in (6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    return bytes(data)


def _damaged() -> bytes:
    data = bytearray(_zip({"a": CONTENT}))
    data[200:202] = b"\xff\x00"
    return bytes(data)


@pytest.mark.parametrize(
    ("codec", "content", "error", "says"),
    [
        ("ZipDeflate", _zip({"../evil": b"1"}), NotAllowed, "'../evil', which would leave the folder"),
        ("ZipDeflate", _zip({"/etc/evil": b"1"}), NotAllowed, "would leave the folder"),
        ("ZipDeflate", _zip({"..\\evil": b"1"}), NotAllowed, "would leave the folder"),
        ("ZipDeflate", _locked(), WrongDefinition, "has a password"),
        ("ZipDeflate", _damaged(), BadRows, "holds 'a', which is broken"),
        ("ZipDeflate", _zip({"a": CONTENT})[:-30], BadRows, "no whole archive"),
        ("ZipDeflate", b"", BadRows, "no whole archive"),
        ("Tar", _tar({"../evil": b"1"}), NotAllowed, "would leave the folder"),
        ("Tar", _tar({}, link="/etc/passwd"), NotAllowed, "a link to '/etc/passwd'"),
        ("Tar", _tar({"a": CONTENT})[:9000], BadRows, "no whole archive"),
        ("TarGZip", _tar({"a": CONTENT}, "w:gz")[:900], BadRows, "no whole archive"),
        ("gzip", gzip.compress(CONTENT)[:-9], BadRows, "cut off"),
        ("zstd", b"nothing of that kind", BadRows, "no whole zstd file"),
    ],
)
def test_a_broken_or_evil_archive_is_told_and_leaves_nothing(
    place: Place, codec: str, content: bytes, error: type[ManaraError], says: str
) -> None:
    place.write("in/x", content)
    with pytest.raises(error, match=says.replace(".", r"\.")):
        place.copy(files("Binary", "in/", compression={"type": codec}), files("Binary", "out/"))
    assert not (place.folder / "out").exists() or not _tree(place.folder / "out")
    assert not (place.folder / "evil").exists()


def test_an_archive_that_grows_without_end_passes_in_pieces(place: Place) -> None:
    size = 64 << 20
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb", "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    place.write("bomb.zip", out.getvalue())
    rows = place.dataset(files("Binary", "bomb.zip", compression={"type": "ZipDeflate"})).read({}, Tally())
    largest = total = 0
    for batch in rows:
        largest, total = max(largest, batch.nbytes), total + batch.nbytes
    assert total >= size
    assert largest < 9 << 20


MOVED = {"storeSettings": {"recursive": True, "deleteFilesAfterCompletion": True}}


def test_moved_files_are_gone_once_they_are_copied_and_again_is_fine(place: Place) -> None:
    place.write("in/a", b"1")
    place.write("in/deep/b", b"2")
    place.copy(files("Binary", "in/"), files("Binary", "out/"), source_settings=MOVED)
    again = place.copy(files("Binary", "in/"), files("Binary", "out/"), source_settings=MOVED)
    assert _tree(place.folder / "in") == {}
    assert _tree(place.folder / "out") == {"a": b"1", "deep/b": b"2"}
    assert again["filesWritten"] == 0


@pytest.mark.parametrize("behaviour", ["PreserveHierarchy", "FlattenHierarchy"])
def test_a_move_that_was_stopped_half_way_loses_nothing(place: Place, behaviour: str) -> None:
    for path in ("x/a", "y/a"):
        place.write(f"in/{path}", path)
    source, sink = files("Binary", "in/"), files("Binary", "out/")
    tally = Tally()
    rows = place.dataset(source).read(MOVED, tally)
    place.dataset(sink).write(_sink(behaviour), rows, Mark(run_id="r", step="s", attempt=1), Tally())
    tally.afterwards[0]()
    place.copy(source, sink, source_settings=MOVED, sink_settings=_sink(behaviour))
    assert _tree(place.folder / "in") == {}
    assert sorted(_tree(place.folder / "out").values()) == [b"x/a", b"y/a"]


def test_a_file_that_was_written_again_meanwhile_is_not_deleted(place: Place) -> None:
    place.write("in/a", b"1")
    tally = Tally()
    place.dataset(files("Binary", "in/")).read(MOVED, tally).read_all()
    place.write("in/a", b"longer")
    for work in tally.afterwards:
        work()
    assert _tree(place.folder / "in") == {"a": b"longer"}


def test_files_that_become_one_are_not_deleted(place: Place) -> None:
    place.write("in/a", b"1")
    with pytest.raises(WrongDefinition, match=r"cannot be deleted afterwards"):
        place.copy(files("Binary", "in/"), files("Binary", "out/"), source_settings=MOVED,
                   sink_settings=_sink("MergeFiles"))  # fmt: skip
    assert _tree(place.folder) == {"in/a": b"1"}


def test_the_files_of_rows_are_not_deleted(place: Place) -> None:
    place.write("in/a.csv", b"n\n1\n")
    with pytest.raises(WrongDefinition, match=r"deleteFilesAfterCompletion is for copies from Binary to Binary"):
        place.copy(csv("in/"), csv("out.csv"), source_settings=MOVED)
    assert (place.folder / "in/a.csv").exists()


def test_a_file_that_vanishes_may_be_left_out(place: Place) -> None:
    place.write("in/a", b"1")
    place.write("in/b", b"2")
    left: list[str] = []
    tally = Tally(leave_out=lambda file, _error: left.append(file))
    rows = place.dataset(files("Binary", "in/")).read({}, tally)
    (place.folder / "in/a").unlink()
    assert [row["path"] for row in rows.read_all().to_pylist()] == ["b"]
    assert left == ["in/a"]


def test_nothing_to_copy_is_told(place: Place) -> None:
    with pytest.raises(SourceMissing):
        place.copy(files("Binary", "in/"), files("Binary", "out/"))
