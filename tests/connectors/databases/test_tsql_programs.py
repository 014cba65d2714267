"""Programs in T-SQL on DuckDB and PostgreSQL: loops, TRY and CATCH, table variables, stored procedures as written."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Json, Place, table

from manara.errors import ManaraError, WrongDefinition

__all__ = ["place"]

LOOP = """
DECLARE @n int = 0, @sum int = 0
WHILE @n < 10
BEGIN
    SET @n += 1
    IF @n = 3 CONTINUE
    IF @n = 6 BREAK
    SET @sum = @sum + @n
END
SELECT @sum AS total
"""
BATCHES = """
WHILE 1 = 1
BEGIN
    DELETE FROM Stock WHERE Id = (SELECT MIN(Id) FROM Stock)
    IF NOT EXISTS (SELECT 1 FROM Stock WHERE Id < 3) BREAK
END
SELECT Id FROM Stock
"""
TABLE_VARIABLE = """
DECLARE @seen TABLE (Id int NOT NULL PRIMARY KEY, Item nvarchar(20), Extra int DEFAULT 7);
INSERT INTO @seen (Id, Item) SELECT Id, Item FROM Stock WHERE Id < 3;
UPDATE s SET Item = i.Item FROM @seen s JOIN Incoming i ON i.Id = s.Id;
DELETE FROM @seen WHERE Id = 1;
SELECT s.Item, s.Extra FROM @seen AS s JOIN Stock t ON t.Id = s.Id
"""
RAISED = """
BEGIN TRY
    UPDATE Stock SET Item = 'x' WHERE Id = 1
    IF @@ROWCOUNT = 1 THROW 51000, 'there are too many', 3
    SELECT 'never'
END TRY
BEGIN CATCH
    DECLARE @told nvarchar(200) = CONCAT(ERROR_NUMBER(), ' ', ERROR_MESSAGE(), ' ', ERROR_STATE())
    INSERT INTO Stock (Id, Item) VALUES (9, 'caught')
END CATCH
SELECT @told AS a, (SELECT Item FROM Stock WHERE Id = 1) AS b, (SELECT Item FROM Stock WHERE Id = 9) AS c
"""
INNER = """
BEGIN TRY
    BEGIN TRY
        RAISERROR('%d of %s', 16, 2, 3, 'four')
    END TRY
    BEGIN CATCH
        THROW
    END CATCH
END TRY
BEGIN CATCH
    SELECT ERROR_MESSAGE() AS a, ERROR_SEVERITY() AS b, ERROR_STATE() AS c
END CATCH
"""
CURSOR = """
DECLARE @id int, @item nvarchar(3), @told varchar(200) = '', @rows int = 0
DECLARE [each one] CURSOR LOCAL FAST_FORWARD FOR
    WITH low AS (SELECT Id, Item + ' vaccine' AS Item FROM Stock) SELECT Id, Item FROM low ORDER BY Id DESC
OPEN [each one]
FETCH NEXT FROM [each one] INTO @id, @item
WHILE @@FETCH_STATUS = 0
BEGIN
    DELETE FROM Stock WHERE Id = @id
    SET @rows += @@ROWCOUNT
    SET @told = @told + CAST(@id AS varchar(9)) + @item + ';'
    FETCH NEXT FROM [each one] INTO @id, @item
