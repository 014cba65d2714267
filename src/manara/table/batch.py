"""A text of SQL run against a database that may speak another dialect than the text's own."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError, UnsupportedError

from manara.errors import NotFound, WrongDefinition
from manara.table.procedure import Procedure, called
from manara.table.statements import statements
from manara.table.tsql import Catalog, sequences, translated
from manara.table.tsql_parts import If, Part, Plain, parts, refuse, shown
from manara.table.tsql_read import tree_of

if TYPE_CHECKING:
    import pyarrow as pa

Values = Mapping[str, Any]
_QUIET = re.compile(
    r"set\s+(nocount|xact_abort|ansi_\w+|quoted_identifier|arithabort|concat_null_yields_null|identity_insert|"
    r"numeric_roundabort|statistics|transaction\s+isolation)\b", re.IGNORECASE,
)  # fmt: skip
_TRANSACTION = re.compile(r"(begin|commit)(\s+(tran|transaction)\b.*)?$", re.IGNORECASE | re.DOTALL)
_USED = re.compile(r"\$(\w+)")
_MADE = re.compile(r"exec(?:ute)?\s*\((.*)\)\s*;?", re.IGNORECASE | re.DOTALL)
"""EXEC with a text in parentheses, not a procedure."""
_DEEPEST = 32


class Runner(Catalog, Protocol):
    """What runs statements: an open transaction, or a database that is only read."""

    def query(self, statement: str, parameters: Values) -> "pa.RecordBatchReader":
        """Return the rows of a query."""

    def execute(self, statement: str, parameters: Values) -> int:
        """Run a statement and return how many rows it changed."""


class ReadOnly:
    """A database as what runs the statements before a query; it changes nothing."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def columns(self, table: exp.Table) -> dict[str, str]:
        """Return the table's columns."""
        return dict(self._database.columns(table))

    def tables(self, schema: str) -> list[str]:
        """Return the names of the tables, nothing where the database does not tell."""
        tell = getattr(self._database, "tables", None)
        return list(tell(schema)) if tell else []

    def query(self, statement: str, parameters: Values) -> "pa.RecordBatchReader":
        """Return the rows of a query."""
        found: pa.RecordBatchReader = self._database.query(statement, parameters)
        return found

    def execute(self, statement: str, parameters: Values) -> int:  # noqa: ARG002 # it is refused
        """Raise WrongDefinition: a query that is read changes nothing."""
        raise WrongDefinition(
            f"A query that is read changes nothing, and this one does: {shown(statement)}",
            advice="Put the change into a Script activity before it.",
        )


def no_procedure(name: str) -> str:
    """Raise NotFound: there is no script that answers a procedure."""
    raise NotFound(f"There is no stored procedure '{name}'.")


