"""Stored procedures of SQL Server as they are written, on DuckDB and PostgreSQL."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Json, Place, table

from manara.errors import ManaraError, WrongDefinition

__all__ = ["place"]

PROCEDURE = """
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
-- =============================================
-- Sets the price of an item.
-- =============================================
CREATE OR ALTER PROCEDURE [dbo].[usp_SetPrice]
    @Item nvarchar(20),
    @Price decimal(9, 2) = 9.5,
    @Since AS datetime2 = NULL,
    @Changed int = NULL OUTPUT
WITH RECOMPILE
AS
BEGIN
    SET NOCOUNT ON;
    BEGIN TRY
        BEGIN TRANSACTION;
        IF @Price < 0
            THROW 50010, 'A price is never less than nothing.', 1;
        UPDATE [dbo].[Stock] SET [Price] = @Price WHERE [Item] = @Item AND (@Since IS NULL OR [Seen] >= @Since);
        SET @Changed = @@ROWCOUNT;
        IF @Changed = 0
        BEGIN
            RETURN 1;
        END
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0
            ROLLBACK TRANSACTION;
        DECLARE @Message nvarchar(4000) = ERROR_MESSAGE(), @Severity int = ERROR_SEVERITY(), @State int = ERROR_STATE();
        RAISERROR(@Message, @Severity, @State);
    END CATCH
