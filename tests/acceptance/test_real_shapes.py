"""Factories in the shapes that public ones have, in small: written for Azure, run on folders and DuckDB."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from tests.factories import Json, act, pipeline, write
from tests.web_server import Asked, Reply, serving

from manara.app import Factory

SEALED = {"encryptedCredential": "ew0KICAiVmVyc2lvbiI6ICIy"}
CSV = {"columnDelimiter": ",", "escapeChar": "\\", "quoteChar": '"', "firstRowAsHeader": True}
CONVERTS = {"typeConversion": True, "typeConversionSettings": {"allowDataTruncation": True}}
READS = {"type": "AzureBlobFSReadSettings", "recursive": True, "enablePartitionDiscovery": False}
WRITES = {"type": "AzureBlobFSWriteSettings"}
TEXT = {"type": "DelimitedTextSource", "storeSettings": READS, "formatSettings": {"type": "DelimitedTextReadSettings"}}
TEXT_SINK = {"type": "DelimitedTextSink", "storeSettings": WRITES, "formatSettings": {"fileExtension": ".txt"}}
SQL_SINK = {"type": "AzureSqlSink", "tableOption": "autoCreate", "disableMetricsCollection": False}


def expression(text: str) -> Json:
    return {"value": text, "type": "Expression"}


def sql(query: str | Json) -> Json:
    more = {"queryTimeout": "02:00:00", "partitionOption": "None"}
    return {"type": "AzureSqlSource", "sqlReaderQuery": query, **more}


def data(name: str, **parameters: Any) -> Json:
    return {"referenceName": name, "type": "DatasetReference", "parameters": parameters}


def copy(name: str, source: Json, sink: Json, *way: Json, after: tuple[str, ...] = (), **more: Any) -> Json:
    settings = {"source": source, "sink": sink, "enableStaging": False, **more}
    return act(name, "Copy", after, inputs=[way[0]], outputs=[way[1]], **settings)


def lookup(name: str, source: Json, of: Json, **more: Any) -> Json:
    return act(name, "Lookup", source=source, dataset=of, **more)


def each(name: str, items: str, *inside: Json, after: str = "", **more: Any) -> Json:
    return act(name, "ForEach", [after] if after else [], items=expression(items), activities=list(inside), **more)


def procedure(name: str, called: str, after: str, **parameters: tuple[str, Any]) -> Json:
    told = {key: {"type": kind, "value": value} for key, (kind, value) in parameters.items()}
    service = {"referenceName": "Sql", "type": "LinkedServiceReference"}
    settings = {"storedProcedureName": called, "storedProcedureParameters": told}
    return act(name, "SqlServerStoredProcedure", [after], linkedServiceName=service, **settings)


class Place:
    """A factory written for Azure, with its stand-ins: folders, and a DuckDB file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._services()
        self._datasets()

    def run(self, *activities: Json, **properties: Any) -> None:
        write(self.root, "pipeline", "main", pipeline(*activities, **properties))
        factory = Factory.open(self.root)
        assert not factory.check()
        run = factory.run("main")
        assert run.status == "Succeeded", run.error

    def put(self, path: str, content: str | bytes) -> None:
        target = self.root / "data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def files(self, below: str) -> list[str]:
        folder = self.root / "data" / below
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def sql(self, statement: str, *values: Any) -> None:
        """Prepare the stand-in, before the first run opens it."""
        (self.root / "data").mkdir(exist_ok=True)
        with duckdb.connect(self.root / "data/sql.duckdb") as connection:
            connection.execute(statement, list(values))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in Factory.open(self.root).query("Sql", statement)]

    def answer(self, name: str, script: str) -> None:
        path = self.root / "local/procedure" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")

    def dataset(self, name: str, kind: str, service: str, parameters: str = "", **properties: Any) -> None:
        declared = {one: {"type": "string"} for one in parameters.split()}
        to = {"referenceName": service, "type": "LinkedServiceReference"}
        told = {"type": kind, "linkedServiceName": to, "parameters": declared, "typeProperties": properties}
        write(self.root, "dataset", name, {**told, "annotations": [], "schema": []})

    def _services(self) -> None:
        vault = {"referenceName": "Vault", "type": "LinkedServiceReference"}
        secret = {"type": "AzureKeyVaultSecret", "store": vault, "secretName": "lake"}
        published: dict[str, tuple[str, Json]] = {
            "Sql": ("AzureSqlDatabase", {"connectionString": "Data Source=far.example", **SEALED}),
            "Lake": ("AzureBlobFS", {"url": "https://far.example", **SEALED}),
            "Blob": ("AzureBlobStorage", {"connectionString": secret}),
            "Vault": ("AzureKeyVault", {"baseUrl": "https://far.example"}),
            "Snow": ("SnowflakeV2", {"accountIdentifier": "far", **SEALED}),
        }
        for name, (kind, told) in published.items():
            write(self.root, "linkedService", name, {"type": kind, "annotations": [], "typeProperties": told})
        for name in ("Sql", "Snow"):
            stand_in = {"type": "DuckDB", "typeProperties": {"path": "data/sql.duckdb"}}
            write(self.root, "local/linkedService", name, stand_in)
        for name in ("Lake", "Blob"):
            folder = {"type": "FileServer", "typeProperties": {"host": f"data/{name.lower()}"}}
            write(self.root, "local/linkedService", name, folder)

    def _datasets(self) -> None:
        location = {"type": "AzureBlobFSLocation", "fileSystem": "raw", "folderPath": expression("@dataset().folder")}
        file = {**location, "fileName": expression("@dataset().file")}
        self.dataset("Query", "AzureSqlTable", "Sql")
        table = "[@{dataset().schema}].[@{dataset().table}]"
        self.dataset("Table", "AzureSqlTable", "Sql", "schema table", tableName=expression(table))
        self.dataset("Folder", "DelimitedText", "Lake", "folder", location=location, **CSV)
        self.dataset("File", "DelimitedText", "Lake", "folder file", location=file, **CSV)
        self.dataset("Raw", "Binary", "Lake", "folder file", location=file)
        self.dataset("Json", "Json", "Lake", "folder file", location=file)
        self.dataset("Parquet", "Parquet", "Lake", "folder file", location=file, compressionCodec="snappy")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "factory")