END
CLOSE [each one]
DEALLOCATE [each one]
SELECT @told AS told, @rows AS changed, @@FETCH_STATUS AS status
"""
SCROLLED = """
DECLARE @c CURSOR, @id int, @told varchar(99) = '', @n int = 2
SET @c = CURSOR SCROLL FOR SELECT Id FROM Stock UNION ALL SELECT 40 ORDER BY Id
OPEN @c
FETCH LAST FROM @c INTO @id SET @told = CONCAT(@told, @id, ' ')
FETCH PRIOR FROM @c INTO @id SET @told = CONCAT(@told, @id, ' ')
FETCH ABSOLUTE @n FROM @c INTO @id SET @told = CONCAT(@told, @id, ' ')
FETCH RELATIVE -1 FROM @c INTO @id SET @told = CONCAT(@told, @id, ' ')
FETCH PRIOR FROM @c INTO @id SET @told = CONCAT(@told, @id, ' ', @@FETCH_STATUS)
SELECT @told AS told
"""
RUN: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a loop": (LOOP, [(1 + 2 + 4 + 5,)]),
    "a loop that changes": (BATCHES, [(3,)]),
    "a table variable": (TABLE_VARIABLE, [("BCG 20", 7)]),
    "an error that is caught": (RAISED, [("51000 there are too many 3", "x", "caught")]),
    "an error within an error": (INNER, [("3 of four", 16, 2)]),
    "no error": ("BEGIN TRY BEGIN TRAN SELECT @@TRANCOUNT AS a, XACT_STATE() AS b COMMIT END TRY "
                 "BEGIN CATCH THROW END CATCH",
                 [(1, 1)]),
    "the counters": ("BEGIN TRAN COMMIT SELECT @@TRANCOUNT AS a, @@ERROR AS b, ERROR_MESSAGE() AS c", [(0, 0, None)]),
    "the number of a new row": (
        "CREATE TABLE Logs (Id int IDENTITY(1,1) NOT NULL, Item varchar(10)) "
        "INSERT INTO Logs (Item) VALUES ('a'), ('b') INSERT INTO Stock (Id) VALUES (50) "
        "DECLARE @n int = SCOPE_IDENTITY() SELECT @n AS a, @@IDENTITY AS b", [(2, 2)],
    ),
    "how many rows": (
        "DECLARE @n int, @a int, @b int, @c int UPDATE Stock SET Item = 'x' WHERE Id < 3 SET @a = @@ROWCOUNT "
        "SELECT @n = Id FROM Stock SET @b = @@ROWCOUNT SELECT @n = Id FROM Stock WHERE Id > 9 SET @c = @@ROWCOUNT "
        "IF @c = 0 SELECT @a AS a, @b AS b, @c AS c, @@ROWCOUNT AS d", [(2, 3, 0, 0)],
    ),
    "a cursor": (CURSOR, [("3MR ;2BCG;1OPV;", 3, -1)]),
    "a cursor that scrolls": (SCROLLED, [("40 3 2 1 1 -1",)]),
    "a cursor after an error": (
        "DECLARE @id int DECLARE c CURSOR FOR SELECT Id FROM Stock BEGIN TRY OPEN c FETCH NEXT FROM c INTO @id "
        "RAISERROR('no', 16, 1) END TRY BEGIN CATCH IF CURSOR_STATUS('global', 'c') >= 0 CLOSE c DEALLOCATE c "
        "END CATCH "
        "SELECT CURSOR_STATUS('global', 'c') AS a, @id AS b", [(-3, 1)]),
    "a row that a cursor gives out": ("DECLARE c CURSOR FOR SELECT Id FROM Stock ORDER BY Id OPEN c FETCH c", [(1,)]),
    "values from a statement that is made": (
        "DECLARE @n int, @d int = 2 EXEC sp_executesql N'SELECT @out = COUNT(*) FROM Stock WHERE Id > @low', "
        "N'@low int, @out int OUT', @d, @out = @n OUTPUT SELECT @n AS n", [(1,)]),
    "names of a WITH in other capitals": (
        "WITH low (Number, Item) AS (SELECT Id, Item FROM Stock) SELECT NUMBER, item FROM Low WHERE number = 2",
        [(2, "BCG")]),
    "deleted rows into a table variable": (
        "DECLARE @g TABLE (Id int, Item varchar(20)) DELETE FROM Stock OUTPUT deleted.Id, deleted.Item "
        "INTO @g (Id, Item) WHERE Id > 1 SELECT @@ROWCOUNT AS n, "
        "(SELECT COUNT(*) FROM @g) AS g, (SELECT MAX(Item) FROM @g) AS m",
        [(2, 2, "MR")]),
    "deleted rows": ("DELETE s OUTPUT deleted.Id, deleted.Item AS x FROM Stock s JOIN Incoming i ON i.Id = s.Id",
                     [(2, "BCG")]),
    "updated rows": ("UPDATE s SET Item = i.Item OUTPUT inserted.* FROM Stock s JOIN Incoming i ON i.Id = s.Id",
                     [(2, "BCG 20", 1.25, "2024-01-02T01:00:00")]),
    "inserted rows into a table": (
        "INSERT INTO Stock (Id, Item) OUTPUT inserted.Id INTO Incoming (Id) SELECT 70, 'x' "
        "SELECT COUNT(*) AS n FROM Incoming WHERE Id = 70", [(1,)]),
    "updated rows with a variable into a table": (
        "CREATE TABLE #log (Id int, Told varchar(9)) DECLARE @r varchar(9) = 'run' "
        "UPDATE Stock SET Price = 1 OUTPUT inserted.Id, @r INTO #log WHERE Id < 3 "
        "SELECT COUNT(*) AS n, MIN(Told) AS t FROM #log", [(2, "run")]),
    "changes of a temporary table": (
        "SELECT Id, Item INTO #t FROM Stock DELETE #t FROM #T LEFT JOIN Incoming i ON i.Id = #t.ID WHERE #T.Id = 1 "
        "AND i.Id IS NULL; WITH a AS (SELECT *, ROW_NUMBER() OVER (ORDER BY Id) n FROM #t) DELETE FROM a WHERE n > 1 "
        "SELECT #t.Id FROM #t WHERE #T.Id > 0", [(2,)]),
    "changes of rows that are new": (
        "INSERT INTO Stock (Id, Item) VALUES (4, 'OPV'), (5, 'x'); DELETE TOP (10) FROM Stock WHERE Id > 1; "
        "SELECT Id FROM Stock", [(1,)]),
    "a column called output": (
        "CREATE TABLE Made (output int, n int) INSERT INTO Made (output, n) VALUES (1, 2) UPDATE Made SET output = 5 "
        "WHERE n = 2 UPDATE Made SET n = output + 1 INSERT INTO Made SELECT output, n FROM Made "
        "DELETE FROM Made WHERE output = 4 SELECT MAX(output) AS a, MAX(n) AS b, COUNT(*) AS c FROM Made", [(5, 6, 2)]),
    "columns called open and close": ("SELECT [close], open FROM (SELECT 1 AS open, 2 AS [close]) p", [(2, 1)]),
    "what rows were before an update": (
        "UPDATE s SET Price = Price + 1, Item = i.Item OUTPUT deleted.Id, deleted.Price AS old, inserted.Price, "
        "inserted.Item FROM Stock s JOIN Incoming i ON i.Id = s.Id", [(2, 1.25, 2.25, "BCG 20")]),
    "all of what rows were": ("UPDATE Stock SET Id = 2.7 OUTPUT deleted.*, inserted.Id AS n WHERE Id = 1",
                              [(1, "OPV", 2.5, "2024-01-01T23:00:00", 2)]),
    "what rows were into a table": (
        "CREATE TABLE #log (Id int, Old varchar(20), New varchar(20)) UPDATE Stock SET Item = 'x' "
        "OUTPUT deleted.Id, deleted.Item, inserted.Item INTO #log WHERE Id = 3 SELECT @@ROWCOUNT, * FROM #log",
        [(1, 3, "MR", "x")]),
    "a row from a queue": (
        "UPDATE TOP (1) Stock SET Item = 'busy' OUTPUT deleted.Id INTO Incoming (Id) WHERE Id > 1 "
        "SELECT COUNT(DISTINCT s.Id) FROM Incoming i JOIN Stock s ON s.Id = i.Id AND s.Item = 'busy'", [(1,)]),
    "variables of an update": (
        "DECLARE @o varchar(20), @n varchar(20), @id int UPDATE Stock SET @o = Item, @n = Item = 'new', @id = Id "
        "WHERE Id = 2 SELECT @o, @n, @id, (SELECT Item FROM Stock WHERE Id = 2)", [("BCG", "new", 2, "new")]),
    "what rows of a WITH were": (
        "WITH low AS (SELECT Id AS k, Item FROM Stock WHERE Id < 3) UPDATE low SET Item = 'q' "
        "OUTPUT deleted.Item AS o, inserted.Item AS n WHERE k = 2", [("BCG", "q")]),
    "nothing but variables of an update": (
        "DECLARE @x varchar(20) UPDATE Stock SET @x = Item WHERE Id = 2 SELECT @x", [("BCG",)]),
    "what a MERGE has done": (
        "DECLARE @done TABLE (act varchar(10), Old int, New int, Item varchar(20)) "
        "MERGE Stock AS t USING (SELECT * FROM Incoming) AS s ON t.ID = s.id WHEN MATCHED AND t.Item <> s.Item THEN "
        "UPDATE SET t.Item = s.Item WHEN NOT MATCHED THEN INSERT (Id, Item) VALUES (s.Id, s.Item) "
        "WHEN NOT MATCHED BY SOURCE AND t.Id = 1 THEN UPDATE SET Item = 'gone' WHEN NOT MATCHED BY SOURCE THEN DELETE "
        "OUTPUT $action, deleted.Id, inserted.Id, inserted.Item INTO @done; "
        "SELECT * FROM @done ORDER BY COALESCE(Old, New)",
        [("UPDATE", 1, 1, "gone"), ("UPDATE", 2, 2, "BCG 20"), ("DELETE", 3, None, None), ("INSERT", None, 4, "PCV")]),
    "rows from what a MERGE has done": (
        "INSERT INTO Incoming SELECT k, act FROM (MERGE Stock AS t USING Incoming AS s ON t.Id = s.Id "
        "WHEN MATCHED THEN UPDATE SET t.Item = s.Item WHEN NOT MATCHED THEN INSERT (Id, Item) VALUES (s.Id, s.Item) "
        "OUTPUT $action, inserted.Id) AS m (act, k) WHERE act = 'INSERT' "
        "SELECT @@ROWCOUNT, Id FROM Incoming WHERE Item = 'INSERT'", [(1, 4)]),
    "what a statement that is made returns": (
        "DECLARE @x int EXEC @x = sp_executesql N'DELETE FROM Stock' SELECT @x", [(0,)]),
    "how many rows a MERGE has changed": (
        "MERGE Stock AS t USING Incoming AS s ON t.Id = s.Id WHEN MATCHED THEN UPDATE SET t.Item = s.Item "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE; SELECT @@ROWCOUNT, COUNT(*) FROM Stock", [(3, 1)]),
    "changes where a cursor stands": (
        "DECLARE @id int, @n int = 0 DECLARE c CURSOR FOR SELECT Id FROM Stock WHERE Id < 3 ORDER BY Id FOR UPDATE "
        "OPEN c FETCH NEXT FROM c INTO @id WHILE @@FETCH_STATUS = 0 BEGIN SET @n += 1 IF @id = 1 "
        "UPDATE Stock SET Item = CONCAT('x', @n) WHERE CURRENT OF c ELSE DELETE FROM dbo.Stock WHERE CURRENT OF c; "
        "FETCH NEXT FROM c INTO @id END CLOSE c DEALLOCATE c SELECT Id, Item FROM Stock ORDER BY Id",
        [(1, "x1"), (3, "MR")]),
    "time that goes on within a transaction": (
        "DECLARE @a datetime2 = SYSDATETIME(), @i int = 0 WHILE @i < 20 SET @i += 1 "
        "SELECT CASE WHEN DATEDIFF(microsecond, @a, SYSDATETIME()) > 0 THEN 1 ELSE 0 END AS later, "
        "CASE WHEN GETDATE() = GETDATE() THEN 1 ELSE 0 END AS same", [(1, 1)]),
    "a variable of one letter": ("DECLARE @v varchar = 'abc', @w varchar(2) = 'abc' SELECT @v, @w", [("a", "ab")]),
    "blanks at the end of texts in a list": (
        "DECLARE @cols nvarchar(max) = N'', @sql nvarchar(max) SELECT @cols += N', ' + QUOTENAME(Item) FROM Stock "
        "WHERE Id < 3 ORDER BY Id SET @sql = N'SELECT ' + STUFF(@cols, 1, 2, N'') + N' FROM (SELECT Item, Price "
        "FROM Stock) s PIVOT (SUM(Price) FOR Item IN (' + STUFF(@cols, 1, 2, N'') + N')) p' EXEC (@sql)",
        [(2.5, 1.25)]),
    "the number of a new row of a temporary table": (
        "CREATE TABLE #log (Id int IDENTITY, n int) INSERT INTO #log (n) VALUES (1), (1) "
        "DECLARE @a int = SCOPE_IDENTITY(), @t TABLE (Id int IDENTITY(5,5), n int) INSERT @t (n) VALUES (1), (2) "
        "SELECT @a, SCOPE_IDENTITY()", [(2, 10)]),
    "days of a recursive WITH": (
        "WITH d AS (SELECT CAST('20240228' AS date) AS dt UNION ALL SELECT DATEADD(day, 1, dt) FROM d "
        "WHERE dt < '20240301') SELECT CONVERT(int, CONVERT(char(8), MAX(dt), 112)), COUNT(*) FROM d", [(20240301, 3)]),
    "a variable of a name": (
        "DECLARE @t sysname = 'Stock', @n int, @s nvarchar(99) SET @s = N'SELECT @c = COUNT(*) FROM ' + QUOTENAME(@t) "
        "EXEC sp_executesql @s, N'@c int OUTPUT', @c = @n OUTPUT SELECT @n", [(3,)]),
    "no new row": ("SELECT SCOPE_IDENTITY() AS a", [(None,)]),
    "what was inserted": (
        "CREATE TABLE Logs (Id int IDENTITY(5,1), Item varchar(10)) "
        "INSERT INTO Logs (Item) OUTPUT inserted.Id, inserted.Item AS x VALUES ('c')", [(5, "c")],
    ),
    "steps": ("DECLARE @a int = 7 SET @a -= 2 SET @a *= 2 + 1 SELECT @a", [(15,)]),
    "a text that grows from row to row": (
        "DECLARE @s varchar(100), @n int = 0 SELECT @n += Id, @s = COALESCE(@s + ', ', '') + CONCAT(Item, ' ', @n) "
        "FROM Stock WHERE Id < 3 ORDER BY Id DESC SELECT @s AS s, @n AS n, @@ROWCOUNT AS r", [("BCG 2, OPV 3", 3, 2)]),
    "a sum that shrinks from row to row": (
        "DECLARE @m decimal(9,2) = 100, @n int SELECT @m = @m - ISNULL(Price, 1) FROM Stock "
        "SELECT @n = ISNULL(@n, 0) + COUNT(*) FROM Stock GROUP BY Item SELECT @m AS m, @n AS n", [(95.25, 3)]),
}  # fmt: skip


KEPT = "SELECT Id, Item FROM Stock ORDER BY Id"
ONLY_2 = [(1, "OPV"), (2, "BCG 20"), (3, "MR")]
CHANGES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a DELETE without FROM": ("DELETE dbo.Stock WHERE Id > 1", [(1, "OPV")]),
    "a DELETE with two FROM": ("DELETE FROM Stock FROM Stock s JOIN Incoming i ON i.Id = s.Id",
                               [(1, "OPV"), (3, "MR")]),
    "a DELETE by the table's own name": ("DELETE Stock FROM Stock s JOIN Incoming i ON i.Id = s.Id",
                                         [(1, "OPV"), (3, "MR")]),
    "an UPDATE by the table's own name": (
        "UPDATE Stock SET Item = i.Item FROM dbo.Stock s JOIN Incoming i ON i.Id = s.Id", ONLY_2),
    "an UPDATE of the second table": (
        "UPDATE s SET s.Item = i.Item FROM Incoming i JOIN Stock s ON i.Id = s.Id", ONLY_2),
    "an UPDATE from another table": ("UPDATE Stock SET Item = i.Item FROM Incoming i WHERE i.Id = Stock.Id", ONLY_2),
    "a DELETE of what has no match": (
        "DELETE s FROM Stock s LEFT JOIN Incoming i ON i.Id = s.Id WHERE i.Id IS NULL", [(2, "BCG")]),
    "an UPDATE with an outer join": (
        "UPDATE s SET Item = ISNULL(i.Item, 'none') FROM Stock s LEFT JOIN Incoming i ON i.Id = s.Id WHERE s.Id > 1",
        [(1, "OPV"), (2, "BCG 20"), (3, "none")]),
    "doubled rows deleted by a WITH": (
        "INSERT INTO Stock (Id, Item) VALUES (4, 'OPV'); WITH twice AS (SELECT Id, ROW_NUMBER() OVER "
        "(PARTITION BY Item ORDER BY Id DESC) AS n FROM Stock) DELETE FROM twice WHERE n > 1",
        [(2, "BCG"), (3, "MR"), (4, "OPV")]),
    "an UPDATE of a WITH": (
        "WITH low AS (SELECT Id AS K, Item AS It FROM dbo.Stock s) UPDATE low SET It = CONCAT('no ', K) WHERE K = 2",
        [(1, "OPV"), (2, "no 2"), (3, "MR")]),
    "an UPDATE with an APPLY": (
        "UPDATE t SET t.Item = x.m FROM Stock t CROSS APPLY (SELECT MAX(i.Item) AS m FROM Incoming i "
        "WHERE i.Id = t.Id) x WHERE t.Id < 3", [(1, None), (2, "BCG 20"), (3, "MR")]),
    "a DELETE of so many rows": ("DELETE TOP (1) FROM Stock WHERE Id > 2 DELETE TOP (5) s FROM Stock s WHERE s.Id = 1",
                                 [(2, "BCG")]),
    "a DELETE in portions": ("WHILE 1 = 1 BEGIN DELETE TOP (2) FROM Stock IF @@ROWCOUNT < 2 BREAK END", []),
    "an UPDATE of so many rows": ("DECLARE @n int = 1 UPDATE TOP (@n) Stock SET Item = 'u' WHERE Id = 1",
                                  [(1, "u"), (2, "BCG"), (3, "MR")]),
    "an UPDATE in steps": ("UPDATE Stock SET Id += 10, Item += CASE WHEN Id = 1 THEN 'x' ELSE '' END WHERE Id < 3",
                           [(3, "MR"), (11, "OPVx"), (12, "BCG")]),
    "a DELETE of a share": ("DELETE TOP (34) PERCENT FROM Stock WHERE Id > 2 DELETE TOP (60) PERCENT s FROM Stock s "
                            "WHERE Id < 2", [(2, "BCG")]),
    "so many rows of a WITH": ("WITH a AS (SELECT * FROM Stock WHERE Id < 2) DELETE TOP (1) FROM a",
                               [(2, "BCG"), (3, "MR")]),
    "an INSERT of so many rows": ("INSERT TOP (1) INTO Stock (Id, Item) SELECT 9, Item FROM Stock WHERE Id = 1",
                                  [(1, "OPV"), (2, "BCG"), (3, "MR"), (9, "OPV")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), CHANGES.values(), ids=CHANGES)
def test_a_change_takes_the_rows_that_it_takes_in_sql_server(
    place: Place, text: str, rows: list[tuple[Any, ...]]
) -> None:
    assert _values(place, f"{text} {KEPT}") == rows


@pytest.mark.parametrize(("text", "rows"), RUN.values(), ids=RUN)
def test_a_program_means_the_same(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert _values(place, text) == rows


def test_what_is_told_with_little_severity_is_printed(place: Place) -> None:
    assert _script(place, "RAISERROR('%s is low, 100%%', 10, 1, 'OPV') WITH NOWAIT")["outputLogs"] == "OPV is low, 100%"


FAILS = {
    "divided by nothing": ("SELECT Price / (Id - Id) AS a FROM Stock WHERE Price > 0", "[Dd]ivi(de|sion) by zero"),
    "a cursor that is not there": ("OPEN c", "no cursor 'c'"),
    "a cursor that is not open": ("DECLARE c CURSOR FOR SELECT 1 AS a FETCH NEXT FROM c", "not open"),
    "a cursor that is opened twice": ("DECLARE c CURSOR FOR SELECT 1 AS a OPEN c OPEN c", "open already"),
    "too few variables": ("DECLARE @a int DECLARE c CURSOR FOR SELECT 1 AS a, 2 AS b OPEN c FETCH c INTO @a",
                          "gives 2 columns, and 1 variables"),
    "a variable that is not there": ("DECLARE c CURSOR FOR SELECT 1 AS a OPEN c FETCH c INTO @a", "@a, which nothing"),
    "a value that does not fit": ("DECLARE @a int DECLARE c CURSOR FOR SELECT Item FROM Stock OPEN c FETCH c INTO @a",
                                  "OPV|BCG"),
    "thrown": ("THROW 50001, 'no cold chain', 1", "^no cold chain"),
    "raised": ("DECLARE @m varchar(20) = 'cold' RAISERROR(@m, 16, 1)", "^cold"),
    "thrown on": ("BEGIN TRY SELECT 1 / (Id - 1) FROM Stock INSERT INTO Nowhere VALUES (1) END TRY "
                  "BEGIN CATCH IF @@TRANCOUNT > 0 ROLLBACK; THROW; END CATCH", "[Nn]owhere|zero"),
    "told by its message": ("BEGIN TRY INSERT INTO Stock (Id) VALUES ('x') END TRY BEGIN CATCH "
                            "DECLARE @m nvarchar(400) = 'failed: ' + ERROR_MESSAGE() RAISERROR(@m, 16, 1) END CATCH",
                            "^failed: .*x"),
    "rolled back and gone on": (
        "BEGIN TRY THROW 50001, 'x', 1 END TRY BEGIN CATCH ROLLBACK END CATCH", "rolls back, and ends without an error"
    ),
    "how many rows were given": ("SELECT 1 AS a DECLARE @n int = @@ROWCOUNT", "@@ROWCOUNT of a query"),
    "told by what cannot be computed": (
        "BEGIN TRY INSERT INTO Nowhere VALUES (1) END TRY BEGIN CATCH DECLARE @n int = CAST(ERROR_MESSAGE() AS int) "
        "END CATCH", "cannot compute a value|[Ii]nvalid input syntax",
    ),
    "what cannot be translated": (
        "BEGIN TRY DELETE FROM Stock OUTPUT inserted.Id END TRY BEGIN CATCH PRINT 'x' END CATCH", "an OUTPUT of"
    ),
    "an update that goes on with its own variable": (
        "DECLARE @n int = 0 UPDATE Stock SET @n = @n + 1, Id = @n", "goes on with its own variables"),
    "a new number that is not known yet": (
        "CREATE TABLE Made (Id int IDENTITY(1,1), Item varchar(9)) MERGE Made AS t USING Incoming AS s ON t.Id = s.Id "
        "WHEN NOT MATCHED THEN INSERT (Item) VALUES ('x') OUTPUT inserted.Id;", "which the INSERT does not give"),
    "a cursor of two tables": (
        "DECLARE c CURSOR FOR SELECT s.Id FROM Stock s JOIN Incoming i ON i.Id = s.Id OPEN c FETCH c "
        "DELETE FROM Stock WHERE CURRENT OF c", "not those of one table"),
    "a cursor before its first row": (
        "DECLARE c CURSOR FOR SELECT Id FROM Stock OPEN c DELETE FROM Stock WHERE CURRENT OF c", "stands at no row"),
    "a row that is gone": (
        "DECLARE c CURSOR FOR SELECT Id FROM Stock OPEN c FETCH c DELETE FROM Stock "
        "UPDATE Stock SET Id = 1 WHERE CURRENT OF c", "changed or deleted since"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), FAILS.values(), ids=FAILS)
def test_an_error_of_a_program_takes_all_of_it_back(place: Place, text: str, says: str) -> None:
    with pytest.raises(ManaraError, match=says):
        _script(place, f"DELETE FROM Stock WHERE Id = 1 {text}")
    assert _values(place, "SELECT COUNT(*) FROM Stock") == [(3,)]


GOES_ON = """
CREATE TABLE Keyed (Id int NOT NULL PRIMARY KEY)
INSERT INTO Keyed VALUES (1)
BEGIN TRY
    INSERT INTO Keyed VALUES (2)
    INSERT INTO Keyed VALUES (1)
