"""Tables, indexes and constraints of T-SQL without what says how SQL Server stores them, one step at a time.

An index that is not unique changes nothing in what comes out, so that none is made; nor are there statistics.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlglot import exp

from manara.table.tsql.changes import by_source
from manara.table.tsql.parts import refuse, tokens_of

_NAME = r"(?:\[[^\]]+\]|\"[^\"]+\"|[\w#]+)"
_NAMES = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_INDEX = re.compile(
    rf"\s*create\s+(?P<unique>unique\s+)?(?:(?:non)?clustered\s+)?(?:columnstore\s+)?index\s+(?P<name>{_NAME})"
    rf"\s+on\s+(?P<table>{_NAMES})\s*(?:\((?P<columns>[^()]*)\))?(?P<rest>.*)", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_STORED = re.compile(
    rf"\s*(?:alter\s+index|(?:update|create|drop)\s+statistics|alter\s+table\s+{_NAMES}\s+(?:rebuild|check\s+constraint))\b",
    re.IGNORECASE,
)
_DROPS_INDEX = re.compile(
    rf"\s*drop\s+index\s+(?:if\s+exists\s+)?(?:(?P<name>{_NAME})\s+on\s+(?P<table>{_NAMES})|(?P<names>{_NAMES}))",
    re.IGNORECASE,
)
_DEFAULT = re.compile(
    rf"\s*alter\s+table\s+(?P<table>{_NAMES})\s+(?:with\s+(?:no)?check\s+)?add\s+(?:constraint\s+{_NAME}\s+)?"
    rf"default\s+(?P<value>.+?)\s+for\s+(?P<column>{_NAME})\s*;?\s*", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_ORDER = re.compile(r"\s+(?:asc|desc)\b", re.IGNORECASE)
_TABLE = re.compile(r"\s*(?:create\s+table|alter\s+table|declare\s+@\w+\s+(?:as\s+)?table)\b", re.IGNORECASE)
_CHECKED = re.compile(r"(\balter\s+table\s+\S+\s+)with\s+(?:no)?check\s+(?=add\b)", re.IGNORECASE)
_STORAGE = {
    "DISTRIBUTION", "CLUSTERED", "HEAP", "PARTITION", "PAD_INDEX", "STATISTICS_NORECOMPUTE", "IGNORE_DUP_KEY", "ONLINE",
    "ALLOW_ROW_LOCKS", "ALLOW_PAGE_LOCKS", "FILLFACTOR", "DATA_COMPRESSION", "OPTIMIZE_FOR_SEQUENTIAL_KEY",
    "STATISTICS_INCREMENTAL", "DROP_EXISTING", "SORT_IN_TEMPDB", "MAXDOP",
}  # fmt: skip
_QUOTED = {"IDENTIFIER", "STRING", "NATIONAL_STRING"}


def definitions(text: str) -> list[str] | None:
    """Return the statements that one about an index, statistics or a default comes to; None for any other.

    >>> definitions("CREATE UNIQUE CLUSTERED INDEX ux ON dbo.t ([a] DESC) WITH (FILLFACTOR = 80)")
    ['CREATE UNIQUE INDEX ux ON dbo.t ([a])']
    >>> definitions("CREATE INDEX ix ON t (a)"), definitions("SELECT 1")
    ([], None)
    """
    if found := _INDEX.match(text):
        if not found["unique"]:
            return []
        rest = found["rest"].lower()
        if re.search(r"\bwhere\b|ignore_dup_key\s*=\s*on", rest) or not found["columns"]:
            refuse(text, "a unique index of some rows, or one that lets doubled ones go")
        columns = _ORDER.sub("", found["columns"])
        return [f"CREATE UNIQUE INDEX {found['name']} ON {found['table']} ({columns})"]
    if _STORED.match(text):
        return []
    if found := _DROPS_INDEX.match(text):
        if found["table"]:
            owner, index = exp.to_table(found["table"], dialect="tsql").db, found["name"]
        else:  # the older way: schema.table.index
            *owners, _, index = ["", *(part.sql("tsql") for part in exp.to_table(found["names"], dialect="tsql").parts)]
            owner = owners[-1] if owners else ""
        return [f"DROP INDEX IF EXISTS {f'[{owner}].' if owner else ''}{index}"]
    if found := _DEFAULT.fullmatch(text):
        return [f"ALTER TABLE {found['table']} ALTER COLUMN {found['column']} SET DEFAULT {found['value']}"]
    return None


def steps(tree: exp.Expression, to: str) -> Iterator[exp.Expression]:
    """Yield the statements that an ALTER TABLE, a MERGE or a DROP comes to in the dialect `to`; any other as it is."""
    if isinstance(tree, exp.Drop):
        for one in tree.args.get("tables") or ():
            dropped = tree.copy()
            dropped.set("tables", [one.copy()])
            yield dropped
        return
    if not isinstance(tree, exp.Alter):
        yield from by_source(tree) if isinstance(tree, exp.Merge) and to == "postgres" else [tree]
        return
    for action in tree.args["actions"]:
        for one in (
            _column(action, to) if isinstance(action, exp.AlterColumn) and action.args.get("dtype") else [action]
        ):
            step = tree.copy()
            step.set("actions", [one.copy()])
            yield step


def _column(action: exp.AlterColumn, to: str) -> Iterator[exp.AlterColumn]:
    """Yield the new type of a column, and whether it may be missing; it may where nothing is said."""
    kind, name = action.args["dtype"], action.this
    using = exp.cast(exp.column(name.copy()), kind.copy()) if to == "postgres" else None
    yield exp.AlterColumn(this=name, dtype=kind, using=using)
    if action.args.get("allow_null") is False:
        yield exp.AlterColumn(this=name, allow_null=True, drop=False)  # sqlglot says so: SET NOT NULL
    else:
        yield exp.AlterColumn(this=name, allow_null=True, drop=True)


def plain_table(text: str) -> str:
    """Return a statement that makes or changes a table without what says how it is stored; any other as it is.

    >>> plain_table("CREATE TABLE a WITH (DISTRIBUTION = HASH(id), HEAP) AS SELECT 1 AS id")
    'CREATE TABLE a  AS SELECT 1 AS id'
    >>> plain_table("create table t (a int, index ix (a), primary key clustered (a asc) with (pad_index = off) on [x])")
    'create table t (a int,  primary key  (a ) )'
    """
    if not _TABLE.match(text):
        return text
    text = _CHECKED.sub(r"\1", text)
    tokens = tokens_of(text)
    end = next((at for at, token in enumerate(tokens) if token.text.upper() == "SELECT"), len(tokens))
    tokens = tokens[:end]  # a query behind it has hints and joins of its own
    words = ["" if token.token_type.name in _QUOTED else str(token.text).upper() for token in tokens]
    left_out = sorted({place for first, last in _storage(tokens, words, text) for place in range(first, last)})
    for place in reversed(left_out):
        token, is_last = tokens[place], place + 1 not in left_out
        text = text[: token.start] + text[token.end + 1 if is_last else tokens[place + 1].start :]
    return text


def _storage(tokens: Sequence[Any], words: Sequence[str], text: str) -> Iterator[tuple[int, int]]:
    """Yield where a part begins, and where it has ended, that says how a table is stored."""
    for at, word in enumerate(words):
        follows = words[at + 1] if at + 1 < len(words) else ""
        is_named = at + 1 < len(words) and (not follows or follows == "PRIMARY")
        if word in {"CLUSTERED", "NONCLUSTERED"}:
            yield at, at + 1
        elif word == "WITH" and follows == "(" and at + 2 < len(words) and words[at + 2] in _STORAGE:
            end = _closed(words, at + 1)
            if "IGNORE_DUP_KEY" in words[at:end] and words[words.index("IGNORE_DUP_KEY", at) + 2] == "ON":
                refuse(text, "a key that lets doubled rows go")
            yield at, end
        elif (word == "TEXTIMAGE_ON" or (word == "ON" and at and words[at - 1] == ")")) and is_named:
            yield at, at + 2
        elif word in {"ASC", "DESC"} and _is_of_key(words, at):
            yield at, at + 1
        elif word == "INDEX" and at and words[at - 1] in {"(", ","} and tokens[at + 1].text != "(":
            end = _ended(words, at)
            yield (at, end + 1) if end < len(words) and words[end] == "," else (at - (words[at - 1] == ","), end)


def _closed(words: Sequence[str], at: int) -> int:
    """Return what follows the parenthesis that closes the one at `at`."""
    depth = 0
    for place in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place], 0)
        if not depth:
            return place + 1
    return len(words)


def _ended(words: Sequence[str], at: int) -> int:
    """Return where the part of a list ends that begins at `at`: at a comma, or where the list is closed."""
    depth = 0
    for place in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place], 0)
        if depth < 0 or (not depth and words[place] == ","):
            return place
    return len(words)


def _is_of_key(words: Sequence[str], at: int) -> bool:
    """Return whether a place lies in the columns of a key."""
    depth = 0
    for place in range(at, 0, -1):
        depth += {"(": 1, ")": -1}.get(words[place], 0)
        if depth > 0:
            before = [word for word in words[max(place - 2, 0) : place] if word not in {"CLUSTERED", "NONCLUSTERED"}]
            return bool(before) and before[-1] in {"PRIMARY KEY", "KEY", "UNIQUE"}
    return False


def renamed(name: str, new: str, kind: str) -> exp.Expression:
    """Return the statement that sp_rename comes to, for a column or a table."""
    owner = exp.to_table(name, dialect="tsql")
    if kind.upper() != "COLUMN":
        return _altered(owner, exp.AlterRename(this=exp.to_table(new, dialect="tsql")))
    *places, last = owner.parts
    named = dict(zip(("this", "db"), reversed(places), strict=False))
    change = exp.RenameColumn(this=exp.column(last), to=exp.column(exp.to_identifier(new, quoted=True)))
    return _altered(exp.Table(**named), change)


def _altered(table: exp.Table, change: exp.Expression) -> exp.Alter:
    return exp.Alter(this=table, kind="TABLE", actions=[change])
