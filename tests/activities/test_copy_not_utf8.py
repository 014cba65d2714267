from pathlib import Path

import pytest
from tests.plugin_given import Place, csv, files

from manara.errors import BadRows

CONTENT = b"id,name\n1,Bo\n2,K\xe9,x\n3,Lu\xe9\n4,\xc3\xa9\n5\n6,\xff\xfe,y\n7,Na\n"


@pytest.mark.parametrize(
    ("end", "more"),
    [(b"", []), (b'8,"Lea\n"\n', ["Lea\n"]), (b'8,"' + b"x" * (5 << 20) + b'"\n', ["x" * (5 << 20)])],
    ids=["cut", "line end", "long"],
)
def test_rows_that_are_not_utf8_cost_themselves_and_not_the_file_even_where_they_are_ragged(
    tmp_path: Path, end: bytes, more: list[str]
) -> None:
    place = Place(folder=tmp_path)
    place.write("a.csv", CONTENT + end)
    told = place.copy(csv("a.csv"), files("Parquet", "out.parquet"), enableSkipIncompatibleRow=True)
    assert (told["rowsRead"], told["rowsCopied"], told["rowsSkipped"]) == (7 + len(more), 3 + len(more), 4)
    assert [(row["row"], row["text"], row["reason"]) for row in told["skippedRows"]] == [
        (2, r"2,K\xe9,x", "it has 3 values, and 2 are expected"),
        (3, r"3,Lu\xe9", "it is not written in utf-8"),
        (5, "5", "it has 1 value, and 2 are expected"),
        (6, r"6,\xff\xfe,y", "it has 3 values, and 2 are expected"),
    ]
    assert [row["name"] for row in place.rows("out.parquet")] == ["Bo", "é", "Na", *more]


def test_a_strict_copy_names_the_first_of_them(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    place.write("a.csv", CONTENT)
    with pytest.raises(BadRows, match=r"Row 2 \(line 3\) cannot be read: it has 3 values, and 2 are expected"):
        place.copy(csv("a.csv"), files("Parquet", "out.parquet"))


def test_a_good_row_with_a_private_character_stays_good_beside_a_broken_one(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    place.write("a.csv", "id,name\n1,\uf7e9\n".encode() + b"2,K\xe9\n")
    told = place.copy(csv("a.csv"), files("Parquet", "out.parquet"), enableSkipIncompatibleRow=True)
    assert [row["text"] for row in told["skippedRows"]] == [r"2,K\xe9"]
    assert [row["name"] for row in place.rows("out.parquet")] == ["\uf7e9"]