END TRY
BEGIN CATCH
    INSERT INTO Keyed VALUES (5)
END CATCH
SELECT Id FROM Keyed ORDER BY Id
"""


def test_a_catch_goes_on_where_the_database_can(place: Place) -> None:
    if place.warehouse is not None:
        assert _values(place, GOES_ON) == [(1,), (2,), (5,)]
    else:
        with pytest.raises(ManaraError, match=r"The CATCH goes on after it.*PostgreSQL.*Not run.*VALUES \(5\)"):
            _script(place, GOES_ON)


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


DOCUMENT = '{"of": "x", "rows": [{"Id": 1, "n": 2.5, "ok": true, "at": {"b c": ["p", "q"]}}, {"Id": 2, "n": null}]}'
JSON = {
    "columns": (
        "SELECT * FROM OPENJSON(@j, '$.rows') WITH (Id int, amount decimal(9,2) '$.n', ok bit, "
        "at nvarchar(max) AS JSON, q varchar(9) '$.at.\"b c\"[1]') AS x ORDER BY Id",
        [(1, 2.5, 1, '{"b c":["p","q"]}', "q"), (2, None, None, None, None)],
    ),
    "one object": ("SELECT kind FROM OPENJSON(@j) WITH (kind varchar(9) '$.of', none varchar(9)) x", [("x",)]),
    "keys": ("SELECT [key], value, type FROM OPENJSON(@j, '$.rows[0]') WHERE type < 5 ORDER BY [key]",
             [("Id", "1", 2), ("n", "2.5", 2), ("ok", "true", 3)]),
    "elements": ("SELECT [key] AS k, value AS v FROM OPENJSON('[\"a\", 7, [1]]') ORDER BY [key]",
                 [("0", "a"), ("1", "7"), ("2", "[1]")]),
    "nothing": ("SELECT COUNT(*) AS n FROM OPENJSON(NULL) WITH (a int)", [(0,)]),
    "values": ("SELECT JSON_VALUE(@j, '$.of') AS a, JSON_VALUE(@j, '$.rows') AS b, "
               "JSON_QUERY(@j, '$.rows[0].at.\"b c\"') AS c, JSON_QUERY(@j, '$.of') AS d",
               [("x", None, '["p","q"]', None)]),
    "one in another": ("SELECT JSON_VALUE(JSON_QUERY(@j, '$.rows[0]'), '$.n') AS a", [("2.5",)]),
    "applied": ("SELECT s.Id, x.v FROM Stock s CROSS APPLY OPENJSON(CONCAT('[', s.Id, ',9]')) WITH (v int '$') AS x "
                "WHERE s.Id < 2 ORDER BY x.v", [(1, 1), (1, 9)]),
    "inserted": ("INSERT INTO Stock (Id, Item) SELECT Id + 70, kind FROM OPENJSON(@j, '$.rows') "
                 "WITH (Id int, kind varchar(5) '$.none') SELECT COUNT(*) AS n FROM Stock WHERE Id > 70", [(2,)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), JSON.values(), ids=JSON)
def test_json_is_read(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    found = _values(place, f"DECLARE @j nvarchar(max) = '{DOCUMENT}' {text}")
    assert [tuple(_plain(value) for value in row) for row in found] == rows


def _plain(value: Any) -> Any:
    """Return a document without blanks between its parts, which PostgreSQL writes."""
    return re.sub(r"(?<=[:,]) ", "", value) if isinstance(value, str) else value
