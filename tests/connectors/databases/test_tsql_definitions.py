"""Tables, indexes and constraints as scripts of SQL Server define them, on DuckDB and PostgreSQL."""

from typing import Any

import pytest
from tests.connectors.databases.test_stand_ins import _script, _values, place
from tests.plugin_given import Place

from manara.errors import ManaraError

__all__ = ["place"]

SCRIPTED = """
CREATE TABLE [dbo].[Made](
    [Id] [int] IDENTITY(1,1) NOT NULL,
    [Item] [nvarchar](50) COLLATE SQL_Latin1_General_CP1_CI_AS NULL,
    [Seen] [datetime2](7) NULL,
    [Own] [bit] NOT NULL,
 CONSTRAINT [PK_Made] PRIMARY KEY CLUSTERED
(
    [Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON) ON [PRIMARY],
 CONSTRAINT [UQ_Made] UNIQUE NONCLUSTERED ([Item] DESC) WITH (PAD_INDEX = OFF) ON [PRIMARY]
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO
ALTER TABLE [dbo].[Made] ADD  CONSTRAINT [DF_Made]  DEFAULT ((1)) FOR [Own]
GO
ALTER TABLE [dbo].[Made] ADD  DEFAULT (getdate()) FOR [Seen]
GO
CREATE NONCLUSTERED INDEX [IX_Made] ON [dbo].[Made] ([Seen] DESC) INCLUDE ([Item]) WITH (FILLFACTOR = 80) ON [PRIMARY]
GO
INSERT INTO Made (Item) VALUES ('a'), ('b')
SELECT Id, Item, Own FROM Made WHERE Seen IS NOT NULL ORDER BY Id
"""
IF_THERE = "EXISTS (SELECT 1 FROM sys.indexes WHERE name = 'ux' AND object_id = OBJECT_ID('dbo.Stock'))"
RUN: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a script that SQL Server makes": (SCRIPTED, [(1, "a", 1), (2, "b", 1)]),
    "an index that is there once": (
        f"IF NOT {IF_THERE} CREATE UNIQUE INDEX ux ON dbo.Stock (Id ASC) IF NOT {IF_THERE} SELECT 1 AS a "
        "SELECT name, is_unique FROM sys.indexes WHERE object_id = OBJECT_ID('dbo.Stock')", [("ux", 1)]),
    "an index of another schema": (
        "CREATE SCHEMA stg CREATE TABLE stg.a (x int) CREATE UNIQUE INDEX ux ON stg.a (x) CREATE UNIQUE INDEX uy "
        "ON stg.a (x) DROP INDEX ux ON stg.a DROP INDEX [a].[uz] DROP INDEX stg.a.uy "
        "SELECT COUNT(*) FROM sys.indexes WHERE object_id = 'stg.a'", [(0,)]),
    "an index that goes": (
        f"CREATE UNIQUE INDEX ux ON dbo.Stock (Id) IF {IF_THERE} DROP INDEX ux ON dbo.Stock "
        f"SELECT COUNT(*) FROM sys.objects WHERE name = 'Stock' AND {IF_THERE}", [(0,)]),
    "what is only about storage": (
        "CREATE CLUSTERED COLUMNSTORE INDEX cci ON Stock; ALTER INDEX ALL ON Stock REBUILD; "
        "UPDATE STATISTICS Stock WITH FULLSCAN; DROP INDEX IF EXISTS cci ON Stock; SELECT 1", [(1,)]),
    "a table variable with keys": (
        "DECLARE @t TABLE (Id int NOT NULL, Item varchar(9), PRIMARY KEY NONCLUSTERED (Id DESC), INDEX ix (Item)) "
        "INSERT @t VALUES (1, 'x') SELECT Item FROM @t", [("x",)]),
    "a table from a query with hints": (
        "CREATE TABLE Made WITH (HEAP) AS SELECT s.Id FROM Stock s JOIN Incoming [i] WITH (NOLOCK) ON [i].Id = s.Id "
        "SELECT Id FROM Made", [(2,)]),
    "several tables that go": (
        "CREATE TABLE a1 (x int) CREATE TABLE a2 (x int) DROP TABLE IF EXISTS a1, a2, a3 SELECT OBJECT_ID('a2')",
        [(None,)]),
    "a column where there is none": (
        "IF NOT EXISTS (SELECT * FROM sys.columns WHERE name = 'Extra' AND object_id = OBJECT_ID('dbo.Stock')) "
        "ALTER TABLE dbo.Stock ADD Extra int NULL, More varchar(5) DEFAULT 'x' "
        "SELECT Extra, More FROM Stock WHERE Id = 1", [(None, "x")]),
    "a column of another type": (
        "CREATE TABLE Made (Id int NOT NULL, Item varchar(9)) INSERT INTO Made VALUES (1, '7') "
        "ALTER TABLE Made ALTER COLUMN Item int NOT NULL ALTER TABLE Made ALTER COLUMN Id bigint "
        "INSERT INTO Made (Item) VALUES (8) SELECT SUM(Item) FROM Made", [(15,)]),
    "types that others have not": (
        "CREATE TABLE #a (Id int IDENTITY PRIMARY KEY, g uniqueidentifier DEFAULT NEWID(), x xml, m money, "
        "o datetimeoffset) INSERT #a (m) VALUES (1.5), (2) SELECT Id, m FROM #a", [(1, 1.5), (2, 2)]),
    "a key for a table": (
        "CREATE TABLE Made (Id int NOT NULL) ALTER TABLE Made ADD CONSTRAINT pk PRIMARY KEY CLUSTERED (Id ASC) "
        "INSERT INTO Made VALUES (1) SELECT Id FROM Made", [(1,)]),
    "another name": (
        "EXEC sp_rename 'dbo.Stock.Item', 'Article', 'COLUMN' EXEC sp_rename 'dbo.Incoming', 'Outgoing' "
        "SELECT s.Article, o.Item FROM Stock s JOIN Outgoing o ON o.Id = s.Id", [("BCG", "BCG 20")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), RUN.values(), ids=RUN)
def test_a_definition_means_the_same(place: Place, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert _values(place, text) == rows


FAILS = {
    "CREATE UNIQUE INDEX ux ON Stock (Id) INSERT INTO Stock (Id) VALUES (1)": "[Dd]uplicate key",
    "CREATE UNIQUE INDEX ux ON Stock (Id) WHERE Id > 1": "a unique index of some rows",
    "CREATE TABLE a (Id int, PRIMARY KEY (Id) WITH (IGNORE_DUP_KEY = ON))": "lets doubled rows go",
    "CREATE TABLE Made (a int NOT NULL UNIQUE CLUSTERED) INSERT INTO Made VALUES (1), (1)": "[Dd]uplicate key",
    "ALTER TABLE Stock ALTER COLUMN Price int NOT NULL": "[Nn]ull|NULL",
}


@pytest.mark.parametrize(("text", "says"), FAILS.items(), ids=FAILS)
def test_what_a_definition_forbids_is_forbidden(place: Place, text: str, says: str) -> None:
    with pytest.raises(ManaraError, match=says):
        _script(place, text)
