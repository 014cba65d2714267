"""What was written for SQL Server, on DuckDB and on PostgreSQL: statements as public factories hold them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Json, Place, table

from manara.connectors.databases.postgres import PostgresDatabase
from manara.connectors.databases.postgres import postgres as opened
from manara.errors import ManaraError, NotFound, TimedOut, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven

STOCK = """
create table Stock (Id int, Item varchar(20), Price decimal(9, 2), Seen timestamp);
insert into Stock values (1, 'OPV', 2.50, '2024-01-01 23:00:00'), (2, 'BCG', 1.25, '2024-01-02 01:00:00'),
    (3, 'MR', null, null);
create table Incoming (Id int, Item varchar(20));
insert into Incoming values (2, 'BCG 20'), (4, 'PCV')
"""


@pytest.fixture(params=["duckdb", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    place = Place(folder=tmp_path, published="AzureSqlDatabase")
    if request.param == "postgres":
        start: Callable[[], str] = request.getfixturevalue("postgres")
        told = {"connectionString": start()}
        found = opened(LinkedServiceGiven(name="W", type="PostgreSql", properties=told, root=tmp_path))
        assert isinstance(found, PostgresDatabase)
        place.warehouse = found
    place.published = ""
    place.run("Script", {"scripts": [{"type": "NonQuery", "text": STOCK}]})
    place.published = "AzureSqlDatabase"
    return place


def _script(place: Place, text: str, kind: str = "Query", **more: Any) -> Json:
    return place.run("Script", {"scripts": [{"type": kind, "text": text, **more}]})


def _values(place: Place, text: str, **more: Any) -> list[tuple[Any, ...]]:
    sets = _script(place, text, **more)["resultSets"]
    return [tuple(row.values()) for row in sets[-1]["rows"]]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("SELECT TOP 1 [Id] FROM [dbo].[Stock] WITH (NOLOCK) ORDER BY [Id] DESC", [(3,)], id="top"),
        pytest.param("SELECT Stock.Id FROM dbo.Stock WHERE dbo.STOCK.Id = 1", [(1,)], id="columns of a table"),
        pytest.param("SELECT s.Id FROM Stock AS S WHERE s.ID = 2", [(2,)], id="columns of an alias"),
        pytest.param(
            "WITH a AS (SELECT * FROM Stock) SELECT A.ID, item FROM a AS A WHERE id = 1",
            [(1, "OPV")],
            id="columns of a WITH",
        ),
        pytest.param(
            "SELECT Id FROM Stock UNION ALL SELECT 40 ORDER BY ID DESC",
            [(40,), (3,), (2,), (1,)],
            id="a union in order",
        ),
        pytest.param("SELECT MAX([Seen]) AS [NewWatermark] FROM dbo.Stock", [("2024-01-02T01:00:00",)], id="max"),
        pytest.param("select isnull(price, 0) as p from dbo.stock where id = 3", [(0,)], id="isnull"),
        pytest.param("SELECT Item + '/' + Item FROM Stock WHERE Id = 1", [("OPV/OPV",)], id="texts joined"),
        pytest.param("SELECT '1' + '2', 7 / 2, -7 / 2, Id / 2 FROM Stock WHERE Id = 3", [("12", 3, -3, 1)], id="whole"),
        pytest.param("SELECT AVG(Id), AVG(Id + 0.0) FROM Incoming", [(3, 3)], id="average"),
        pytest.param(
            "SELECT CONVERT(varchar(10), Seen, 120), CONVERT(varchar(8), Seen, 112) FROM Stock WHERE Id = 1",
            [("2024-01-01", "20240101")],
            id="convert",
        ),
        pytest.param("SELECT CAST(Item + ' vaccine' AS varchar(5)) FROM Stock WHERE Id = 1", [("OPV v",)], id="cut"),
        pytest.param(
            "SELECT DATEDIFF(day, a.Seen, b.Seen), DATEDIFF(hour, a.Seen, b.Seen), DATEDIFF(month, a.Seen, b.Seen) "
            "FROM Stock a JOIN Stock b ON a.Id = 1 AND b.Id = 2",
            [(1, 2, 0)],
            id="datediff counts borders",
        ),
        pytest.param(
            "SELECT DATEADD(day, -1, Seen), EOMONTH(Seen), YEAR(Seen) FROM Stock WHERE Id = 1",
            [("2023-12-31T23:00:00", "2024-01-31T00:00:00", 2024)],
            id="dates",
        ),
        pytest.param("SELECT Id FROM Stock WHERE Item LIKE '[A-C]%'", [(2,)], id="brackets"),
        pytest.param(
            "SELECT Id FROM Stock WHERE Item NOT LIKE '[^A-N]_[^A-Y]' ORDER BY Id", [(1,), (2,), (3,)], id="not in"
        ),
        pytest.param(
            "SELECT Id FROM Incoming WHERE Item NOT LIKE '%!_[A-Z]%' ESCAPE '!' AND Item LIKE '%[0-9]'",
            [(2,)],
            id="escape",
        ),
        pytest.param(
            "DECLARE @s nvarchar(99) = 'SELECT Id FROM Stock WHERE Id > ' + '1 ORDER BY Id' EXEC(@s)",
            [(2,), (3,)],
            id="made",
        ),
        pytest.param(
            "EXEC sp_executesql N'SELECT Item FROM Stock WHERE Id = @id', N'@id int', @id = 2",
            [("BCG",)],
            id="sp_executesql",
        ),
        pytest.param(
            "CREATE TABLE Made WITH (DISTRIBUTION = HASH(Id), CLUSTERED COLUMNSTORE INDEX) AS "
            "SELECT Id FROM Stock WHERE Id < 3 SELECT COUNT(*) FROM Made",
            [(2,)],
            id="ctas of Synapse",
        ),
        pytest.param("SELECT LEN('ab  '), IIF(Id > 1, 'x', 'y') FROM Stock WHERE Id = 1", [(2, "y")], id="len"),
        pytest.param(
            "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'dbo' "
            "AND LOWER(TABLE_NAME) LIKE 'inc%'",
            [("incoming",)],
            id="catalog",
        ),
        pytest.param(
            "SELECT s.name, LOWER(t.name) FROM sys.tables t INNER JOIN sys.schemas s ON t.schema_id = s.schema_id "
            "WHERE s.name = 'dbo' AND t.type = 'U' ORDER BY t.name",
            [("dbo", "incoming"), ("dbo", "stock")],
            id="sys.tables, without the marks of the runs",
        ),
        pytest.param(
            "IF EXISTS (SELECT * FROM sys.objects WHERE object_id = OBJECT_ID(N'[dbo].[Stock]') AND type in (N'U')) "
            "SELECT 'there' ELSE SELECT 'absent'",
            [("there",)],
            id="sys.objects",
        ),
        pytest.param(
            "SELECT DISTINCT TABLE_SCHEMA, SCHEMA_NAME() FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'dbo'",
            [("dbo", "dbo")],
            id="own schema",
        ),
        pytest.param(
            "WITH d AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 3) SELECT n FROM d "
            "OPTION (MAXRECURSION 9)",
            [(1,), (2,), (3,)],
            id="recursion, with a hint",
        ),
        pytest.param(
            "SELECT Seen - 1, DATEADD(month, DATEDIFF(month, 0, Seen), 0) FROM Stock WHERE Id = 1",
            [("2023-12-31T23:00:00", "2024-01-01T00:00:00")],
            id="days, and the first of the month",
        ),
        pytest.param("SELECT QUOTENAME(Item) FROM Stock WHERE Id = 1", [("[OPV]",)], id="quotename"),
        pytest.param("DECLARE @n int = 2; SELECT Item FROM Stock WHERE Id = @n", [("BCG",)], id="variable"),
        pytest.param(
            "DECLARE @n int, @t varchar(9)\nSET @n = 1\nSELECT @t = Item FROM Stock WHERE Id = @n\nSELECT @t + '!'",
            [("OPV!",)],
            id="set",
        ),
        pytest.param(
            "IF EXISTS (SELECT 1 FROM Stock WHERE Id = 9) SELECT 'nine' ELSE BEGIN SELECT 'none' END",
            [("none",)],
            id="if",
        ),
        pytest.param("WITH c AS (SELECT Id FROM Stock) SELECT COUNT(*) FROM c", [(3,)], id="with"),
        pytest.param(
            "SELECT Id INTO #Some FROM Stock WHERE Id > 1 SELECT COUNT(*) FROM #some DROP TABLE #Some",
            [(2,)],
            id="temporary",
        ),
    ],
)
def test_a_query_means_the_same(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    shown = [
        tuple("incoming" if str(value).lower() == "incoming" else value for value in row)
        for row in _values(place, text)
    ]
    assert shown == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("TRUNCATE TABLE [dbo].[Stock]", [], id="truncate"),
        pytest.param(
            "TRUNCATE TABLE dbo.Stock INSERT INTO dbo.Stock (Id, Item) SELECT Id, Item FROM Incoming WHERE Id = 2",
            [(2, "BCG 20")],
            id="two without a semicolon",
        ),
        pytest.param(
            "UPDATE s SET s.Item = i.Item FROM dbo.Stock s INNER JOIN Incoming i ON s.Id = i.Id",
            [(1, "OPV"), (2, "BCG 20"), (3, "MR")],
            id="update by a join",
        ),
        pytest.param(
            "DELETE s FROM dbo.Stock s INNER JOIN Incoming i ON s.Id = i.Id", [(1, "OPV"), (3, "MR")], id="delete"
        ),
        pytest.param(
            "MERGE dbo.Stock AS t USING Incoming AS s ON t.Id = s.Id WHEN MATCHED THEN UPDATE SET t.Item = s.Item "
            "WHEN NOT MATCHED BY TARGET THEN INSERT (Id, Item) VALUES (s.Id, s.Item);",
            [(1, "OPV"), (2, "BCG 20"), (3, "MR"), (4, "PCV")],
            id="merge",
        ),
        pytest.param(
            "SET NOCOUNT ON; BEGIN TRANSACTION; DELETE FROM Stock WHERE Id < 3; COMMIT TRANSACTION\nGO\nPRINT 'done'",
            [(3, "MR")],
            id="transaction",
        ),
        pytest.param(
            "IF OBJECT_ID('dbo.Nothing') IS NULL DELETE FROM Stock WHERE Id = 1 "
            "IF OBJECT_ID('dbo.stock', 'U') IS NOT NULL DELETE FROM Stock WHERE Id = 2",
            [(3, "MR")],
            id="object_id",
        ),
        pytest.param("DELETE FROM Stock WHERE Id = 1; IF @@ROWCOUNT = 1 DELETE FROM Stock WHERE Id = 2", [(3, "MR")],
                     id="rowcount"),
    ],
)  # fmt: skip
def test_a_change_means_the_same(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    _script(place, text, "NonQuery")
    assert _values(place, "SELECT Id, Item FROM Stock ORDER BY Id") == rows


def test_a_table_that_counts_by_itself_is_made(place: Place) -> None:
    make = (
        "IF OBJECT_ID('dbo.Made') IS NOT NULL DROP TABLE dbo.Made "
        "CREATE TABLE dbo.Made ([Id] INT IDENTITY(10,5) NOT NULL, [Name] NVARCHAR(MAX), [Flag] BIT, "
        "CONSTRAINT [PK_Made] PRIMARY KEY CLUSTERED ([Id] ASC)) ON [PRIMARY] "
        "INSERT INTO Made (Name) VALUES ('a'), ('b')"
    )
    for _ in range(2):
        _script(place, make, "NonQuery")
        assert _values(place, "SELECT id, name FROM made ORDER BY id") == [(10, "a"), (15, "b")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("SELECT rows FROM sys.partitions", "sys.partitions", id="sys"),
        pytest.param("DELETE FROM Stock OUTPUT inserted.Id", "OUTPUT", id="output"),
        pytest.param("ROLLBACK TRAN", "a ROLLBACK outside of a CATCH", id="rollback"),
        pytest.param("THROW", "without anything", id="throw"),
        pytest.param("CREATE PROCEDURE p AS SELECT 1", "a program of the database", id="procedure"),
        pytest.param("SELECT Id FROM Stock WHERE Item LIKE '[A-C%'", "never closed", id="like"),
        pytest.param("SELECT @nothing", "@nothing, which nothing declares", id="variable"),
        pytest.param("EXEC(1)", "is no text", id="dynamic"),
        pytest.param("SELECT CONVERT(varchar(30), Seen, 999) FROM Stock", "999", id="style"),
        pytest.param("DELETE x FROM Stock s", "which its FROM does not name", id="other"),
        pytest.param(
            "WITH a AS (SELECT Item FROM Stock GROUP BY Item) DELETE FROM a", "not the rows of one", id="group"
        ),
        pytest.param("WITH a AS (SELECT Id + 1 AS n FROM Stock) UPDATE a SET n = 1", "no column", id="computed"),
        pytest.param("UPDATE Stock SET Item = 'x' FROM Stock a JOIN Stock b ON a.Id = b.Id", "names twice", id="twice"),
    ],
)
def test_what_cannot_be_translated_is_told_with_its_statement(place: Place, text: str, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says) as raised:
        _script(place, text)
    assert text.split(maxsplit=1)[0] in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("DECLARE @n int = 1 EXEC('EXEC(''SELECT @n'')')", "SELECT @n"),
        ("EXEC('SELECT Id FROM Stok')", "Stok"),
    ],
)
def test_what_is_wrong_with_a_statement_that_was_made_is_told(place: Place, text: str, says: str) -> None:
    with pytest.raises(ManaraError, match=says):
        _script(place, text)


def test_parameters_and_output_parameters(place: Place) -> None:
    told = [
        {"name": "from", "type": "DateTime", "value": "2024-01-02T00:00:00"},
        {"name": "item", "type": "String", "value": "x'; drop table Stock --"},
        {"name": "count", "type": "Int32", "direction": "Output"},
    ]
    output = _script(
        place, "SELECT @count = COUNT(*) FROM Stock WHERE Seen >= @from AND Item <> @item PRINT 'counted'",
        parameters=told,
    )  # fmt: skip
    assert output["outputParameters"] == {"count": 1}
    assert output["outputLogs"] == "counted"


def test_logs_go_to_a_file_where_that_is_asked_for(place: Place) -> None:
    settings = {
        "logDestination": "ExternalStore",
        "logLocationSettings": {"linkedServiceName": {"referenceName": "Files"}, "path": "logs"},
    }
    output = place.run(
        "Script", {"scripts": [{"type": "Query", "text": "PRINT 'hello'"}], "logSettings": settings}, step="Each[1]/S"
    )
    assert (place.folder / output["outputLogsLocation"]).read_text() == "hello\n"
    assert "outputLogs" not in output


def test_a_copy_reads_and_writes_tables_of_sql_server(place: Place) -> None:
    source = {"sqlReaderQuery": "SELECT [Id], [Item] FROM [dbo].[Stock] WHERE [Item] + '' <> 'MR'"}
    sink = {"preCopyScript": "TRUNCATE TABLE [dbo].[Incoming]"}
    output = place.copy(
        table("Stock", "AzureSqlTable", schema="dbo"),
        table("Incoming", "SqlServerTable", schema="dbo"),
        source_settings=source,
        sink_settings=sink,
    )  # fmt: skip
    assert output["rowsCopied"] == 2
    assert _values(place, "SELECT Item FROM Incoming ORDER BY Id") == [("OPV",), ("BCG",)]


@pytest.fixture
def procedures(place: Place) -> Place:
    place.texts["local/procedure/dbo.SetPrice.sql"] = (
        "-- @item varchar\n-- @price decimal = 9.5\nupdate stock set price = $price where item = $item"
    )
    place.texts["local/procedure/Cheap.sql"] = "-- @most decimal\nselect item from stock where price <= $most"
    place.texts["local/procedure/Load.sql"] = "insert into stock (id, item) select id, item from incoming_rows"
    return place


def test_a_stored_procedure_is_answered_by_its_script(procedures: Place) -> None:
    told = {"item": {"value": "BCG", "type": "String"}}
    output = procedures.run(
        "SqlServerStoredProcedure",
        {"storedProcedureName": "[dbo].[SetPrice]", "storedProcedureParameters": told},
    )
    assert output["recordsAffected"] == 1
    assert [each["name"] for each in output["lineage"]["outputs"]] == ["stock"]
    assert _values(procedures, "EXEC dbo.SetPrice @item = 'MR', @price = 3 EXEC Cheap 3") == [("OPV",), ("MR",)]


def test_a_procedure_is_read_and_written(procedures: Place) -> None:
    reading = {"sqlReaderStoredProcedureName": "dbo.Cheap",
               "storedProcedureParameters": {"most": {"value": "2", "type": "Int32"}}}  # fmt: skip
    assert procedures.read(table("x", "AzureSqlTable"), **reading).column(0).to_pylist() == ["BCG"]
    writing = {"sqlWriterStoredProcedureName": "Load", "storedProcedureTableTypeParameterName": "incoming_rows"}
    output = procedures.copy(table("incoming", "AzureSqlTable"), table("stock", "AzureSqlTable"), sink_settings=writing)
    assert output["rowsCopied"] == 2
    assert _values(procedures, "SELECT COUNT(*) FROM Stock") == [(5,)]


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"storedProcedureName": "dbo.Nothing"}, "Write local/procedure/dbo.Nothing.sql"),
        ({"storedProcedureName": "Cheap"}, "needs the parameter @most"),
        ({"storedProcedureName": "Cheap", "storedProcedureParameters": {"most": 1, "x": 2}}, "no parameter @x"),
        ({}, "needs typeProperties.storedProcedureName"),
    ],
)
def test_a_procedure_that_cannot_run_is_told(procedures: Place, properties: Json, says: str) -> None:
    with pytest.raises((NotFound, ManaraError), match=says):
        procedures.run("SqlServerStoredProcedure", properties)


def test_the_statements_of_the_how_to_page_run(place: Place) -> None:
    page = Path(__file__).parent.parent.parent.parent / "docs" / "how-to" / "run-azure-sql-on-a-stand-in.md"
    (text,) = re.findall(r"```sql\n(IF .*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    _script(place, "DROP TABLE dbo.Stock CREATE TABLE dbo.Gone (Id int) INSERT INTO Gone VALUES (1)", "NonQuery")
    make, _, rest = text.partition("DECLARE")
    fill = "INSERT INTO Stock (Item, Seen) VALUES ('OPV', GETDATE()), ('BCG', GETDATE())"
    _script(place, make + fill, "NonQuery")
    ((item, day),) = _values(place, f"DECLARE{rest}")
    assert (item, len(day)) == ("BCG", 10)


def test_a_script_that_takes_too_long_is_ended(place: Place) -> None:
    if place.warehouse is None:
        pytest.skip("DuckDB has no time limit for a statement")
    place.published = ""
    told = {"scripts": [{"type": "Query", "text": "select pg_sleep(9)"}], "scriptBlockExecutionTimeout": "00:00:01"}
    with pytest.raises(TimedOut):
        place.run("Script", told)


REAL = """
create table stock (id int, item text, price numeric);
insert into stock values (1, 'OPV', 2.5), (2, 'BCG', 1.25);
create procedure set_price(Item text, "Price" numeric default 9) language plpgsql as
    $$begin update stock set price = "Price" where stock.item = set_price.item; end$$;
