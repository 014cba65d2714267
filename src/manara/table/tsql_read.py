"""T-SQL read as a tree, one statement at a time."""

import re
from typing import Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from manara.errors import WrongDefinition
from manara.table.tsql_parts import refuse, shown

_MAKES_TABLE = re.compile(r"\s*create\s+table\b", re.IGNORECASE)
_TWO_FROMS = re.compile(r"^(\s*delete)\s+from\s+([^\s(]+)\s+from\b", re.IGNORECASE)
_TOP = re.compile(
    r"\s*(?P<word>insert|update|delete)\s+top\s*\((?P<count>[^()]*)\)\s*(?P<percent>percent\b)?", re.IGNORECASE
)
_STORAGE = {"DISTRIBUTION", "CLUSTERED", "HEAP", "PARTITION"}


def tree_of(text: str) -> exp.Expression:
    """Return the tree of one T-SQL statement. Raises WrongDefinition where it cannot be read."""
    plain, top = without_top(without_storage(_TWO_FROMS.sub(r"\1 \2 FROM", text)))
    try:
        found: Any = sqlglot.parse_one(plain, dialect="tsql")
    except SqlglotError as error:
        advice = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())[:200]
        raise WrongDefinition(
            f"This T-SQL cannot be read: {shown(text)}.", advice=advice, code="UserErrorCannotTranslateSql"
        ) from error
    if found is None or isinstance(found, exp.Command):
        refuse(text, f"the command {text.split(maxsplit=1)[0].upper()}")
    if top:
        _limit(found, tree_of(f"SELECT {top}").expressions[0], text)
    return cast("exp.Expression", found)


def _limit(tree: Any, count: exp.Expression, text: str) -> None:
    """Let a change take so many rows only."""
    limited = tree.expression if isinstance(tree, exp.Insert) else tree
    if not isinstance(limited, exp.Query | exp.Update | exp.Delete) or limited.args.get("limit"):
        refuse(text, "TOP in a change")
    limited.set("limit", exp.Limit(expression=count.unnest().copy()))


def without_top(text: str) -> tuple[str, str]:
    """Return an INSERT, UPDATE or DELETE without its TOP, and how many rows that lets through; else as it is.

    >>> without_top("DELETE TOP (@n) FROM Stock")
    ('DELETE FROM Stock', '@n')
    """
    found = _TOP.match(text)
    if not found:
        return text, ""
    if found["percent"]:
        refuse(text, "TOP ... PERCENT")
    return f"{found['word']} {text[found.end() :].lstrip()}", found["count"]


def without_storage(text: str) -> str:
    """Return a CREATE TABLE without what says how Synapse stores it; any other statement as it is.

    >>> without_storage("CREATE TABLE a WITH (DISTRIBUTION = HASH(id), HEAP) AS SELECT 1 AS id")
    'CREATE TABLE a  AS SELECT 1 AS id'
    """
    if not _MAKES_TABLE.match(text):
        return text
    tokens = sqlglot.tokenize(text, dialect="tsql")
    for at, token in enumerate(tokens[:-2]):
        inside = tokens[at + 2].text.upper()
        if token.text.upper() == "WITH" and tokens[at + 1].text == "(" and inside in _STORAGE:
            depth = 0
            for other in tokens[at + 1 :]:
                depth += {"(": 1, ")": -1}.get(other.text, 0)
                if depth == 0:
                    return text[: token.start] + text[other.end + 1 :]
    return text
