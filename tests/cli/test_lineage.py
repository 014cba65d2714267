import json
from pathlib import Path

import pytest
from tests.catalog.conftest import Told, told
from typer.testing import CliRunner

from manara.cli.main import cli

assert told


def said(told: Told, *words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "-f", str(told.factory.root)])
    assert result.exception is None, result.exception
    return " ".join(result.stdout.split())


def test_a_column_shows_what_it_is_made_from(told: Told) -> None:
    text = said(told, "lineage", "fact_stock_month.doses")
    assert "stock_month.doses as it is" in text
    assert "inbox/stock/*.json.value" in text


def test_a_row_leads_to_its_line(told: Told) -> None:
    text = said(told, "lineage", "fact_shipment_line.packs", "--row", "3")
    assert "inbox/shipment/shipments.xlsx, line 4" in text
    assert "1 line of source files." in text


def test_a_row_is_told_to_machines(told: Told) -> None:
    found = json.loads(said(told, "lineage", "fact_shipment_line.packs", "--row", "line_id=3", "--json"))
    assert [(one["file"], one["row"]) for one in found["lines"]] == [("inbox/shipment/shipments.xlsx", 3)]


def test_a_file_shows_what_it_touched(told: Told) -> None:
    text = said(told, "lineage", "inbox/stock/dataValueSets_202301.json", "--forward")
    assert "fact_stock_month" in text
    count = told.factory.query(
        "Warehouse", "select count(*) as n from data_value where _origin = 'dataValueSets_202301.json'"
    )
    assert f"data_value {count[0]['n']:,}" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lineage", "nothing"), "No run has read or written 'nothing'"),
        (("lineage", "fact_stock_month.openin"), "has no column 'openin'"),
        (("lineage", "fact_stock_month", "--row", "3"), "no single key"),
        (("lineage", "fact_stock_month", "--row", "a=1,b"), "'b' is no COLUMN=VALUE"),
    ],
)
def test_what_is_not_there_is_named(told: Told, words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(cli, [*words, "-f", str(told.factory.root)])
    assert message in str(result.exception)


def test_events_are_handed_on_once(told: Told, tmp_path: Path) -> None:
    first = json.loads(said(told, "lineage", "export", "--to", str(tmp_path / "e.jsonl"), "--json"))
    assert first["events"] > 100
    assert "Nothing is new" in said(told, "lineage", "export", "--to", str(tmp_path / "e.jsonl"))