@dataclass(kw_only=True)
class Batch:
    """A text in the dialect `written`, run by `runner`, whose dialect is `spoken`.

    `rows` takes the rows of each statement that gives some, and `count` how many rows each of the others changed.
    `values` are the parameters; variables that the text declares join them. `procedure` returns the script that
    answers a stored procedure; it raises NotFound where there is none. `logs` gets what PRINT says.
    """

    written: str
    spoken: str
    runner: Runner
    rows: Callable[["pa.RecordBatchReader"], None]
    count: Callable[[int], None] = lambda _count: None
    values: dict[str, Any] = field(default_factory=dict)
    procedure: Callable[[str], str] = no_procedure
    logs: list[str] = field(default_factory=list)
    _changed: int = 0
    _ended: bool = False
    _depth: int = 0

    def run(self, text: str) -> None:
        """Run all statements in order. Raises WrongDefinition for what cannot be translated."""
        self.values = {name.lower(): value for name, value in self.values.items()}
        if self.written == "tsql" and self.spoken != "tsql":
            self._run_all(parts(text))
            return
        for statement in plain_statements(text, self.written, self.spoken, self.values):
            self._send(statement, _gives_rows(statement))

    def _run_all(self, found: Iterable[Part]) -> None:
        for part in found:
            if self._ended:
                return
            if isinstance(part, If):
                self._run_all(part.then if self._holds(part.condition) else part.other)
            else:
                self._run_one(part)

    def _holds(self, condition: str) -> bool:
        text = f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END"
        return bool(self._value(tree_of(text), text) == 1)

    def _run_one(self, part: Plain) -> None:
        if _QUIET.match(part.text) or _TRANSACTION.fullmatch(part.text.strip()):
            return
        if part.word == "PRINT":
            told = f"SELECT {part.text[5:]}"
            self.logs.append(str(self._value(tree_of(told), told)))
        elif part.word == "RETURN":
            self._ended = True
        elif part.word in {"EXEC", "EXECUTE"}:
            self._call(part)
        else:
            self._run_tree(tree_of(part.text), part.text)

    def _run_tree(self, tree: exp.Expression, text: str) -> None:
        if isinstance(tree, exp.Declare):
            self._declare(tree, text)
        elif isinstance(tree, exp.Set):
            for item in tree.expressions:
                self._assign(item.this, text)
        elif isinstance(tree, exp.Select) and any(_is_assignment(one) for one in tree.expressions):
            self._assign_from(tree, text)
        else:
            if self.spoken == "duckdb":
                for name, first, step in sequences(tree):
                    kind = "temporary sequence" if "#" in name else "sequence"
                    make = f'create or replace {kind} "{name}" start {int(first)} increment {int(step)}'
                    self.runner.execute(make, {})
            self._send(self._words(tree, text), isinstance(tree, exp.Query) and not _into(tree))

    def _words(self, tree: exp.Expression, text: str) -> str:
        return translated(tree, text, self.spoken, self.runner, self.values, self._changed)

    def _send(self, statement: str, gives_rows: bool) -> None:
        used = {name: self.values[name] for name in dict.fromkeys(_USED.findall(statement)) if name in self.values}
        if gives_rows:
            self.rows(self.runner.query(statement, used))
        else:
            self._changed = self.runner.execute(statement, used)
            self.count(self._changed)

    def _value(self, tree: exp.Expression, text: str) -> Any:
        """Return the one value of a query; None where it gives no row."""
        statement = self._words(tree, text)
        used = {name: self.values[name] for name in dict.fromkeys(_USED.findall(statement)) if name in self.values}
        rows = self.runner.query(statement, used).read_all()
        return rows.column(0)[rows.num_rows - 1].as_py() if rows.num_rows else None

    def _declare(self, tree: exp.Declare, text: str) -> None:
        for item in tree.expressions:
            for variable in item.this:
                if isinstance(item.args["kind"], exp.Schema):
                    refuse(text, "a table variable; a table #name can be translated")
                name = variable.name.lower()
                default = item.args.get("default")
                self.values[name] = None
                if default:
                    told = exp.select(exp.cast(default.copy(), item.args["kind"].copy()))
                    self.values[name] = self._value(told, text)

    def _assign(self, pair: Any, text: str) -> None:
        if not isinstance(pair, exp.EQ) or not isinstance(pair.this, exp.Parameter):
            refuse(text, "a setting of the session")
        name = pair.this.name.lower()
        if name not in self.values:
            refuse(text, f"the variable @{name}, which nothing declares")
        self.values[name] = self._value(exp.select(pair.expression.copy()), text)

    def _assign_from(self, tree: exp.Select, text: str) -> None:
        if not all(_is_assignment(one) for one in tree.expressions):
            refuse(text, "a SELECT that gives rows and sets variables")
        names = [one.this.name.lower() for one in tree.expressions]
        if lost := [name for name in names if name not in self.values]:
            refuse(text, f"the variable @{lost[0]}, which nothing declares")
        asked = tree.copy()
        asked.set("expressions", [one.expression.copy() for one in tree.expressions])
        statement = self._words(asked, text)
        used = {name: self.values[name] for name in dict.fromkeys(_USED.findall(statement)) if name in self.values}
        rows = self.runner.query(statement, used).read_all()
        if rows.num_rows:
            for index, name in enumerate(names):
                self.values[name] = rows.column(index)[rows.num_rows - 1].as_py()

    def _call(self, part: Plain) -> None:
        if made := _MADE.fullmatch(part.text.strip()):
            self._run_made(self._value(tree_of(f"SELECT {made[1]}"), part.text), {}, part.text)
            return
        tree = tree_of(part.text)
        if not isinstance(tree, exp.Execute) or not isinstance(tree.this, exp.Table):
            refuse(part.text, "a call that cannot be read")
        if tree.this.name.lower() == "sp_executesql":
            self._call_made(tree, part.text)
            return
        named, placed = {}, []
        for one in tree.expressions:
            if isinstance(one, exp.Alias):
                refuse(part.text, "an OUTPUT parameter")
            told = one.expression if isinstance(one, exp.EQ) else one
            value = self._value(exp.select(told.copy()), part.text)
            if isinstance(one, exp.EQ):
                named[one.this.name] = value
            else:
                placed.append(value)
        name = ".".join(piece.name for piece in tree.this.parts)
        self.run_procedure(name, named, placed)

    def _call_made(self, tree: exp.Execute, text: str) -> None:
        """Run the statement that sp_executesql is given, with its own parameters only."""
        told = list(tree.expressions)
        if any(isinstance(one, exp.Alias) for one in told):
            refuse(text, "an OUTPUT parameter")
        trees = [one.expression if isinstance(one, exp.EQ) else one for one in told]
        given = [self._value(exp.select(one.copy()), text) for one in trees]
        told_of = str(given[1]) if len(given) > 1 else ""
        if re.search(r"\bout(put)?\b", told_of, re.IGNORECASE):
            refuse(text, "an OUTPUT parameter")
        declared = re.findall(r"@(\w+)", told_of)
        named = [
            one.this.name if isinstance(one, exp.EQ) else (declared[at : at + 1] or [""])[0]
            for at, one in enumerate(told[2:])
        ]
        self._run_made(given[0] if given else None, dict(zip(named, given[2:], strict=True)), text)

    def _run_made(self, made: Any, values: Values, text: str) -> None:
        """Run a text of statements that the batch itself has put together; it does not see the batch's variables."""
        if not isinstance(made, str):
            refuse(text, "a statement that is made while it runs, and is no text")
        if self._depth >= _DEEPEST:
            refuse(text, f"a statement that makes statements, {_DEEPEST} deep")
        inner = replace(self, values=dict(values), _changed=0, _ended=False, _depth=self._depth + 1)
        inner.run(made)
        self._changed = inner._changed

    def run_procedure(self, name: str, named: Values, placed: Sequence[Any] = ()) -> None:
        """Run the script that answers a stored procedure, written in the words of the database itself."""
        answer = Procedure.read(name, self.procedure(name))
        inner = replace(self, written=self.spoken, values=answer.bound(named, placed), _changed=0, _ended=False)
        inner.run(answer.text)

    def call(self, name: str, named: Values) -> None:
        """Call a stored procedure of the database itself, or run the script that answers it."""
        try:
            self.procedure(name)
        except NotFound:
            statement = called(self.spoken, name, list(named), self.runner)
            if not statement:
                raise
            self.values = {key.lower(): value for key, value in named.items()}
            self._send(statement, self.spoken != "mysql")
            return
        self.run_procedure(name, named)


