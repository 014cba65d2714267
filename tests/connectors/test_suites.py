"""Our connectors and datasets, under the suites that guests' go through too."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

import pyarrow as pa

from manara.testing.suites import DatabaseSuite, DatasetSuite, StoreSuite


class TestFileServer(StoreSuite):
    type = "FileServer"
    properties = {"host": "data/lake"}


class TestDuckDB(DatabaseSuite):
    type = "DuckDB"
    properties = {"path": "data/warehouse.duckdb"}


class TestDuckDBTable(DatasetSuite):
    type = "DuckDB"
    properties = {"path": "data/warehouse.duckdb"}
    dataset_type = "DuckDBTable"
    dataset_properties = {"table": "place"}
    sink = {"type": "DuckDBSink", "tableOption": "autoCreate"}


class _Files(DatasetSuite):
    type = "FileServer"
    properties = {"host": "data"}
    dataset_properties = {"location": {"type": "FileServerLocation", "folderPath": "in", "fileName": "place"}}


class TestParquet(_Files):
    dataset_type = "Parquet"
    rows = pa.table({"name": ["Kabul", None], "n": [1, 2], "at": pa.array([0, None], pa.timestamp("us"))})


class TestJson(_Files):
    dataset_type = "Json"


class TestDelimitedText(_Files):
    dataset_type = "DelimitedText"
    dataset_properties = {**_Files.dataset_properties, "firstRowAsHeader": True}
