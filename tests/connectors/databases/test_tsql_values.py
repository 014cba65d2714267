"""Expressions of T-SQL give on a stand-in what SQL Server gives for them."""

from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Place

from manara.errors import ManaraError, WrongDefinition

__all__ = ["place"]

VALUES: dict[str, Any] = {
    # a cast to a whole number cuts
    "CAST(2.7 AS int)": 2, "CAST(-2.7 AS int)": -2, "CONVERT(smallint, 2.5)": 2, "CAST('7' AS int)": 7,
    "CAST(CAST(2.7 AS float) AS bigint)": 2, "CAST(2.567 AS decimal(9,2))": 2.57,
    "(SELECT CAST(v.x AS int) FROM (VALUES (2.7)) v(x))": 2, "(SELECT CAST(x AS int) FROM (VALUES ('12')) v(x))": 12,
    "CAST((SELECT SUM(v.x) FROM (VALUES (2.7), (1.2)) v(x)) AS int)": 3, "ROUND(2.567, 2, 1)": 2.56,
    "ROUND(2.567, 2)": 2.57,
    "ROUND(-2.5, 0, 0)": -3, "CAST(5 AS bit)": 1, "CAST(0.5 AS bit)": 1, "CAST(0 AS bit)": 0,
    "N'a ' + N'b'": "a b", "CAST(DATEADD(day, 1, CAST('20240131' AS date)) AS varchar(20))": "2024-02-01",
    "'DATEADD(mm, 1, x), a += b'": "DATEADD(mm, 1, x), a += b", "5.0 / '2'": 2.5, "-7 / 2": -3, "-7 % 3": -1,
    # a week begins on Sunday
    "DATEPART(weekday, CAST('2024-02-04' AS date))": 1, "DATEPART(dw, '2024-02-03')": 7,
    "DATEPART(week, CAST('2024-01-06' AS date))": 1, "DATEPART(week, CAST('2024-01-07' AS date))": 2,
    "DATEPART(ww, '2023-12-31')": 53, "DATEPART(iso_week, CAST('2024-01-07' AS date))": 1,
    "DATEPART(dayofyear, CAST('2024-02-01' AS date))": 32, "DATEPART(quarter, CAST('2024-05-01' AS date))": 2,
    "DATEPART(hour, '2024-02-01T10:11:12')": 10, "DATENAME(weekday, CAST('2024-02-04' AS date))": "Sunday",
    # the others
    "LEN('ab  ')": 2, "STUFF('abcdef', 2, 3, 'xx')": "axxef", "CONCAT('a', NULL, 1)": "a1", "IIF(NULL = NULL, 1, 0)": 0,
    "CHARINDEX('c', 'abcabc', 4)": 6, "CAST('abc' AS varchar(2))": "ab", "CHOOSE(2, 'a', 'b')": "b",
    "CONVERT(varchar(10), DATEFROMPARTS(2024, 2, 3), 120)": "2024-02-03",
    "(SELECT COUNT(*) FROM STRING_SPLIT('a,b,c', ','))": 3,
    "(SELECT MAX(value) FROM STRING_SPLIT('a,b,c', ',', 1) WHERE ordinal < 3)": "b",
    "(SELECT TOP 1 v.x FROM (VALUES (1), (NULL)) v(x) ORDER BY v.x)": None,
}  # fmt: skip


