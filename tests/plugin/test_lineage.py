from typing import Any

import pytest

from manara.plugin.activity import Given
from manara.plugin.connection import Mark
from manara.plugin.lineage import Asset, From, Lineage, asset_of, read_lineage, table_asset

FILE, TABLE = Asset(namespace="Lake", name="raw/stock.csv"), Asset(namespace="Warehouse", name="stock")


def given(properties: dict[str, Any]) -> Given:
    def nothing(*_: Any) -> Any:
        raise AssertionError("nothing else is asked")

    definition = {"name": "d", "properties": {"linkedServiceName": {"referenceName": "Lake"}, **properties}}
    return Given(
        name="a", properties={}, inputs=(), outputs=(), linked_service=None,
        mark=Mark(run_id="r", step="a", attempt=1), dataset=nothing, connect=nothing, text=nothing, report=nothing,
        describe=lambda _kind, _reference: definition,
    )  # fmt: skip


def test_lineage_is_read_as_it_was_told() -> None:
    lineage = Lineage(
        inputs=(FILE,),
        outputs=(TABLE,),
        columns={
            TABLE: {"quantity": (From(asset=FILE, column="qty"), From(asset=FILE, column="pack", how="AGGREGATION"))}
        },
    )
    assert read_lineage({"rowsRead": 1, **lineage.told()}) == lineage


def test_an_output_without_lineage_tells_none() -> None:
    assert read_lineage({"rowsRead": 1}) is None


@pytest.mark.parametrize(
    ("properties", "files", "names"),
    [
        ({"location": {"folderPath": "raw/2024", "fileName": "a.csv"}}, [], ["raw/2024/a.csv"]),
        ({"location": {"container": "lake", "folderPath": "raw/"}}, [], ["lake/raw"]),
        ({"location": {"container": "lake", "folderPath": "raw"}}, ["x.csv", "b/y.csv"], ["lake/raw/x.csv", "lake/raw/b/y.csv"]),  # noqa: E501
        ({"folderPath": "in", "fileName": "a.csv"}, [], ["in/a.csv"]),
        ({"schema": "dbo", "table": "stock"}, [], ["stock"]),
        ({"schema": "hr", "table": "person"}, [], ["hr.person"]),
        ({"tableName": "dbo.stock"}, [], ["stock"]),
        ({}, [], ["d1"]),
    ],
)  # fmt: skip
def test_an_asset_is_named_as_the_factory_names_it(
    properties: dict[str, Any], files: list[str], names: list[str]
) -> None:
    found = asset_of(given({"typeProperties": properties}), {"referenceName": "d1"}, files)
    assert [asset.name for asset in found] == names
    assert {asset.namespace for asset in found} == {"Lake"}


def test_a_table_of_the_usual_schema_goes_by_its_name() -> None:
    assert table_asset("W", "main", "stock").name == "stock"
    assert table_asset("W", "hr", "person").name == "hr.person"
