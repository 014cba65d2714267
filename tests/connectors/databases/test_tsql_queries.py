"""Queries of T-SQL that other databases say otherwise: FOR JSON, FOR XML, TOP of a share, ties, APPLY, PIVOT."""

import json
import re
from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Place

from manara.errors import WrongDefinition

__all__ = ["place"]

AS_JSON: dict[str, tuple[str, Any]] = {
    "rows of a table": (
        "CREATE TABLE Made (Id int, Item varchar(9), Seen datetime, Own bit) INSERT INTO Made SELECT Id, Item, Seen, 1 "
        "FROM Stock SELECT m.* FROM dbo.Made m WHERE m.Id > 1 ORDER BY m.Id DESC FOR JSON AUTO",
        [{"Id": 3, "Item": "MR", "Own": True},
         {"Id": 2, "Item": "BCG", "Seen": "2024-01-02T01:00:00", "Own": True}],
    ),
    "nested names": (
        "SELECT Id AS 'a.id', Item AS [a.b.item], Price AS price, Seen AS [s.t] FROM Stock s WHERE s.ID = 3 "
        "FOR JSON PATH, ROOT('stock')", {"stock": [{"a": {"id": 3, "b": {"item": "MR"}}}]},
    ),
    "what is missing": (
        "SELECT Id, Price FROM Stock WHERE Id = 3 FOR JSON PATH, INCLUDE_NULL_VALUES", [{"Id": 3, "Price": None}]),
    "without an array": ("SELECT 1 AS a, 'x/\"é' AS b FOR JSON PATH, WITHOUT_ARRAY_WRAPPER", {"a": 1, "b": "x/\"é"}),
    "rows of other rows": (
        "SELECT s.Id, (SELECT i.Item AS x FROM Incoming i WHERE i.Id = s.Id FOR JSON PATH) AS items, "
        "JSON_QUERY('{\"k\": [1]}', '$.k') AS k FROM Stock s WHERE s.Id < 3 ORDER BY s.Id FOR JSON PATH",
        [{"Id": 1, "k": [1]}, {"Id": 2, "items": [{"x": "BCG 20"}], "k": [1]}],
    ),
    "a union": ("SELECT Id FROM Stock UNION ALL SELECT 9 ORDER BY Id FOR JSON PATH",
                [{"Id": 1}, {"Id": 2}, {"Id": 3}, {"Id": 9}]),
    "a WITH": ("WITH a AS (SELECT Id AS n FROM Stock) SELECT TOP 1 n FROM a ORDER BY n DESC FOR JSON PATH", [{"n": 3}]),
    "a variable": ("DECLARE @j nvarchar(max) = (SELECT Item FROM Stock WHERE Id = 1 FOR JSON PATH) SELECT @j AS j",
                   [{"Item": "OPV"}]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), AS_JSON.values(), ids=AS_JSON)
def test_rows_become_json(place: Place, text: str, found: Any) -> None:
    [(told,)] = _values(place, text)
    assert json.loads(told) == found


def test_no_rows_are_no_json(place: Place) -> None:
    assert _values(place, "SELECT Id FROM Stock WHERE Id > 9 FOR JSON PATH") == []
    assert _values(place, "SELECT (SELECT Id FROM Stock WHERE Id > 9 FOR JSON PATH) AS j") == [(None,)]