MOMENT = "CAST('2024-02-04T15:04:05.123' AS datetime)"
STYLES = {
    1: "02/04/24", 3: "04/02/24", 8: "15:04:05", 10: "02-04-24", 12: "240204", 20: "2024-02-04 15:04:05",
    21: "2024-02-04 15:04:05.123", 23: "2024-02-04", 101: "02/04/2024", 102: "2024.02.04", 103: "04/02/2024",
    104: "04.02.2024", 105: "04-02-2024", 106: "04 Feb 2024", 107: "Feb 04, 2024", 108: "15:04:05", 110: "02-04-2024",
    111: "2024/02/04", 112: "20240204", 113: "04 Feb 2024 15:04:05:123", 114: "15:04:05:123",
    120: "2024-02-04 15:04:05", 121: "2024-02-04 15:04:05.123", 126: "2024-02-04T15:04:05.123",
}  # fmt: skip
DAYS = (23, 101, 102, 103, 104, 105, 106, 110, 111, 112)
VALUES |= {f"CONVERT(varchar(30), {MOMENT}, {style})": text for style, text in STYLES.items()}
VALUES |= {f"CONVERT(varchar(30), CONVERT(date, '{STYLES[style]}', {style}), 120)": "2024-02-04" for style in DAYS}
VALUES |= {
    "CONVERT(varchar(8), CONVERT(datetime, '04/02/2024 15:04:05', 103), 108)": "15:04:05",
    "CONVERT(varchar(30), CONVERT(datetime, '2024-02-04T15:04:05', 126), 126)": "2024-02-04T15:04:05",
    "CONVERT(varchar(10), CAST('2024-02-04' AS date))": "2024-02-04", "CONVERT(varchar(9), 'text', 103)": "text",
    f"LEN(HASHBYTES('SHA2_256', CONCAT('a', {MOMENT})))": 64,
    f"CONVERT(varchar(30), {MOMENT})": "Feb  4 2024  3:04PM", f"CONVERT(varchar(9), {MOMENT}, 100)": "Feb  4 20",
    f"CAST(DATEADD(hour, -6, {MOMENT}) AS varchar)": "Feb  4 2024  9:04AM", "LEN(CONCAT('at ', GETDATE()))": 22,
    f"CONVERT(varchar(30), {MOMENT}, 109)": "Feb  4 2024  3:04:05:123PM",
    "CONVERT(varchar(30), CAST('2024-12-14T00:04:05' AS datetime2), 0)": "Dec 14 2024 12:04AM",
    "CONVERT(varchar(30), CAST('2024-02-04' AS date), 100)": "Feb  4 2024",
    # functions
    "PATINDEX('%[0-9]%', 'ab1c')": 3, "PATINDEX('%b_d%', 'abcd')": 2, "PATINDEX('ab%', 'xab')": 0,
    "PATINDEX('%cd', 'abcd')": 3, "ISNUMERIC('-1.5e3')": 1, "ISNUMERIC('1,000.5')": 1, "ISNUMERIC('x')": 0,
    "ISNUMERIC('')": 0, "STR(5.567, 6, 2)": "  5.57", "STR(123)": "       123", "STR(123456, 3)": "***",
    "COL_LENGTH('dbo.Stock', 'nope')": None, "QUOTENAME('a]b')": "[a]]b]", "QUOTENAME('x', '''')": "'x'",
    "CONVERT(varchar(32), HASHBYTES('MD5', 'OPV'), 2)": "7359269DF8658D3C8425F2C7A6C17E32",
    "LEFT(CONVERT(varchar(66), HASHBYTES('SHA2_256', 'a'), 1), 6)": "0xCA97", "NCHAR(66)": "B",
    "(SELECT VAR(v.x) FROM (VALUES (1), (2), (3)) v(x))": 1,
    "APP_NAME()": "Manara", "OBJECT_NAME(@@PROCID)": None,
    "FORMAT(1234567.891, 'N2')": "1,234,567.89", "FORMAT(1234, 'N0')": "1,234", "FORMAT(5, 'D3')": "005",
    "FORMAT(7, '000')": "007", "FORMAT(1.5, '0.00')": "1.50", "FORMAT(-1234.5, '#,##0.00')": "-1,234.50",
    "FORMAT(-5, '000', 'en-US')": "-005", "FORMAT(123456, '00')": "123456",
    f"FORMAT({MOMENT}, 'yyyyMMddHHmmssfff')": "20240204150405123", f"FORMAT({MOMENT}, 'd')": "2/4/2024",
    f"FORMAT({MOMENT}, 'ddd d MMM yy, h:mm tt')": "Sun 4 Feb 24, 3:04 PM",
    f"FORMAT({MOMENT}, 'yyyy-MM-ddTHH:mm:ss.fff')": "2024-02-04T15:04:05.123",
    f"FORMAT({MOMENT}, 'D')": "Sunday, February 4, 2024",
    f"FORMAT({MOMENT}, 'd MMMM \"the\" yyyy')": "4 February the 2024",
    f"FORMAT({MOMENT}, 'yyyy-MM', 'de-DE')": "2024-02", f"FORMAT({MOMENT}, 'o')": "2024-02-04T15:04:05.1230000",
    # texts that are read
    "CAST('' AS int)": 0, "TRY_CAST(' ' AS int)": 0, "TRY_CAST('2.7' AS int)": None, "TRY_CAST(' 5 ' AS int)": 5,
    "TRY_CAST('99999999999' AS int)": None, "TRY_CAST('12.345' AS decimal(9,2))": 12.35,
    "TRY_CAST('x' AS decimal(9,2))": None, "TRY_CAST('1e3' AS float)": 1000.0, "TRY_CAST('true' AS bit)": 1,
    "TRY_CAST('x' AS bit)": None, "CAST('20240203' AS date)": "2024-02-03T00:00:00",
    "TRY_CAST('2024-13-01' AS date)": None, "TRY_CAST('2024-02-30' AS date)": None,
    "TRY_CONVERT(datetime, '02/03/2024 10:00')": "2024-02-03T10:00:00", "CAST('' AS date)": "1900-01-01T00:00:00",
    "DATEADD(day, 1, '20240228')": "2024-02-29T00:00:00", "YEAR('20240101')": 2024,
    "EOMONTH('20240203')": "2024-02-29T00:00:00",
    # weeks, zones, beginnings, parts, and their short names
    "DATEADD(n, 1, CAST('20240131' AS datetime))": "2024-01-31T00:01:00",
    "DATEADD(y, 1, '20240131')": "2024-02-01T00:00:00",
    "DATEADD(m, 1, CAST('20240131' AS date))": "2024-02-29T00:00:00",
    "DATEADD(w, 1, '20240131')": "2024-02-01T00:00:00",
    "DATEADD(hh, 1, '20240131')": "2024-01-31T01:00:00", "DATEADD(ss, 1, '20240131')": "2024-01-31T00:00:01",
    "DATEDIFF(m, '20240101', '20240401')": 3, "DATEDIFF(mi, '20240101', '20240102')": 1440,
    "DATEDIFF(hh, '20240101', '20240102')": 24, "DATEDIFF(s, '20240101', '20240102')": 86400,
    "DATEDIFF(ms, '20240101', '20240102')": 86400000, "DATEDIFF(dy, '20240101', '20240102')": 1,
    "DATEPART(ms, '2024-02-01T10:11:12.5')": 500, "DATEPART(y, '20240201')": 32,
    "DATEPART(n, '2024-02-01T10:11:12')": 11,
    "DATENAME(yy, '20240201')": "2024", "DATENAME(dd, '20240201')": "1", "DATENAME(q, '20240201')": "1",
    "DATENAME(m, '20240201')": "February", "DATENAME(hh, '2024-02-01T09:11:12')": "9",
    "DATETRUNC(week, CAST('20240215' AS date))": "2024-02-11T00:00:00",
    "DATETRUNC(iso_week, CAST('20240215' AS date))": "2024-02-12T00:00:00",
    "DATETIMEFROMPARTS(2024, 2, 3, 4, 5, 6, 7)": "2024-02-03T04:05:06.007",
    "LEFT(CAST(TIMEFROMPARTS(1, 2, 3, 5, 1) AS varchar(20)), 10)": "01:02:03.5",
    "STUFF('abc', 5, 1, 'x')": None, "STUFF('', 1, 1, '')": None, "STUFF('abc', 3, 9, NULL)": "ab",
    "DATEDIFF(week, '2024-01-06', '2024-01-07')": 1, "DATEDIFF(wk, '20240107', '20240113')": 0,
    "DATEDIFF(week, '20240107', '20231231')": -1, "DATETRUNC(month, CAST('2024-02-20' AS date))": "2024-02-01T00:00:00",
    "CAST(CAST('2024-07-01T10:00:00' AS datetime) AT TIME ZONE 'UTC' AT TIME ZONE 'W. Europe Standard Time' "
    "AS datetime)": "2024-07-01T12:00:00",
    "POWER(2, -1)": 0, "POWER(2, 3)": 8, "POWER(2.0, -1)": 0.5,
}  # fmt: skip