def plain_statements(text: str, written: str, spoken: str, names: Iterable[str]) -> list[str]:
    """Return the statements of a text in the words of the database; T-SQL for SQL Server itself goes whole."""
    known = list(names)
    if written == spoken == "tsql":
        spelt = re.sub(r"(?<![@\w])@(\w+)", lambda m: f"${m[1].lower()}" if m[1].lower() in known else m[0], text)
        return [spelt]
    found = [one.text for one in statements(text, written or spoken, known)]
    return found if not written or written == spoken else [_transpiled(one, written, spoken) for one in found]


def _transpiled(text: str, written: str, spoken: str) -> str:
    try:
        tree = sqlglot.parse_one(text, dialect=written)
        if isinstance(tree, exp.Command):
            refuse(text, f"the command {text.split(maxsplit=1)[0].upper()}")
        return tree.sql(spoken, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        refuse(text, f"what has no counterpart ({' '.join(str(error).split())[:120]})")
    except SqlglotError as error:
        raise WrongDefinition(f"This SQL cannot be read: {shown(text)}.", advice=str(error)[:200]) from error


def _gives_rows(statement: str) -> bool:
    found = list(statements(statement, "duckdb"))
    return bool(found) and found[0].gives_rows


def _into(tree: exp.Expression) -> bool:
    return tree.args.get("into") is not None


def _is_assignment(node: exp.Expression) -> bool:
    return isinstance(node, exp.EQ) and isinstance(node.this, exp.Parameter)
