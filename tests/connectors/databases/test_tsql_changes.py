"""INSERT, UPDATE, DELETE and MERGE of T-SQL on DuckDB and PostgreSQL: which rows they take, and what they put out."""

from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Place

from manara.errors import WrongDefinition

__all__ = ["place"]

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


PUT_OUT: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
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
    "what was inserted": (
        "CREATE TABLE Logs (Id int IDENTITY(5,1), Item varchar(10)) "
        "INSERT INTO Logs (Item) OUTPUT inserted.Id, inserted.Item AS x VALUES ('c')", [(5, "c")],
    ),
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
    "how many rows a MERGE has changed": (
        "MERGE Stock AS t USING Incoming AS s ON t.Id = s.Id WHEN MATCHED THEN UPDATE SET t.Item = s.Item "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE; SELECT @@ROWCOUNT, COUNT(*) FROM Stock", [(3, 1)]),
    "a number in a column of texts": (
        "UPDATE Stock SET Item = 5 OUTPUT deleted.Item AS o, inserted.Item AS n WHERE Id = 1", [("OPV", "5")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), PUT_OUT.values(), ids=PUT_OUT)
def test_a_change_puts_out_what_it_does(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert _values(place, text) == rows


REFUSED = {
    "an update that goes on with its own variable": (
        "DECLARE @n int = 0 UPDATE Stock SET @n = @n + 1, Id = @n", "goes on with its own variables"),
    "a new number that is not known yet": (
        "CREATE TABLE Made (Id int IDENTITY(1,1), Item varchar(9)) MERGE Made AS t USING Incoming AS s ON t.Id = s.Id "
        "WHEN NOT MATCHED THEN INSERT (Item) VALUES ('x') OUTPUT inserted.Id;", "which the INSERT does not give"),
    "rows that are found twice": (
        "INSERT INTO Incoming VALUES (2, 'second') UPDATE s SET Item = i.Item OUTPUT deleted.Id, inserted.Item "
        "FROM Stock s JOIN Incoming i ON i.Id = s.Id", "finds a row more than once"),
    "rows of a WITH and of others": (
        "WITH low AS (SELECT Id, Item FROM Stock) UPDATE l SET Item = i.Item OUTPUT deleted.Item FROM low l "
        "JOIN Incoming i ON i.Id = l.Id", "of what a WITH names and of others"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_open_is_told(place: Place, text: str, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        _script(place, text)
