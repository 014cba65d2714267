"""OUTPUT of T-SQL: what a statement has put in or taken away, as rows or into a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from manara.table.tsql.parts import refuse, tokens_of
from manara.table.tsql.read import tree_of

_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_PAST = {"VALUES", "SELECT", "WHERE", "EXEC", "EXECUTE"}
"""Behind these an OUTPUT is the name of a column."""
_ENDS = {"FROM", "WHERE", "VALUES", "SELECT", "DEFAULT", "EXEC", "EXECUTE", "OPTION", "WITH", ";"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A statement without its OUTPUT, the expressions of that, and the table that takes them: a name, and columns."""

    statement: str
    expressions: str
    into: str = ""

    def tree(self) -> exp.Expression:
        """Return the statement, giving the rows of its OUTPUT."""
        tree = tree_of(self.statement)
        told = tree_of(f"SELECT {self.expressions}").expressions
        tree.set("returning", exp.Returning(expressions=[one.copy() for one in told]))
        return tree


def output_of(text: str, word: str) -> Output | None:
    """Return a statement that puts out what it changes, taken apart; None for another. Raises WrongDefinition.

    >>> output_of("DELETE FROM a OUTPUT deleted.id INTO @gone (id) WHERE id > 3", "DELETE").into
    '@gone (id)'
    """
    if word not in _CHANGES or "output" not in text.lower():
        return None
    tokens = tokens_of(text)
    depth, marks = 0, dict[str, int]()  # where each part begins
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        is_word = token.token_type.name not in {"IDENTIFIER", "STRING", "NATIONAL_STRING"} and not depth
        said = str(token.text).upper() if is_word else ""
        if "OUTPUT" not in marks and said in _PAST and word != "MERGE":
            break
        if said == "OUTPUT" and "OUTPUT" not in marks and _begins(tokens, at):
            marks["OUTPUT"] = at
        elif said == "INTO" and "OUTPUT" in marks and "INTO" not in marks:
            marks["INTO"] = at
        elif said in _ENDS and "OUTPUT" in marks:
            marks["END"] = at
            break
    if "OUTPUT" not in marks:
        return None
    end = marks.get("END", len(tokens))
    into = marks.get("INTO", end)

    def between(first: int, last: int) -> str:
        return text[tokens[first].start : tokens[last - 1].end + 1] if first < last else ""

    expressions = between(marks["OUTPUT"] + 1, into)
    if not expressions:
        refuse(text, "an OUTPUT of nothing")
    statement = f"{between(0, marks['OUTPUT'])} {between(end, len(tokens))}"
    return Output(statement=statement, expressions=expressions, into=between(into + 1, end))


def _begins(tokens: Sequence[Any], at: int) -> bool:
    """Return whether an OUTPUT begins what is put out, and is no column that has this name."""
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    before = str(tokens[at - 1].text).upper()
    return at > 1 and after not in {"=", "+", "-", "*", "/", ",", ")", "."} and before not in {".", ",", "SET", "="}


def plain_returning(node: exp.Returning) -> exp.Returning:
    """Return what a statement puts out by the name of its table, or by none where it has but one."""
    target = node.parent
    has_others = isinstance(target, exp.Update | exp.Delete) and (target.args.get("from_") or target.args.get("using"))
    for column in node.find_all(exp.Column):
        column.set("table", exp.to_identifier(target.this.alias_or_name) if target and has_others else None)
    return node
