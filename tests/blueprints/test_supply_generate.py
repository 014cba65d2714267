"""The made sources: the same for a seed, with the faults that are said to be in them."""

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.blueprints.by_hand import rows_of
from tests.blueprints.conftest import SMALL

from manara.blueprints.supply.faults import FAULTS
from manara.blueprints.supply.generate import generate, generate_month, read_planted


def make(folder: Path, seed: int) -> dict[str, bytes]:
    """Return the bytes of every file that the seed gives."""
    generate(folder, seed, **SMALL, ledgers=2, shipments=120)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("inbox/*/*")}


def test_the_same_seed_gives_the_same_data(tmp_path: Path) -> None:
    assert make(tmp_path / "one", 3) == make(tmp_path / "two", 3)


def test_another_seed_gives_other_data_in_the_same_files(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one", 3), make(tmp_path / "two", 4)
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)


def test_every_kind_of_fault_is_planted_and_written_down(tmp_path: Path) -> None:
    planted = generate(tmp_path, 3, **SMALL, ledgers=2, shipments=120)
    assert read_planted(tmp_path / "planted.json") == planted
    assert json.loads((tmp_path / "planted.json").read_text("utf-8"))["counts"] == planted.counts()
    assert list(planted.counts()) == list(FAULTS)
    assert min(planted.counts().values()) > 0


def test_no_report_has_two_faults(tmp_path: Path) -> None:
    planted = generate(tmp_path, 3, **SMALL, ledgers=2, shipments=120)
    reports = Counter((fault.file, fault.row.split(" of ")[1]) for fault in planted.faults if " of " in fault.row)
    assert set(reports.values()) == {1}


def test_a_month_more_goes_on_where_the_others_end(tmp_path: Path) -> None:
    generate(tmp_path, 3, **SMALL, ledgers=2, shipments=120)
    names = sorted(path.name for path in (tmp_path / "inbox" / "stock").iterdir())
    more = generate_month(tmp_path, 3, SMALL["months"] + 1, **SMALL)
    assert more.name == "dataValueSets_202304.json"
    assert names == [f"dataValueSets_20230{month}.json" for month in (1, 2, 3)]
    last, new = (closing(tmp_path / "inbox" / "stock" / names[-1], "CLOSING"), closing(more, "OPENING"))
    both = last.keys() & new.keys()
    assert sum(last[key] == new[key] for key in both) > len(both) * 0.8


def closing(path: Path, measure: str) -> dict[tuple[str, str], str]:
    """Return a measure by who stored it and the item; the name varies from month to month."""
    rows = [row for row in rows_of(path) if row["dataElement"].endswith(f"_{measure}")]
    return {(row["storedBy"], row["dataElement"].split("_")[0]): row["value"] for row in rows}


@pytest.mark.parametrize("text", ["Freight Included in Commodity Cost", "Invoiced Separately", "See "])
def test_the_shipment_list_has_texts_in_number_columns(tmp_path: Path, text: str) -> None:
    generate(tmp_path, 3, **SMALL, ledgers=2, shipments=120)
    rows = rows_of(tmp_path / "inbox" / "shipment" / "shipments.xlsx")
    assert any(row["freight cost (usd)"].startswith(text) for row in rows)
