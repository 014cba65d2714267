"""T-SQL read as a tree, one statement at a time."""

import functools
import re
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import sqlglot
from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import SqlglotError
from sqlglot.parsers.tsql import TSQLParser

from manara.errors import WrongDefinition
from manara.table.tsql.dates import with_whole_names
from manara.table.tsql.define import plain_table
from manara.table.tsql.for_json import without_value
from manara.table.tsql.parts import refuse, shown, tokens_of

_TWO_FROMS = re.compile(r"^(\s*delete)\s+from\s+([^\s(]+)\s+from\b", re.IGNORECASE)
_TOP = re.compile(
    r"\s*(?P<word>insert|update|delete)\s+top\s*\((?P<count>[^()]*)\)\s*(?P<percent>percent\b)?", re.IGNORECASE
)
_WITH_TOP = re.compile(r"\s*with\b.*\btop\b", re.IGNORECASE | re.DOTALL)
_CHANGES = {"INSERT", "UPDATE", "DELETE"}
_STEP = re.compile(r"[-+*/%&|^]=")
_OPERATORS = set("-+*/%&|^")
_VALUE_ENDS = {",", ";", "FROM", "WHERE", "OUTPUT", "WHEN", "OPTION"}


class _SqlServer(TSQL):
    class Parser(TSQLParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {
            **TSQLParser.FUNCTIONS,
            # Their forms are not those of strftime.
            "FORMAT": lambda told: exp.Anonymous(this="FORMAT", expressions=told),
            "DATENAME": lambda told: exp.Anonymous(this="DATENAME", expressions=told),
        }


def tree_of(text: str) -> exp.Expression:
    """Return the tree of one T-SQL statement. Raises WrongDefinition where it cannot be read."""
    return _read(text).copy()


@functools.lru_cache(maxsize=512)
def _read(text: str) -> exp.Expression:
    """Return the tree of a statement; those of a loop are read once."""
    told = with_whole_names(with_steps(without_value(_TWO_FROMS.sub(r"\1 \2 FROM", text))))
    plain, top, is_share = without_top(plain_table(told))
    try:
        found: Any = sqlglot.parse_one(plain, dialect=_SqlServer)
    except SqlglotError as error:
        advice = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())[:200]
        raise WrongDefinition(
            f"This T-SQL cannot be read: {shown(text)}.", advice=advice, code="UserErrorCannotTranslateSql"
        ) from error
    if found is None or isinstance(found, exp.Command):
        refuse(text, f"the command {text.split(maxsplit=1)[0].upper()}")
    for text_of_many in list(found.find_all(exp.National)):  # a char in PostgreSQL, which has no blanks at its end
        text_of_many.replace(exp.Literal.string(text_of_many.name))
    if top:
        _limit(found, tree_of(f"SELECT {top}").expressions[0], text, is_share=is_share)
    return cast("exp.Expression", found)


def _limit(tree: Any, count: exp.Expression, text: str, *, is_share: bool) -> None:
    """Let a change take so many rows only, or so many of a hundred."""
    limited = tree.expression if isinstance(tree, exp.Insert) else tree
    if not isinstance(limited, exp.Query | exp.Update | exp.Delete) or limited.args.get("limit"):
        refuse(text, "TOP in a change")
    options = exp.LimitOptions(percent=True) if is_share else None
    limited.set("limit", exp.Limit(expression=count.unnest().copy(), limit_options=options))


def without_top(text: str) -> tuple[str, str, bool]:
    """Return an INSERT, UPDATE or DELETE without its TOP, what that lets through, and whether this is a PERCENT.

    Any other statement stays as it is. A WITH may stand before the change.

    >>> without_top("DELETE TOP (@n) FROM Stock")
    ('DELETE FROM Stock', '@n', False)
    """
    at = _change_at(text)
    found = _TOP.match(text, at)
    if not found:
        return text, "", False
    return f"{text[:at]}{found['word']} {text[found.end() :].lstrip()}", found["count"], bool(found["percent"])


def _change_at(text: str) -> int:
    """Return where the statement behind a WITH begins; 0 where there is no WITH, or no TOP that it could be for."""
    if not _WITH_TOP.match(text):
        return 0
    depth = 0
    for token in tokens_of(text):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not depth and token.text.upper() in _CHANGES and token.token_type.name != "IDENTIFIER":
            return int(token.start)
    return 0


def with_steps(text: str) -> str:
    """Return a statement with each `a += b` as `a = a + (b)`, which means the same.

    >>> with_steps("UPDATE t SET t.a += 1, b -= CASE WHEN c = 1 THEN 2 END WHERE d = 3")
    'UPDATE t SET t.a = t.a + (1), b = b - (CASE WHEN c = 1 THEN 2 END) WHERE d = 3'
    """
    if not _STEP.search(text):
        return text
    tokens = tokens_of(text)
    for at in reversed(range(1, len(tokens) - 2)):
        operator, equals = tokens[at], tokens[at + 1]
        if operator.text not in _OPERATORS or equals.text != "=" or equals.start != operator.end + 1:
            continue
        first = at - 1
        while first > 1 and tokens[first - 1].text in {".", "@"}:
            first -= 1 if tokens[first - 1].text == "@" else 2
        last = _end_of_value(tokens, at + 2)
        name = text[tokens[first].start : tokens[at - 1].end + 1]
        value = text[tokens[at + 2].start : tokens[last - 1].end + 1]
        text = (
            f"{text[: tokens[first].start]}{name} = {name} {operator.text} ({value}){text[tokens[last - 1].end + 1 :]}"
        )
    return text


def _end_of_value(tokens: Sequence[Any], at: int) -> int:
    """Return at which token the expression ends that begins at `at`."""
    depth = cases = 0
    for place in range(at, len(tokens)):
        is_word = tokens[place].token_type.name not in {"IDENTIFIER", "STRING", "NATIONAL_STRING"}
        said = tokens[place].text.upper() if is_word else ""
        depth += {"(": 1, ")": -1}.get(said, 0)
        if depth < 0 or (not depth and not cases and said in _VALUE_ENDS):
            return place
        cases += {"CASE": 1, "END": -1}.get(said, 0)
    return len(tokens)