def test_a_table_says_what_to_load_and_how(place: Place) -> None:
    mapping = {
        "type": "TabularTranslator",
        "mappings": [
            {"source": {"name": "Id", "type": "String"}, "sink": {"name": "item", "type": "Int64"}},
            {"source": {"name": "_file"}, "sink": {"name": "came_from"}},
        ],
    }
    place.sql("create schema etl; create table etl.done (task int, copied bigint, note varchar, fine boolean)")
    place.sql("create table etl.tasks (id int, folder varchar, skip int, target varchar, before varchar, how varchar)")
    before = "IF OBJECT_ID(N'stage.Items', N'U') IS NOT NULL TRUNCATE TABLE [stage].[Items]"
    place.sql("create schema stage; create table stage.Items (item bigint, came_from varchar)")
    place.sql("insert into stage.Items values (99, 'of yesterday')")
    place.sql("insert into etl.tasks values (1, 'items', 2, 'Items', ?, ?)", before, json.dumps(mapping))
    place.sql("insert into etl.tasks values (2, 'shops', 0, 'Shops', null, null)")
    place.put("lake/raw/items/a.csv", "some title\nof two lines\nId,More\n1,x\n2,y\n")
    place.put("lake/raw/items/b.csv", "t\nt\nId,More\n3,z\n")
    place.put("lake/raw/shops/c.csv", 'Shop,City\n1,"Aden, old"\n')
    place.answer(
        "etl.LogTask",
        "-- @Task int\n-- @Copied bigint\n-- @Note varchar\n-- @Fine boolean\n"
        "insert into etl.done values ($Task, $Copied, $Note, $Fine)",
    )
    settings = {**READS, "wildcardFolderPath": expression("@item().folder"), "wildcardFileName": "*.csv"}
    skips = {"type": "DelimitedTextReadSettings", "skipLineCount": expression("@item().skip")}
    source = {**TEXT, "storeSettings": settings, "formatSettings": skips}
    place.run(
        lookup("Tasks", sql("SELECT * FROM [etl].[tasks] WITH (NOLOCK)"), data("Query"), firstRowOnly=False),
        each(
            "Each",
            "@activity('Tasks').output.value",
            copy(
                "Load",
                {**source, "additionalColumns": [{"name": "_file", "value": "$$FILEPATH"}]},
                {**SQL_SINK, "preCopyScript": expression("@{item().before}")},
                data("Folder", folder=expression("@item().folder")),
                data("Table", schema="stage", table=expression("@item().target")),
                translator=expression("@if(empty(item().how), null, json(item().how))"),
            ),
            procedure(
                "Log",
                "[etl].[LogTask]",
                "Load",
                Task=("Int32", expression("@item().id")),
                Copied=("Int64", expression("@activity('Load').output.rowsCopied")),
                Note=("String", None),
                Fine=("Boolean", "true"),
            ),
            after="Tasks",
            batchCount="4",
        ),
    )
    assert place.rows("from stage.Items order by item") == [(1, "a.csv"), (2, "a.csv"), (3, "b.csv")]
    assert place.rows("from stage.Shops") == [("1", "Aden, old", "c.csv")]
    assert place.rows("from etl.done order by task") == [(1, 3, None, True), (2, 1, None, True)]


