from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard
from tests.quality.conftest import Gate

from manara.app import Factory
from manara.quality.contract import read_contract
from manara.quality.propose import propose
from manara.table.profile import profile

REAL = Path(__file__).parents[3] / "shared" / "data"


def texts(columns: dict[str, list[str | None]]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


MADE: dict[str, list[str | None]] = {
    "ID": ["1", "2", "3"],
    "Mother name": ["A", "B", None],
    "Weight (kg)": ["3.1", "2.9", "4"],
    "Seen on": ["31/01/2024", "01/02/2024", "15/02/2024"],
    "_row": ["x", "y", "z"],
    "it's: odd #": ["a", "b", "- c"],
}


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("supply/scms_delivery_history.csv.gz", "DelimitedText"),
        ("supply/olmis_facilities.csv", "DelimitedText"),
        ("nutrition/who_igrowup_golden_498.csv", "DelimitedText"),
        ("needs/fts_incoming_funding_afg.csv", "DelimitedText"),
    ],
)
def test_the_rows_of_a_real_file_keep_to_the_contract_that_they_propose(gate: Gate, file: str, kind: str) -> None:
    path = REAL / file
    if not path.is_file():
        pytest.skip("the real files are not at ../shared/data")
    properties: dict[str, Any] = {
        "location": {"type": "FileServerLocation", "fileName": path.name}, "columnDelimiter": ",",
        "firstRowAsHeader": True, "quoteChar": '"', "escapeChar": '"',
    }  # fmt: skip
    if path.name.endswith(".gz"):
        properties["compressionCodec"] = "gzip"
    rows = Factory.read_file(path.parent, kind, properties).read_all()
    text = propose(profile(rows.to_reader()), "real", path.name)
    contract = read_contract(text, "contract/real.yaml") if "primaryKey: true" in text else None
    if contract is None:
        pytest.skip("no few columns tell the rows apart")
    output = gate.take(text, rows)
    assert (output["rowsQuarantined"], output["rowsLoaded"]) == (0, rows.num_rows)


def test_a_proposal_is_a_contract_for_us_and_for_the_standard() -> None:
    text = propose(profile(texts(MADE).to_reader()), "child", "children.csv")
    contract = read_contract(text, "contract/child.yaml")
    assert [each.name for each in contract.properties] == [
        "id", "mother_name", "weight_kg", "seen_on", "c_row", "it_s_odd"
    ]  # fmt: skip
    assert contract.properties[1].classification == "restricted"
    assert contract.properties[3].formats == ["%d/%m/%Y"]
    assert OpenDataContractStandard.model_validate(yaml.safe_load(text)).version == "0.1.0"


def test_what_is_not_sure_is_said_and_left_open(gate: Gate) -> None:
    rows = texts({"id": ["1", "2"], "day": ["01/02/2024", "03/04/2024"]})
    text = propose(profile(rows.to_reader()), "t", "t.csv")
    assert "# The dates fit %d/%m/%Y and %m/%d/%Y: say which it is, as formats." in text
    assert gate.take(text, rows)["rowsQuarantined"] == 0


def test_rows_that_nothing_tells_apart_are_told() -> None:
    assert "# No few columns tell the rows apart" in propose(
        profile(texts({"a": ["1", "1"]}).to_reader()), "t", "t.csv"
    )