create procedure fail() language plpgsql as $$begin raise exception 'no cold chain'; end$$;
drop schema if exists cold cascade;
create schema cold;
create function cold.cheap(most numeric, at_all boolean default true) returns table (item text) language plpgsql as
    $$begin return query select s.item from stock as s where s.price <= most and at_all; end$$;
create function cold.cheap(other text) returns table (item text) language sql as 'select other'
"""


@pytest.fixture
def real(postgres: Callable[[], str], tmp_path: Path) -> Place:
    told = {"connectionString": postgres()}
    found = opened(LinkedServiceGiven(name="W", type="PostgreSql", properties=told, root=tmp_path))
    assert isinstance(found, PostgresDatabase)
    place = Place(folder=tmp_path, warehouse=found)
    place.run("Script", {"scripts": [{"type": "NonQuery", "text": REAL}]})
    return place


@pytest.mark.parametrize(
    ("name", "told", "prices"),
    [
        pytest.param("set_price", {"item": "BCG", "Price": {"value": "3", "type": "Decimal"}}, [2.5, 3], id="both"),
        pytest.param("[dbo].[Set_Price]", {"ITEM": {"value": "OPV"}}, [9, 1.25], id="default, other letters"),
        pytest.param("cold.cheap", {"most": 1}, [2.5, 1.25], id="function"),
    ],
)
def test_a_procedure_of_postgres_itself_is_called(real: Place, name: str, told: Json, prices: list[float]) -> None:
    real.run("SqlServerStoredProcedure", {"storedProcedureName": name, "storedProcedureParameters": told})
    rows = real.query("select price::float8 as price from stock order by id")
    assert [row["price"] for row in rows] == prices


def test_a_function_of_postgres_is_read_as_a_procedure(real: Place) -> None:
    reading: Json = {
        "sqlReaderStoredProcedureName": "[cold].[Cheap]",
        "storedProcedureParameters": {"Most": {"value": "2", "type": "Int32"}},
    }
    assert real.read(table("x", "PostgreSqlTable"), **reading).to_pylist() == [{"item": "BCG"}]
    source = {"type": "AzureSqlSource", **reading}
    output = real.run("Lookup", {"source": source, "dataset": table("x", "AzureSqlTable")})
    assert output == {"firstRow": {"item": "BCG"}}


@pytest.mark.parametrize(
    ("name", "told", "says"),
    [
        pytest.param("fail", {}, "No cold chain", id="it raises"),
        pytest.param("set_price", {"colour": 1}, "set_price", id="no such parameter"),
        pytest.param("warm.cheap", {}, "Write local/procedure/warm.cheap.sql", id="no such schema"),
    ],
)
def test_what_a_procedure_of_postgres_refuses_is_told(real: Place, name: str, told: Json, says: str) -> None:
    with pytest.raises(ManaraError) as raised:
        real.run("SqlServerStoredProcedure", {"storedProcedureName": name, "storedProcedureParameters": told})
    assert says in f"{raised.value.message} {raised.value.advice}"


def test_a_schema_is_found_whatever_its_capitals_are(place: Place) -> None:
    schema = "etl_of_capitals"
    make = (f"drop schema if exists {schema} cascade", f"create schema {schema}",
            f"create table {schema}.Stock as select 7 as Id")  # fmt: skip
    place.published = ""
    for text in make:
        place.run("Script", {"scripts": [{"type": "NonQuery", "text": text}]})
    place.published = "AzureSqlDatabase"
    assert _values(place, "SELECT [Id] FROM [ETL_of_Capitals].[STOCK]") == [(7,)]
    assert _values(place, "SELECT s.Id FROM ETL_OF_CAPITALS.stock AS s WHERE EXISTS (SELECT 1 FROM dbo.Stock)") == [
        (7,)
    ]