def test_a_watermark_moves_on_by_a_stored_procedure(place: Place) -> None:
    place.sql("create table sale (id int, changed timestamp); create table mark (name varchar, until timestamp)")
    place.sql("insert into mark values ('sale', '2024-01-01')")
    place.sql("insert into sale values (1, '2023-12-31'), (2, '2024-01-02 03:04:05.678'), (3, '2024-01-03')")
    place.answer("dbo.usp_mark", "-- @until timestamp\n-- @of varchar\nupdate mark set until = $until where name = $of")
    old, new = "activity('Old').output.firstRow.until", "activity('New').output.firstRow.Latest"
    query = f"select * from sale where changed > '@{{{old}}}' and changed <= '@{{{new}}}'"
    steps = [
        lookup("Old", sql("SELECT until FROM dbo.mark WHERE name = 'sale'"), data("Query")),
        lookup("New", sql("SELECT MAX(changed) AS Latest FROM dbo.sale"), data("Query")),
        copy(
            "Load",
            sql(expression(query)),
            TEXT_SINK,
            data("Query"),
            data("File", folder="sale", file=expression("@concat('sale-', pipeline().RunId, '.txt')")),
            after=("Old", "New"),
        ),
        procedure(
            "Mark",
            "[[dbo]].[[usp_mark]]",
            "Load",
            until=("DateTime", expression(f"@{{{new}}}")),
            of=("String", "sale"),
        ),
    ]
    place.run(*steps)
    more = "INSERT INTO dbo.sale VALUES (4, '2024-01-04')"
    service = {"referenceName": "Sql", "type": "LinkedServiceReference"}
    place.run(act("More", "Script", linkedServiceName=service, scripts=[{"type": "NonQuery", "text": more}]))
    place.run(*steps)
    loads = [pacsv.read_csv(place.root / "data/lake/raw/sale" / name) for name in place.files("lake/raw/sale")]
    assert sorted(load["id"].to_pylist() for load in loads) == [[2, 3], [4]]


