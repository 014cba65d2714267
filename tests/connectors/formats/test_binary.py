import pytest
from tests.plugin_given import Place, csv, files

from manara.errors import Conflict, WrongDefinition


def test_files_arrive_byte_by_byte_with_their_folders(place: Place) -> None:
    content = bytes(range(256)) * 20_000
    place.write("in/a.bin", content)
    place.write("in/deep/empty", b"")
    output = place.copy(files("Binary", "in/"), files("Binary", "raw/"))
    assert (place.folder / "raw/a.bin").read_bytes() == content
    assert (place.folder / "raw/deep/empty").read_bytes() == b""
    assert (output["filesRead"], output["filesWritten"], output["dataWritten"]) == (2, 2, len(content))
    assert "rowsRead" not in output


def test_a_flat_copy_keeps_names_only(place: Place) -> None:
    place.write("in/deep/a.bin", b"1")
    flat = {"storeSettings": {"copyBehavior": "FlattenHierarchy"}}
    place.copy(files("Binary", "in/"), files("Binary", "raw/"), sink_settings=flat)
    assert (place.folder / "raw/a.bin").read_bytes() == b"1"


def test_two_files_of_one_name_do_not_become_one(place: Place) -> None:
    place.write("in/x/a.bin", b"1")
    place.write("in/y/a.bin", b"2")
    flat = {"storeSettings": {"copyBehavior": "FlattenHierarchy"}}
    with pytest.raises(Conflict, match=r"'y/a.bin' and 'x/a.bin' would both become 'raw/a.bin'"):
        place.copy(files("Binary", "in/"), files("Binary", "raw/"), sink_settings=flat)


def test_rows_are_no_bytes(place: Place) -> None:
    place.write("in.csv", "a\n1\n")
    with pytest.raises(WrongDefinition, match=r"Only Binary can be copied to Binary"):
        place.copy(csv("in.csv"), files("Binary", "raw/"))