def test_values_are_those_of_sql_server(place: Place) -> None:
    names = {f"v{number}": text for number, text in enumerate(VALUES)}
    row = _script(place, "SELECT " + ", ".join(f"{text} AS {name}" for name, text in names.items()))["resultSets"][0][
        "rows"
    ][0]
    found = {text: _plain(row[name]) for name, text in names.items()}
    assert found == {text: _plain(value) for text, value in VALUES.items()}


def _plain(value: Any) -> Any:
    """Return numbers as such: a decimal comes as a text, so that no digit is lost."""
    if isinstance(value, str) and value.replace(".", "", 1).removeprefix("-").isdecimal():
        return Decimal(value)
    return Decimal(str(int(value) if isinstance(value, bool) else value)) if isinstance(value, int | float) else value


STORED = {
    "inserted": ("INSERT INTO Stock (Id, Item) SELECT 2.7 * 10, 'a'", "Id > 3", [(27,)]),
    "values": ("INSERT INTO Stock (Id, Item) VALUES (8.9, 'a'), (9, 'b')", "Id > 3", [(8,), (9,)]),
    "in all columns": (
        "INSERT INTO Stock SELECT Id + 10.9, Item, Price, Seen FROM Stock WHERE Id = 1", "Id > 3", [(11,)]
    ),
    "updated": ("UPDATE Stock SET Id = Id * 1.9 + 10 WHERE Id = 2", "Id > 3", [(13,)]),
    "from both": ("INSERT INTO Stock (Id) SELECT 5.9 UNION ALL SELECT 6", "Id > 3", [(5,), (6,)]),
    "merged": (
        "MERGE Stock AS t USING (SELECT 1 AS Id, 9.9 AS n UNION ALL SELECT 7, 8.9) AS s ON t.Id = s.Id "
        "WHEN MATCHED THEN UPDATE SET Id = 10 + 0.9 WHEN NOT MATCHED THEN INSERT (Id, Item) VALUES (8.9, 'x');",
        "Id > 3", [(8,), (10,)],
    ),
    "by a variable": ("DECLARE @i int = 4.9 SET @i = @i + 0.9 INSERT INTO Stock (Id) VALUES (@i)", "Id > 3", [(4,)]),
    "by a selected one": ("DECLARE @i int SELECT @i = 4.9 INSERT INTO Stock (Id) VALUES (@i)", "Id > 3", [(4,)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "where", "rows"), STORED.values(), ids=STORED)
def test_fractions_are_cut_where_whole_numbers_are_kept(
    place: Place, text: str, where: str, rows: list[tuple[int]]
) -> None:
    _script(place, text, "NonQuery")
    assert _values(place, f"SELECT Id FROM Stock WHERE {where} ORDER BY Id") == rows


READ: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "texts of a table": (
        "CREATE TABLE #t (a varchar(30)) INSERT #t VALUES ('20240203'), (''), ('2/3/2024 10:11') "
        "INSERT INTO Stock (Id, Seen) SELECT 7, a FROM #t SELECT Seen FROM Stock WHERE Id = 7 ORDER BY Seen",
        [("1900-01-01T00:00:00",), ("2024-02-03T00:00:00",), ("2024-02-03T10:11:00",)]),
    "texts that are written out": (
        "INSERT INTO Stock (Id, Price, Seen) VALUES ('9', '1.5', '20240203') "
        "UPDATE Stock SET Id = '' WHERE Id = 9 SELECT Price, Seen FROM Stock WHERE Id = 0",
        [(1.5, "2024-02-03T00:00:00")]),
    "texts of a MERGE": (
        "MERGE Stock AS t USING (SELECT 2 AS Id, '20250101' AS d) AS s ON t.Id = s.Id "
        "WHEN MATCHED THEN UPDATE SET Seen = s.d; SELECT Seen FROM Stock WHERE Id = 2", [("2025-01-01T00:00:00",)]),
    "texts that are compared": (
        "SELECT Id FROM Stock WHERE Seen >= '20240102' AND Seen < '20240103 12:00' AND Item <> '20240101' "
        "AND Seen BETWEEN '1/1/2024' AND '20240103'", [(2,)]),
    "texts of a table that may not fit": (
        "CREATE TABLE #t (n int, a varchar(30)) INSERT #t VALUES (1, '20240203'), (2, 'x'), (3, ''), (4, NULL), "
        "(5, '2024-02-03T10:11:12.5') "
        "SELECT TRY_CAST(a AS int), TRY_CAST(a AS datetime), TRY_CAST(a AS decimal(5,1)) FROM #t ORDER BY n",
        [(20240203, "2024-02-03T00:00:00", None), (None, None, None), (0, "1900-01-01T00:00:00", None),
         (None, None, None), (None, "2024-02-03T10:11:12.5", None)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), READ.values(), ids=READ)
def test_a_text_is_read_where_another_type_belongs(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert _values(place, text) == rows


REFUSED = {
    "CAST(SYSDATETIME() AS varchar(30))": "a moment as a text without a style",
    "CONCAT('at ', CAST('2024-02-04' AS datetime2))": "a moment as a text without a style",
    "CAST(1e6 AS varchar(20))": "a float as a text",
    "CONVERT(date, 'Feb  4 2024', 100)": "the style 100",
    "POWER(v.x, -1)": "not certain whether",
    "SUBSTRING('abc', -1, 3)": "from before the text",
    "CONVERT(varchar(32), HASHBYTES('MD5', 'a'))": "the style that is none",
    "FORMAT(5, 'C')": "none of N2",
    "FORMAT(5, 'N2', Item) FROM Stock --": "not written out",
    "FORMAT(GETDATE(), 'dd.MMM', 'de-DE')": "for 'de-de'",
    "FORMAT(5, 'N2', 'de-DE')": "for 'de-de'",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=REFUSED)
def test_what_nobody_else_writes_so_is_refused(place: Place, text: str, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        _script(place, f"SELECT {text} AS a FROM (VALUES (2)) v(x)")


@pytest.mark.parametrize("value", ["'2.7'", "v.x"])
def test_a_text_that_is_no_whole_number_is_told(place: Place, value: str) -> None:
    with pytest.raises(ManaraError, match=r"2\.7"):
        _script(place, f"SELECT CAST({value} AS int) AS n FROM (VALUES ('2.7')) v(x)")


def test_a_cast_that_may_fail_gives_nothing_for_it(place: Place) -> None:
    if place.warehouse is None:
        asked = "SELECT TRY_CAST('2.7' AS int) AS a, TRY_CAST(v.x AS int) AS b FROM (VALUES ('2.7')) v(x)"
        assert _values(place, asked) == [(None, None)]