def test_every_table_of_a_schema_goes_into_a_folder_of_its_own(place: Place) -> None:
    place.sql("create schema Shop; create table Shop.Item (id int, price decimal(9, 2), seen timestamp)")
    place.sql("create table Shop.Nothing (id int); create view Shop.Seen as select 1 as n")
    place.sql("insert into Shop.Item values (1, 2.50, '2024-01-01'), (2, null, null)")
    asked = (
        "SELECT s.name AS SchemaName,\r\nt.name AS TableName FROM sys.tables t\r\n"
        "INNER JOIN sys.schemas s ON t.schema_id = s.schema_id WHERE s.name = 'Shop'"
    )
    place.run(
        lookup("Tables", sql(asked), data("Query"), firstRowOnly=False),
        each(
            "Each",
            "@activity('Tables').output.value",
            copy(
                "Copy",
                sql(expression("@{concat('SELECT * FROM [', item().SchemaName, '].[', item().TableName, ']')}")),
                {"type": "ParquetSink", "storeSettings": WRITES, "formatSettings": {"type": "ParquetWriteSettings"}},
                data("Query"),
                data(
                    "Parquet",
                    folder=expression("@{item().SchemaName}/@{item().TableName}"),
                    file=expression("@{concat(item().TableName, '.parquet')}"),
                ),
            ),
            after="Tables",
        ),
    )
    assert place.files("lake/raw") == ["Shop/Item/Item.parquet", "Shop/Nothing/Nothing.parquet"]
    items = pq.read_table(place.root / "data/lake/raw/Shop/Item/Item.parquet")
    assert [row["id"] for row in items.to_pylist()] == [1, 2]
    assert [str(kind) for kind in items.schema.types] == ["int32", "decimal128(9, 2)", "timestamp[us]"]
    assert pq.read_table(place.root / "data/lake/raw/Shop/Nothing/Nothing.parquet").num_rows == 0


@pytest.fixture
def pages() -> Iterator[str]:
    """Gives the address of a service that tells six patients on three pages."""

    def answer(asked: Asked) -> Reply:
        page = int(parse_qs(urlsplit(asked.path).query).get("page", ["1"])[0])
        rows = [{"id": 10 * page + n, "stay": {"days": n}, "tags": ["a", n]} for n in range(2)]
        after = {"@odata.nextLink": f"{server.url}/patients?page={page + 1}"} if page < 3 else {}
        return Reply(json={"value": rows, **after})

    with serving(answer) as server:
        yield server.url


def test_answers_are_kept_as_they_came_and_loaded_from_there(place: Place, pages: str) -> None:
    rest = {"url": expression("@linkedService().base"), "authenticationType": "Anonymous"}
    parameters = {"base": {"type": "String"}}
    write(
        place.root, "linkedService", "Rest", {"type": "RestService", "parameters": parameters, "typeProperties": rest}
    )
    to = {"referenceName": "Rest", "type": "LinkedServiceReference", "parameters": {"base": pages}}
    told = {"type": "RestResource", "linkedServiceName": to, "typeProperties": {"relativeUrl": "patients"}}
    write(place.root, "dataset", "Patients", told)
    mapping = {
        "type": "TabularTranslator",
        "mappings": [
            {"source": {"path": "['id']"}, "sink": {"name": "Id", "type": "Int32"}},
            {"source": {"path": "['stay']['days']"}, "sink": {"name": "Days", "type": "Int32"}},
            {"source": {"path": "['tags']"}, "sink": {"name": "Tags", "type": "String"}},
        ],
        "collectionReference": "$['value']",
        "mapComplexValuesToString": True,
    }
    landed = data("Json", folder="rest", file="patients.json")
    place.run(
        copy(
            "Fetch",
            {
                "type": "RestSource",
                "httpRequestTimeout": "00:01:40",
                "requestInterval": "00.00:00:00.001",
                "paginationRules": {"supportRFC5988": "true", "AbsoluteUrl": "$['@odata.nextLink']"},
            },
            {"type": "JsonSink", "storeSettings": WRITES, "formatSettings": {"type": "JsonWriteSettings"}},
            data("Patients"),
            landed,
        ),
        copy(
            "Load",
            {"type": "JsonSource", "storeSettings": READS, "formatSettings": {"type": "JsonReadSettings"}},
            SQL_SINK,
            landed,
            data("Table", schema="dbo", table="Patient"),
            after=("Fetch",),
            translator=mapping,
        ),
    )
    lines = (place.root / "data/lake/raw/rest/patients.json").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["value"][1] == {"id": 11, "stay": {"days": 1}, "tags": ["a", 1]}
    expected = [(10 * page + n, n, f'["a",{n}]') for page in (1, 2, 3) for n in (0, 1)]
    assert place.rows("from Patient order by Id") == expected


