"""Programs in T-SQL on DuckDB and PostgreSQL: loops, TRY and CATCH, table variables, stored procedures as written."""

from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Place

from manara.errors import ManaraError

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
    "what a statement that is made returns": (
        "DECLARE @x int EXEC @x = sp_executesql N'DELETE FROM Stock' SELECT @x", [(0,)]),
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
    "steps": ("DECLARE @a int = 7 SET @a -= 2 SET @a *= 2 + 1 SELECT @a", [(15,)]),
    "a text that grows from row to row": (
        "DECLARE @s varchar(100), @n int = 0 SELECT @n += Id, @s = COALESCE(@s + ', ', '') + CONCAT(Item, ' ', @n) "
        "FROM Stock WHERE Id < 3 ORDER BY Id DESC SELECT @s AS s, @n AS n, @@ROWCOUNT AS r", [("BCG 2, OPV 3", 3, 2)]),
    "a sum that shrinks from row to row": (
        "DECLARE @m decimal(9,2) = 100, @n int SELECT @m = @m - ISNULL(Price, 1) FROM Stock "
        "SELECT @n = ISNULL(@n, 0) + COUNT(*) FROM Stock GROUP BY Item SELECT @m AS m, @n AS n", [(95.25, 3)]),
}  # fmt: skip


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