MORE = "INSERT INTO Stock (Id, Item) VALUES (5, 'MR'), (6, 'MR')"
QUERIES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "texts put together": ("SELECT STUFF((SELECT ', ' + Item FROM Stock ORDER BY Id DESC FOR XML PATH('')), 1, 2, '')",
                           [("MR, BCG, OPV",)]),
    "texts of each row": (
        "SELECT s.Id, STUFF((SELECT DISTINCT ',' + i.Item + '&' FROM Incoming i WHERE i.Id >= s.Id "
        "FOR XML PATH(''), TYPE).value('.', 'NVARCHAR(MAX)'), 1, 1, '') AS x, "
        "(SELECT '<' + i.Item AS [text()] FROM Incoming i WHERE i.Id = s.Id FOR XML PATH('')) AS y "
        "FROM Stock s WHERE s.Id > 1 ORDER BY s.Id",
        [(2, "BCG 20&,PCV&", "&lt;BCG 20"), (3, "PCV&", None)]),
    "half of the rows": ("SELECT TOP 50 PERCENT Id FROM Stock ORDER BY Id DESC", [(3,), (2,)]),
    "all rows": ("SELECT TOP 100 PERCENT Id FROM Stock ORDER BY Id", [(1,), (2,), (3,)]),
    "a share from a variable": ("DECLARE @p int = 34 SELECT TOP (@p) PERCENT Id FROM Stock ORDER BY Id", [(1,), (2,)]),
    "the first of each": (f"{MORE} SELECT x.Id FROM (SELECT TOP 1 WITH TIES Id, Item FROM Stock "
                          "ORDER BY ROW_NUMBER() OVER (PARTITION BY Item ORDER BY Id DESC)) x ORDER BY x.Id",
                          [(1,), (2,), (6,)]),
    "ties of groups": (f"{MORE} SELECT COUNT(*) FROM (SELECT TOP (2) WITH TIES Item, COUNT(*) AS n FROM Stock "
                       "GROUP BY Item ORDER BY n DESC) x", [(3,)]),
    "ties by a place": (f"{MORE} SELECT TOP 1 WITH TIES Item, Id FROM Stock ORDER BY 1 DESC, 2", [("OPV", 1)]),
    "ties into a table": ("SELECT TOP 1 WITH TIES Id INTO #x FROM Stock ORDER BY Price SELECT * FROM #x", [(3,)]),
    "a PIVOT": (
        "SELECT * FROM (SELECT Item, Price, Id % 2 AS Odd FROM Stock) s "
        "PIVOT (SUM(Price) FOR Item IN ([OPV], [BCG])) p ORDER BY Odd", [(0, None, 1.25), (1, 2.5, None)]),
    "a PIVOT of a table": (
        "SELECT Id, OPV, p.BCG FROM Stock PIVOT (MAX(Price) FOR Item IN ([OPV],[BCG])) AS p WHERE Id < 3 ORDER BY Id",
        [(1, 2.5, None), (2, None, 1.25)]),
    "a PIVOT by numbers": (
        "SELECT p.[1], p.[3] FROM (SELECT Id, Price FROM Stock) AS s PIVOT (COUNT(Price) FOR Id IN ([1], [3])) AS p",
        [(1, 0)]),
    "an UNPIVOT": (
        "SELECT * FROM (SELECT Id, CAST(Price AS decimal(9,2)) AS a, CAST(Id AS decimal(9,2)) AS b FROM Stock) s "
        "UNPIVOT (v FOR k IN (a, b)) AS u WHERE Id > 1 ORDER BY Id, k",
        [(2, 1.25, "a"), (2, 2, "b"), (3, 3, "b")]),
    "an UNPIVOT of a table, joined": (
        "SELECT u.Id, k, u.v FROM (SELECT * FROM Stock) s UNPIVOT (v FOR k IN (Item)) u JOIN Incoming i ON i.Id = u.Id",
        [(2, "Item", "BCG")]),
    "texts compared without regard to case": (
        "SELECT Id FROM Stock WHERE (Item COLLATE SQL_Latin1_General_CP1_CI_AS = 'opV' "
        "OR Item COLLATE Latin1_General_CI_AS IN ('bcg', 'x')) AND NOT Item COLLATE Latin1_General_CI_AS LIKE 'op_x%' "
        "ORDER BY Item COLLATE Latin1_General_CI_AS", [(2,), (1,)]),
    "numbers in a list of texts": (
        "DECLARE @ids varchar(20) = '1, 3' SELECT Id FROM Stock WHERE Id IN "
        "(SELECT value FROM STRING_SPLIT(@ids, ',')) ORDER BY Id", [(1,), (3,)]),
    "texts joined by numbers": (
        "CREATE TABLE #t (k varchar(9)) INSERT #t VALUES ('2'), ('3') UPDATE #t SET k = 1 WHERE k = 3 "
        "SELECT s.Id FROM Stock s JOIN #t t ON t.k = s.Id ORDER BY 1", [(1,), (2,)]),
    "an OUTER APPLY": (
        "SELECT s.Id, x.Item FROM Stock s OUTER APPLY (SELECT TOP 1 i.Item FROM Incoming i WHERE i.Id > s.Id + 1 "
        "ORDER BY i.Id) x WHERE s.Id > 1 ORDER BY s.Id", [(2, "PCV"), (3, None)]),
    "a CROSS APPLY of values": (
        "SELECT s.Id, x.v FROM Stock s CROSS APPLY (VALUES (s.Id), (7)) AS x(v) JOIN Incoming i ON i.Id = s.Id "
        "ORDER BY x.v", [(2, 2), (2, 7)]),
    "an APPLY of a split": (
        "SELECT s.Id, j.value FROM Stock s OUTER APPLY STRING_SPLIT(s.Item, 'P') j WHERE s.Id < 3 ORDER BY 1, 2",
        [(1, "O"), (1, "V"), (2, "BCG")]),
    "an APPLY of JSON": (
        "SELECT s.Id, j.a FROM Stock s OUTER APPLY OPENJSON('{\"a\":5}') WITH (a int) j WHERE s.Id = 1", [(1, 5)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), QUERIES.values(), ids=QUERIES)
def test_a_query_gives_what_sql_server_gives(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert _values(place, text) == rows


REFUSED = {
    "SELECT Id FROM Stock WHERE Item COLLATE Latin1_General_CI_AI = 'opV'": "COLLATE Latin1_General_CI_AI",
    "SELECT Id FROM Stock FOR XML AUTO": "FOR XML, but for the PATH",
    "SELECT Item FROM Stock FOR XML PATH('')": "FOR XML, but for the PATH",
    "SELECT Id, Item + 'x' FROM Stock FOR JSON PATH": "a column without a name",
    "SELECT Id, Id AS Id FROM Stock FOR JSON PATH": "two columns 'Id'",
    "SELECT Id AS a, Item AS [a.b] FROM Stock FOR JSON PATH": "a value and an object",
    "SELECT s.Id FROM Stock s JOIN Incoming i ON i.Id = s.Id FOR JSON AUTO": "AUTO of several tables",
    "SELECT * FROM (SELECT 1 AS a) x FOR JSON PATH": "from what is no table",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_known_is_told(place: Place, text: str, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        _script(place, text)


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