def test_an_inbox_is_loaded_archived_and_emptied(place: Place) -> None:
    for name, text in {
        "x.csv": "k,v\n1,a\n2,b\n",
        "y.csv": "k,v\n3,c\n",
        "z.md": "no",
        "sub/n.csv": "k,v\n9,n\n",
    }.items():
        place.put(f"lake/raw/inbox/{name}", text)
    file = {"folder": "inbox", "file": expression("@item().name")}
    binary = {"type": "BinarySource", "storeSettings": READS, "formatSettings": {"type": "BinaryReadSettings"}}
    condition = "@and(equals(item().type, 'File'), endswith(item().name, '.csv'))"
    place.run(
        act(
            "Files",
            "GetMetadata",
            dataset=data("Folder", folder="inbox"),
            fieldList=["childItems"],
            storeSettings=READS,
        ),
        act(
            "Tables",
            "Filter",
            ["Files"],
            items=expression("@activity('Files').output.childItems"),
            condition=expression(condition),
        ),
        each(
            "Each",
            "@activity('Tables').output.Value",
            copy("Load", TEXT, SQL_SINK, data("File", **file), data("Table", schema="dbo", table="inbox")),
            copy(
                "Archive",
                binary,
                {"type": "BinarySink", "storeSettings": WRITES},
                data("Raw", **file),
                data("Raw", folder=expression("done/@{formatDateTime('2024-05-06', 'yyyyMM')}"), file=file["file"]),
                after=("Load",),
            ),
            act("Remove", "Delete", ["Archive"], dataset=data("Raw", **file), enableLogging=False, storeSettings=READS),
            after="Tables",
            isSequential=True,
        ),
    )
    assert place.rows("from inbox order by k") == [("1", "a"), ("2", "b"), ("3", "c")]
    assert place.files("lake/raw") == ["done/202405/x.csv", "done/202405/y.csv", "inbox/sub/n.csv", "inbox/z.md"]


def test_a_table_is_emptied_filled_and_then_updated(place: Place) -> None:
    place.sql("create table Person (Id int primary key, Name varchar, Born date, Active boolean, Paid decimal(9, 2))")
    place.sql("insert into Person values (99, 'gone', null, null, null)")
    head = "No,Full Name,Born,Active,Paid\n"
    place.put("lake/raw/first/1.csv", head + '1,Ann,31/12/1999,true,10.50\n2,"Bo, B",01/02/2000,false,\n3,Cy,,True,3\n')
    place.put("lake/raw/later/2.csv", head + "2,Bob,01/02/2000,true,7.25\n4,Di,05/06/2001,false,1\n")
    kinds = {"No": ("Id", "Int32"), "Full Name": ("Name", "String"), "Born": ("Born", "DateTime")}
    kinds |= {"Active": ("Active", "Boolean"), "Paid": ("Paid", "Decimal")}
    mapping = {
        "type": "TabularTranslator",
        "mappings": [
            {"source": {"name": name, "type": "String"}, "sink": {"name": to, "type": kind}}
            for name, (to, kind) in kinds.items()
        ],
        "typeConversion": True,
        "typeConversionSettings": {"allowDataTruncation": "true", "dateTimeFormat": "dd/MM/yyyy", "culture": "en-gb"},
    }
    to = data("Table", schema="dbo", table="Person")
    empties = {"type": "AzureSqlSink", "preCopyScript": "TRUNCATE TABLE [dbo].[Person]", "writeBatchSize": "10000"}
    updates = {"type": "AzureSqlSink", "writeBehavior": "upsert", "upsertSettings": {"useTempDB": True, "keys": ["Id"]}}
    place.run(
        copy("Fill", TEXT, empties, data("Folder", folder="first"), to, translator=mapping),
        copy("Update", TEXT, updates, data("Folder", folder="later"), to, translator=mapping, after=("Fill",)),
    )
    told = "select Id, Name, cast(Born as varchar), Active, cast(Paid as varchar) from Person order by Id"
    assert place.rows(told) == [
        (1, "Ann", "1999-12-31", True, "10.50"),
        (2, "Bob", "2000-02-01", True, "7.25"),
        (3, "Cy", None, True, "3.00"),
        (4, "Di", "2001-06-05", False, "1.00"),
    ]


