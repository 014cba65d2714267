"""What T-SQL means by itself alone: the other database would take it for something else, so that it is refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from manara.table.tsql.catalog import is_answered
from manara.table.tsql.parts import refuse
from manara.table.tsql.pattern import as_regex, has_brackets

_NOT_KNOWN = {
    "SCOPE_IDENTITY",
    "IDENT_CURRENT",
    "CHECKSUM",
    "BINARY_CHECKSUM",
    "OPENJSON",
    "OPENROWSET",
    "OPENQUERY",
    "ERROR_MESSAGE",
    "FORMATMESSAGE",
    "SOUNDEX",
    "PARSENAME",
    "ISDATE",
    "ISJSON",
}


def refuse_what_differs(tree: exp.Expression, text: str, to: str) -> None:
    """Raise WrongDefinition, with the statement and what is at fault, for what the dialect `to` would misunderstand."""
    for node in tree.walk():
        for kind, fault in _DIFFERS:
            if isinstance(node, kind) and (what := fault(node, to)):
                refuse(text, what)


def _odd_function(node: Any, _to: str) -> str:
    return f"{node.name.upper()}()" if node.name.upper() in _NOT_KNOWN else ""


def _odd_pattern(node: Any, _to: str) -> str:
    pattern = node.expression.name if isinstance(node.expression, exp.Literal) else ""
    is_open = has_brackets(pattern) and not isinstance(node.parent, exp.Escape) and as_regex(pattern) is None
    return f"the pattern '{pattern}', whose bracket is never closed" if is_open else ""


def _odd_table(node: Any, to: str) -> str:
    is_odd = node.db.lower() == "sys" and not is_answered(node, to)
    return f"sys.{node.name}; INFORMATION_SCHEMA can be asked instead" if is_odd else ""


def _odd_variable(node: Any, _to: str) -> str:
    is_ours = isinstance(node.this, exp.Parameter) and node.this.name.upper() != "ROWCOUNT"
    return f"@@{node.this.name}" if is_ours else ""


def _odd_order(node: Any, _to: str) -> str:
    name = node.expression.name
    return "" if re.search(r"_CS_|_BIN|DATABASE_DEFAULT", name, re.IGNORECASE) else f"COLLATE {name}"


def _odd_output(node: exp.Returning) -> str:
    """New rows can be put out, and deleted ones; what rows were before an UPDATE is not known any more."""
    known = _PUT_OUT.get(type(node.parent), "")
    columns = {column.table.lower() for column in node.find_all(exp.Column)}
    return "" if known and columns <= {known} else "an OUTPUT of what is not known then"


_PUT_OUT: Mapping[Any, str] = {exp.Insert: "inserted", exp.Update: "inserted", exp.Delete: "deleted"}


_DIFFERS: tuple[tuple[Any, Callable[[Any, str], str]], ...] = (
    (exp.Anonymous, _odd_function),
    (exp.Like, _odd_pattern),
    (exp.Table, _odd_table),
    (exp.Parameter, _odd_variable),
    (exp.Collate, _odd_order),
    (exp.Returning, lambda node, _to: _odd_output(node)),
    (exp.OpenJSON, lambda _node, _to: "OPENJSON"),
)