END
GO
GRANT EXECUTE ON [dbo].[usp_SetPrice] TO loader
"""
CALLER = """
DECLARE @n int, @rc int
EXEC @rc = dbo.usp_SetPrice @Item = N'BCG', @Price = 3, @Changed = @n OUTPUT
SELECT @rc AS a, @n AS b
EXEC @rc = dbo.usp_SetPrice 'Nothing', 3, NULL, @n OUTPUT
SELECT @rc AS a, @n AS b
"""


@pytest.fixture
def procedures(place: Place) -> Place:
    place.texts["local/procedure/dbo.usp_SetPrice.sql"] = PROCEDURE
    place.texts["local/procedure/usp_Load.sql"] = (
        "CREATE PROCEDURE usp_Load (@rows dbo.StockType READONLY, @add int = 100) AS "
        "INSERT INTO Stock (Id, Item) SELECT Id + @add, Item FROM @rows"
    )
    place.texts["local/procedure/usp_Again.sql"] = "CREATE PROC usp_Again AS EXEC usp_Again"
    place.texts["local/procedure/usp_Cheap.sql"] = (
        "CREATE PROC usp_Cheap @most decimal(9,2) AS SELECT Item FROM Stock WHERE Price <= @most"
    )
    return place


def _call(place: Place, name: str, **values: Any) -> Json:
    told = {"storedProcedureName": name, "storedProcedureParameters": values}
    return place.run("SqlServerStoredProcedure", told)


def test_a_stored_procedure_runs_as_it_is_written(procedures: Place) -> None:
    output = _call(procedures, "[dbo].[usp_SetPrice]", item={"value": "BCG", "type": "String"},
                   Since={"value": "2024-01-01", "type": "String"})  # fmt: skip
    assert output["recordsAffected"] == 1
    assert _values(procedures, "SELECT Item FROM Stock WHERE Price = 9.5") == [("BCG",)]
    sets = _script(procedures, CALLER)["resultSets"]
    assert [tuple(one["rows"][0].values()) for one in sets] == [(0, 1), (1, 0)]


def test_a_stored_procedure_that_fails_changes_nothing(procedures: Place) -> None:
    with pytest.raises(ManaraError, match="never less than nothing") as raised:
        _call(procedures, "dbo.usp_SetPrice", Item="BCG", Price=-1)
    assert "usp_SetPrice" in raised.value.where
    with pytest.raises(WrongDefinition, match="needs the parameter @item"):
        _call(procedures, "dbo.usp_SetPrice", Price=-1)
    with pytest.raises(WrongDefinition, match="no parameter @prise"):
        _call(procedures, "dbo.usp_SetPrice", Item="x", Prise=1)
    with pytest.raises(WrongDefinition, match="32 deep"):
        _call(procedures, "usp_Again")


TAKES = """
DECLARE @cheap TABLE (Item nvarchar(20), Extra int DEFAULT 3)
CREATE TABLE #all (Item nvarchar(20))
INSERT INTO @cheap (Item) EXEC usp_Cheap @most = 2
INSERT #all (Item)EXEC dbo.usp_Cheap 9
SELECT c.Item, c.Extra, (SELECT COUNT(*) FROM #all) AS n, @@ROWCOUNT AS changed FROM @cheap c
"""


def test_what_a_stored_procedure_gives_is_inserted(procedures: Place) -> None:
    assert _values(procedures, TAKES) == [("BCG", 3, 2, 2)]
    with pytest.raises(WrongDefinition, match="gives 1 columns, and 2 are to be filled"):
        _script(procedures, "INSERT INTO Stock (Id, Item) EXEC usp_Cheap 9")
    with pytest.raises(ManaraError, match="does not fit"):
        _script(procedures, "INSERT INTO Stock (Id) EXEC usp_Cheap 9")


def test_a_stored_procedure_in_tsql_is_read_and_written(procedures: Place) -> None:
    reading = {"sqlReaderStoredProcedureName": "dbo.usp_Cheap",
               "storedProcedureParameters": {"most": {"value": "2", "type": "Decimal"}}}  # fmt: skip
    assert procedures.read(table("x", "AzureSqlTable"), **reading).column(0).to_pylist() == ["BCG"]
    writing = {"sqlWriterStoredProcedureName": "usp_Load", "storedProcedureTableTypeParameterName": "rows"}
    output = procedures.copy(table("incoming", "AzureSqlTable"), table("stock", "AzureSqlTable"), sink_settings=writing)
    assert output["rowsCopied"] == 2
    assert _values(procedures, "SELECT Id FROM Stock WHERE Id > 100 ORDER BY Id") == [(102,), (104,)]


def test_a_catch_knows_which_procedure_has_failed(place: Place) -> None:
    place.texts["local/procedure/usp_In.sql"] = (
        "CREATE PROC usp_In AS PRINT OBJECT_NAME(@@PROCID) RAISERROR('no', 16, 1)"
    )
    place.texts["local/procedure/usp_Out.sql"] = (
        "CREATE PROC usp_Out @inner bit AS BEGIN TRY IF @inner = 1 EXEC dbo.usp_In ELSE THROW 50001, 'no', 1 END TRY "
        "BEGIN CATCH INSERT INTO Stock (Id, Item) VALUES (8, ERROR_PROCEDURE()) END CATCH"
    )
    for inner in (1, 0):
        _script(place, f"EXEC usp_Out {inner}")
    assert _values(place, "SELECT Item FROM Stock WHERE Id = 8") == [("usp_In",), ("usp_Out",)]


SHAPES: dict[str, tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = {
    "a line of a log": (
        "CREATE PROC p (@Item varchar(100), @Run uniqueidentifier, @Table sysname) AS BEGIN "
        "INSERT INTO Stock (Id, Item) VALUES (8, @Item + '/' + @Table) END GO",
        {"Item": "a", "Run": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "Table": "b"},
        [("a/b",)],
    ),
    "the next number": (
        "create procedure p @add tinyint as begin set nocount on declare @next int; begin try begin tran; "
        "select @next = isnull(max(Id), 0) + @add from Stock where Price > 0; "
        "insert Stock (Id, Item) values (8, concat('n', @next)); commit tran end try begin catch; rollback tran; "
        ";throw; end catch; end;",
        {"add": 5},
        [("n7",)],
    ),
    "there or not": (
        "CREATE PROC p @Id int, @Item nvarchar(50), @Seen datetime2(7) = NULL, @Is bit = 0 AS "
        "SET XACT_ABORT, NOCOUNT ON "
        "IF EXISTS (SELECT 1 FROM Stock WITH (NOLOCK) WHERE Id = @Id) UPDATE Stock SET Item = @Item WHERE Id = @Id; "
        "ELSE INSERT INTO Stock (Id, Item, Seen) VALUES (@Id, CASE WHEN @Is = 1 THEN @Item END, @Seen);",
        {"Id": 8, "Item": "new", "Is": "True"},
        [("new",)],
    ),
    "a statement that is made": (
        "CREATE PROC p (@Schema nvarchar(9), @Table nvarchar(9)) AS DECLARE @sql nvarchar(max) = N'UPDATE ' + "
        "QUOTENAME(@Schema) + N'.' + QUOTENAME(@Table) + N' SET Id = 8 WHERE Id = 1' EXEC sp_executesql @sql",
        {"Schema": "dbo", "Table": "Stock"},
        [("OPV",)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "values", "rows"), SHAPES.values(), ids=SHAPES)
def test_procedures_of_many_shapes_run(
    place: Place, text: str, values: dict[str, Any], rows: list[tuple[Any, ...]]
) -> None:
    place.texts["local/procedure/p.sql"] = text.replace(" GO", "\nGO\n")
    _call(place, "p", **values)
    assert _values(place, "SELECT Item FROM Stock WHERE Id = 8") == rows


def test_the_procedure_of_the_how_to_page_runs(place: Place) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "run-azure-sql-on-a-stand-in.md"
    (text,) = re.findall(r"```sql\n(CREATE OR ALTER PROC.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    place.texts["local/procedure/dbo.usp_Forget.sql"] = text
    assert _call(place, "dbo.usp_Forget", Before="2024-01-02")["recordsAffected"] == 1
    with pytest.raises(ManaraError, match="still to come"):
        _call(place, "dbo.usp_Forget", Before="2999-01-02")


HEADS = {
    "no AS": ("CREATE PROC p @a int", "no AS"),
    "no body end": ("CREATE PROC p AS BEGIN SELECT 1", "no END"),
    "no CATCH": ("CREATE PROC p AS BEGIN TRY SELECT 1 END TRY SELECT 2", "BEGIN CATCH is missing"),
    "a default": ("CREATE PROC p @a int = GETDATE() AS SELECT 1", "no number, text in quotes, or NULL"),
    "values": ("CREATE PROC p AS RAISERROR('%d', 16, 1, 'x')", "do not fit the message"),
}


@pytest.mark.parametrize(("text", "says"), HEADS.values(), ids=HEADS)
def test_what_is_wrong_with_a_procedure_is_told(place: Place, text: str, says: str) -> None:
    place.texts["local/procedure/p.sql"] = text
    with pytest.raises(WrongDefinition, match=says):
        _call(place, "p")
