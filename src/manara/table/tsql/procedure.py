"""CREATE PROCEDURE of T-SQL: what its head declares, and its body."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manara.errors import WrongDefinition
from manara.table.tsql.parts import tokens_of

_HEAD = re.compile(
    r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|(?:set|use)\s[^;\n]*[;\n]|go\b|;)*"
    r"(?:create(?:\s+or\s+alter)?|alter)\s+proc(?:edure)?\b", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_GO = re.compile(r"^\s*go\s*;?\s*$", re.IGNORECASE | re.MULTILINE)
_OUTPUT = {"OUT", "OUTPUT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: its name in small letters, its type, its default as it is written, and which way it goes."""

    name: str
    type: str
    default: str | None = None
    is_output: bool = False
    is_table: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A procedure as it is written in T-SQL."""

    parameters: tuple[Parameter, ...]
    body: str


def read_procedure(text: str) -> Written | None:
    """Return the procedure that a text creates; None for a text that is a script.

    >>> read_procedure("create proc a @n int = 1, @s varchar(9) output as select @n").parameters[1].is_output
    True
    """
    head = _HEAD.match(text)
    if head is None:
        return None
    end = _GO.search(text, head.end())
    told = text[head.end() : end.start() if end else len(text)]
    begins, declared = _body(tokens_of(told))
    found = [_parameter(told, some) for some in _apart(declared)]
    return Written(parameters=tuple(found), body=told[begins:])


def _body(tokens: Sequence[Any]) -> tuple[int, list[Any]]:
    """Return where the body begins, and the tokens of the parameters."""
    words = [str(token.text).upper() for token in tokens]
    first = next((at for at, word in enumerate(words) if word == "@"), len(words))
    depth = 0
    for at, word in enumerate(words):
        depth += {"(": 1, ")": -1}.get(word, 0)
        is_type = at > 1 and words[at - 2] == "@"  # @name AS type
        is_owner = at > 0 and words[at - 1] in {"EXECUTE", "EXEC"}  # WITH EXECUTE AS OWNER
        if word == "AS" and depth == 0 and not is_type and not is_owner:
            ends = next((n for n in range(first, at) if words[n] == "WITH" and words[n - 1] != "@"), at)
            return tokens[at].end + 1, list(tokens[first:ends])
    raise WrongDefinition("A CREATE PROCEDURE has no AS with a body behind it.")


def _apart(tokens: Sequence[Any]) -> list[list[Any]]:
    """Return the tokens of each parameter."""
    found: list[list[Any]] = []
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "@" and depth <= 0 and (at == 0 or tokens[at - 1].text in {",", "("}):
            found.append([])
        if found:
            found[-1].append(token)
    return found


def _parameter(text: str, tokens: Sequence[Any]) -> Parameter:
    told = list(tokens)
    while told and told[-1].text == ",":
        told.pop()
    depth = sum({"(": 1, ")": -1}.get(token.text, 0) for token in told)
    if depth < 0 and told[-1].text == ")":  # the one around all of them
        told.pop()
    name, rest = told[1].text.lower(), told[2:]
    if rest and rest[0].text.upper() == "AS":
        rest = rest[1:]
    words = [token.text.upper() for token in rest]
    is_output, is_table = bool(_OUTPUT & set(words)), "READONLY" in words
    rest = [token for token in rest if token.text.upper() not in _OUTPUT | {"READONLY"}]
    sign = next((at for at, token in enumerate(rest) if token.text == "="), len(rest))
    kind, value = (_between(text, some) for some in (rest[:sign], rest[sign + 1 :]))
    default = value if sign < len(rest) else None
    return Parameter(name=name, type=kind, default=default, is_output=is_output, is_table=is_table)


def _between(text: str, tokens: Sequence[Any]) -> str:
    return text[tokens[0].start : tokens[-1].end + 1] if tokens else ""


def constant(told: str) -> Any:
    """Return the value of a default, which T-SQL wants to be a constant.

    >>> [constant(one) for one in ("1", "-2.5", "N'it''s'", "NULL", "(3)")]
    [1, -2.5, "it's", None, 3]
    """
    text = told.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if text.upper() == "NULL":
        return None
    if found := re.fullmatch(r"[nN]?'(.*)'", text, re.DOTALL):
        return found[1].replace("''", "'")
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        raise WrongDefinition(f"The default '{told}' of a parameter is no number, text in quotes, or NULL.") from None