def test_a_pack_is_opened_and_its_sheets_become_text(place: Place) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as written:
        for sheet, rows in {"Jan": [["id", "v"], [1, 1.5], [2, None]], "Feb": [["id", "v"], [3, "x"]]}.items():
            for number, row in enumerate(rows):
                written.add_worksheet(sheet) if not number else None
                written.get_worksheet_by_name(sheet).write_row(number, 0, row)
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inside/book.xlsx", book.getvalue())
    place.put("blob/in/pack.zip", pack.getvalue())
    blob = {"type": "AzureBlobStorageLocation", "container": "in", "fileName": "pack.zip"}
    place.dataset("Pack", "Binary", "Blob", location=blob, compression={"type": "ZipDeflate"})
    lake = {"type": "AzureBlobFSLocation", "fileSystem": "raw", "folderPath": "open/inside", "fileName": "book.xlsx"}
    named = {"sheetName": expression("@dataset().sheet"), "range": "A1", "firstRowAsHeader": True}
    place.dataset("Book", "Excel", "Lake", "sheet", location=lake, **named)
    opens = {"type": "ZipDeflateReadSettings", "preserveZipFileNameAsFolder": False}
    unpacks = {"type": "BinaryReadSettings", "compressionProperties": opens}
    place.run(
        copy(
            "Open",
            {
                "type": "BinarySource",
                "storeSettings": {"type": "AzureBlobStorageReadSettings"},
                "formatSettings": unpacks,
            },
            {"type": "BinarySink", "storeSettings": WRITES},
            data("Pack"),
            data("Raw", folder="open", file=""),
        ),
        each(
            "Each",
            "@pipeline().parameters.sheets",
            copy(
                "Sheet",
                {"type": "ExcelSource", "storeSettings": READS},
                {**TEXT_SINK, "formatSettings": {"quoteAllText": True, "fileExtension": ".csv"}},
                data("Book", sheet=expression("@item()")),
                data("File", folder="sheets", file=expression("@{item()}.csv")),
                translator={"type": "TabularTranslator", **CONVERTS},
            ),
            after="Open",
        ),
        parameters={"sheets": {"type": "array", "defaultValue": ["Jan", "Feb"]}},
    )
    texts = [
        (place.root / "data/lake/raw/sheets" / name).read_text(encoding="utf-8") for name in ("Jan.csv", "Feb.csv")
    ]
    assert [text.split() for text in texts] == [['"id","v"', '"1","1.5"', '"2",'], ['"id","v"', '"3","x"']]


def test_older_blobs_and_another_warehouse_have_stand_ins_too(place: Place) -> None:
    place.put("blob/in/old/a.csv", "a,b\n1,x\n2,\\N\n")
    place.sql(
        "create schema STAGING; create table STAGING.OLD (A int, B varchar); insert into STAGING.OLD values (7, '-')"
    )
    form = {
        "type": "TextFormat",
        "columnDelimiter": ",",
        "rowDelimiter": "",
        "nullValue": "\\N",
        "firstRowAsHeader": True,
    }
    place.dataset("Old", "AzureBlob", "Blob", folderPath="in/old", fileName="*.csv", format=form)
    place.dataset("Far", "SnowflakeV2Table", "Snow", schema="STAGING", table="OLD")
    staged = {"referenceName": "Blob", "type": "LinkedServiceReference"}
    sink = {
        "type": "SnowflakeV2Sink",
        "preCopyScript": "TRUNCATE TABLE STAGING.OLD",
        "importSettings": {"type": "SnowflakeImportCopyCommand", "additionalFormatOptions": {"OVERWRITE": "TRUE"}},
    }
    place.run(
        copy(
            "Load",
            {"type": "BlobSource", "recursive": True},
            sink,
            data("Old"),
            data("Far"),
            translator={"type": "TabularTranslator", "columnMappings": "a: A, b: B"},
            enableStaging=True,
            stagingSettings={"linkedServiceName": staged, "path": "staging"},
            parallelCopies=0,
            cloudDataMovementUnits=0,
        )
    )
    assert place.rows("from STAGING.OLD order by A") == [(1, "x"), (2, None)]
