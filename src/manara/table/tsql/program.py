"""A program in T-SQL run on a database that stands in for SQL Server: its statements, branches, loops and errors."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from manara import clock
from manara.errors import ManaraError, WrongDefinition
from manara.table.tsql.assign import assign, assign_from, declared, is_assignment
from manara.table.tsql.before import is_asked_before, set_variables, sets_variables, told_before
from manara.table.tsql.calls import WITHIN, call, fill, from_change, insert_from_call
from manara.table.tsql.cursor import (
    CURRENT,
    DECLARES,
    Cursor,
    change_current,
    declare_cursor,
    fetch,
    use_cursor,
    with_status,
)  # fmt: skip
from manara.table.tsql.define import definitions, steps
from manara.table.tsql.names import temporary_name
from manara.table.tsql.output import Output, output_of
from manara.table.tsql.parts import If, Part, Plain, Try, While, parts, refuse
from manara.table.tsql.read import tree_of
from manara.table.tsql.session import Raised, Scratch, stated
from manara.table.tsql.translation import State, sequences, translated

if TYPE_CHECKING:
    import pyarrow as pa

    from manara.table.batch import Batch

_QUIET = re.compile(
    r"set\s+(nocount|xact_abort|ansi_\w+|quoted_identifier|arithabort|concat_null_yields_null|identity_insert|"
    r"numeric_roundabort|statistics|transaction\s+isolation)\b", re.IGNORECASE,
)  # fmt: skip
_OPENS = re.compile(r"begin(\s+(tran|transaction)\b.*)?", re.IGNORECASE | re.DOTALL)
_COMMITS = re.compile(r"commit(\s+(tran|transaction|work)\b.*)?", re.IGNORECASE | re.DOTALL)
_RAISES = re.compile(r"raiserror\s*\((.*)\)(\s+with\s+[\w\s,]+)?\s*;?", re.IGNORECASE | re.DOTALL)
_ASKS_NUMBER = re.compile(r"scope_identity\s*\(|@@identity\b", re.IGNORECASE)
_INSERTS_CALL = re.compile(
    r"insert\s+(?:into\s+)?(?P<into>[^\s(]+(?:\s*\([^)]*\))?)(?:\s+|(?<=\)))(?P<call>exec(?:ute)?\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO_ERROR = 10
"""RAISERROR with such a severity only tells something."""
_IN_TABLE = (
    "from information_schema.columns where lower(table_name) = lower($name) "
    "and (lower(table_schema) = coalesce(nullif(lower($schema), 'dbo'), lower(current_schema())) "
    "or left($name, 1) = '#')"
)
_SEQUENCE = {
    "duckdb": (
        f"select regexp_extract(column_default, 'nextval\\(''(.*)''\\)', 1) as name {_IN_TABLE} "
        "and column_default like 'nextval(%'"
    ),
    "postgres": (
        "select pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name) as name "
        f"{_IN_TABLE} and (is_identity = 'YES' or column_default like 'nextval(%')"
    ),
}
"""Which sequence numbers the rows of a table."""
_ODD_KINDS = {exp.DataType.Type.USERDEFINED, exp.DataType.Type.XML, exp.DataType.Type.VARIANT}
_TRUTHS = {exp.DataType.Type.BIT, exp.DataType.Type.BOOLEAN}
_CANNOT_GO_ON = (
    "The CATCH goes on after it, and this database takes no more statements after an error; PostgreSQL as a stand-in "
    "does."
)


@dataclass(slots=True, kw_only=True)
class Program:
    """What a batch in T-SQL does, and what it knows while it does it.

    `tables` are the tables that its table variables and table parameters stand for, `kinds` the types of the other
    variables, all by their names in small letters, as are the `cursors`. `number` is that of the last new row, asked
    for where it `wants_number`; where it `wants_places`, cursors know where their rows stand.
    """

    batch: "Batch"
    tables: dict[str, exp.Identifier] = field(default_factory=dict)
    kinds: dict[str, exp.DataType] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    wants_number: bool = False
    wants_places: bool = False
    number: int | None = None
    is_ended: bool = False

    def run(self, text: str) -> None:
        """Run all statements in order. Raises WrongDefinition for what cannot be translated."""
        self.wants_number, self.wants_places = (
            bool(_ASKS_NUMBER.search(text)),
            "current of" in " ".join(text.lower().split()),
        )
        self._run_all(parts(text))
        if self.batch.session.is_rolled_back and not self.batch.depth:
            raise WrongDefinition(
                "The script rolls back, and ends without an error: all of it is one transaction here.",
                advice="Let it end with THROW, or make the change in a step of its own.",
                code="UserErrorCannotTranslateSql",
            )

    def _run_all(self, found: Iterable[Part]) -> None:
        for part in found:
            if self.is_ended:
                return
            if isinstance(part, If):
                self._run_all(part.then if self._holds(part.condition) else part.other)
            elif isinstance(part, While):
                self._repeat(part)
            elif isinstance(part, Try):
                self._try(part)
            else:
                self.run_one(part)

    def _repeat(self, part: While) -> None:
        while not self.is_ended and self._holds(part.condition):
            self.batch.count(0)  # a run that is to stop ends here
            try:
                self._run_all(part.body)
            except _NextRound:
                continue
            except _LoopEnd:
                return

    def _try(self, part: Try) -> None:
        error = self._tried(part.body)
        if error is not None:
            self._catch(part, error)

    def _tried(self, body: Iterable[Part]) -> ManaraError | None:
        """Run what stands in a TRY, and return the error that its CATCH is for."""
        session = self.batch.session
        session.tries += 1
        try:
            self._run_all(body)
        except ManaraError as error:
            if not session.can_catch(error):
                raise
            return error
        finally:
            session.tries -= 1
        return None

    def _catch(self, part: Try, error: ManaraError) -> None:
        session = self.batch.session
        session.caught.append(error)
        try:
            self._run_all(part.handler)
        except ManaraError as raised:
            raise session.with_left_out(raised)  # noqa: B904 # it has its own cause
        finally:
            session.caught.pop()
        if session.is_broken:  # and the CATCH goes on
            error.advice = f"{error.advice} {_CANNOT_GO_ON}".strip()
            raise session.with_left_out(error)

    def _holds(self, condition: str) -> bool:
        text = f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END"
        holds = bool(self.value(tree_of(text), text) == 1)
        self.batch.changed = 0
        return holds

    def run_one(self, part: Plain) -> None:
        """Run one statement."""
        self.batch.session.moment = clock.now()
        text = part.text.strip()
        does = _DOES.get(part.word)
        if _QUIET.match(text):
            return
        if _OPENS.fullmatch(text) or _COMMITS.fullmatch(text):
            more = 1 if _OPENS.fullmatch(text) else -1
            self.batch.session.opened = max(self.batch.session.opened + more, 0)
            self.batch.changed = 0
        elif found := DECLARES.fullmatch(text):
            declare_cursor(self, found)
        elif does:
            does(self, part)
        elif found := WITHIN.search(text):
            from_change(self, text, found)
        elif found := CURRENT.search(text):
            change_current(self, part, found)
        elif found := _INSERTS_CALL.fullmatch(text):
            insert_from_call(self, found["into"], found["call"], text)
        elif output := output_of(text, part.word):
            self._put_out(output, text)
        else:
            told = definitions(text)
            for one in [part.text] if told is None else told:
                self._run_steps(tree_of(one), text)

    def _run_steps(self, tree: exp.Expression, text: str) -> None:
        changed = 0
        for step in steps(tree, self.batch.spoken):
            self.run_tree(step, text)
            changed += max(self.batch.changed, 0) if isinstance(tree, exp.Merge) else 0
        self.batch.changed = changed or self.batch.changed

    def _put_out(self, output: Output, text: str) -> None:
        """Run a statement that puts out what it changes: as rows, or into a table."""
        tree = output.tree()
        is_before = is_asked_before(tree) and not self.batch.session.is_broken
        if not is_before and (not output.into or self.batch.session.is_broken):
            self.run_tree(tree, text)
            return
        rows = told_before(self, tree, text) if is_before else self.rows_of(tree, text)
        if is_before:
            self._run_steps(tree, text)
        if not output.into:
            self.batch.rows(rows.to_reader())
            self.batch.changed = -1
            return
        if self.wants_number and isinstance(tree, exp.Insert):
            self.number = self._number_of(tree) or self.number
        fill(self, output.into, [rows], text)

    def _print(self, part: Plain) -> None:
        told = f"SELECT {part.text[5:]}"
        self.batch.logs.append(str(self.value(tree_of(told), told)))
        self.batch.changed = 0

    def _return(self, part: Plain) -> None:
        told = part.text[6:].strip(" \t\r\n;")
        self.batch.returned = self.value(tree_of(f"SELECT {told}"), part.text) if told else 0
        self.is_ended = True

    def _leave(self, part: Plain) -> None:
        raise _LoopEnd if part.word == "BREAK" else _NextRound

    def _roll_back(self, _part: Plain) -> None:
        """Note that all is to be taken back, which happens when the script ends with an error."""
        self.batch.session.opened, self.batch.session.is_rolled_back = 0, True

    def _throw(self, part: Plain) -> None:
        told = part.text[5:].strip(" \t\r\n;")
        if not told:
            if not self.batch.session.caught:
                refuse(part.text, "a THROW without anything, which belongs into a CATCH")
            raise self.batch.session.caught[-1]
        values = self._values_of(f"SELECT {told}", part.text)
        if len(values) != 3:
            refuse(part.text, "a THROW without its number, message and state")
        raise Raised(str(values[1]), number=int(values[0]), state=int(values[2]))

    def _raise_error(self, part: Plain) -> None:
        told = _RAISES.fullmatch(part.text.strip())
        values = self._values_of(f"SELECT {told[1]}", part.text) if told else []
        if len(values) < 3 or not isinstance(values[0], str):
            refuse(part.text, "a RAISERROR without its message, severity and state")
        message, severity, state, *rest = values
        if int(severity) <= _NO_ERROR:
            self.batch.logs.append(stated(message, rest))
        else:
            raise Raised(stated(message, rest), severity=int(severity), state=int(state))

    def _values_of(self, text: str, shown: str) -> list[Any]:
        """Return the values of the expressions of a SELECT, each by itself."""
        return [self.value(exp.select(one.copy()), shown) for one in tree_of(text).expressions]

    def run_tree(self, tree: exp.Expression, text: str) -> None:
        if isinstance(tree, exp.Declare):
            self._declare(tree, text)
        elif isinstance(tree, exp.Set):
            for item in tree.expressions:
                assign(self, item.this, text)
        elif isinstance(tree, exp.Select) and any(is_assignment(one) for one in tree.expressions):
            assign_from(self, tree, text)
        else:
            if self.batch.session.is_broken:
                self.batch.session.left_out.append(text)
                return
            self._change(tree, text)

    def _change(self, tree: exp.Expression, text: str) -> None:
        if sets_variables(tree):
            set_variables(self, tree, text)
            if not tree.expressions:
                return  # it sets nothing else
        if self.batch.spoken == "duckdb":
            for name, first, step in sequences(tree):
                kind = "temporary sequence" if "#" in name else "sequence"
                make = f'create or replace {kind} "{name}" start {int(first)} increment {int(step)}'
                self.batch.runner.execute(make, {})
        self.batch.send(self.words(tree, text), _has_rows(tree))
        if _has_rows(tree):
            self.batch.changed = -1  # whoever takes the rows knows
        if self.wants_number and isinstance(tree, exp.Insert):
            self.number = self._number_of(tree) or self.number

    def _number_of(self, tree: exp.Insert) -> int | None:
        """Return the number that the database gave to the last new row; None where the table does not count."""
        target = self._own(tree).this
        table = target.this if isinstance(target, exp.Schema) else target
        asked = _SEQUENCE.get(self.batch.spoken)
        if asked is None or not isinstance(table, exp.Table):
            return None
        is_temporary = isinstance(table.this, exp.Identifier) and table.this.args.get("temporary")
        called = temporary_name(table.this).name if is_temporary else table.name
        with self.asked():
            found = self.batch.runner.query(asked, {"name": called, "schema": table.db or "dbo"}).read_all().to_pylist()
        if not found:
            return None
        name = exp.Literal.string(found[0]["name"]).sql(self.batch.spoken)
        with self.asked():
            rows = self.batch.runner.query(f"select currval({name}) as n", {}).read_all()  # it is a literal
        return int(rows.column(0)[0].as_py())

    def words(self, tree: exp.Expression, text: str) -> str:
        return translated(self._own(tree), text, self.batch.spoken, self.batch.runner, self._state())

    def _state(self) -> State:
        batch = self.batch
        return State(values=batch.values, kinds=self.kinds, changed=batch.changed, moment=batch.session.moment)

    def _own(self, tree: exp.Expression) -> exp.Expression:
        """Return the tree with what the batch itself knows: its session, and its table variables."""
        told = with_status(self.batch.session.answered(tree, self.number, self.batch.called), self.cursors)
        for table in list(told.find_all(exp.Table)):
            if isinstance(table.this, exp.Parameter) and table.this.name.lower() in self.tables:
                table.set("this", self.tables[table.this.name.lower()].copy())
        return told

    @contextmanager
    def asked(self) -> Iterator[None]:
        with self.batch.session.asked(getattr(self.batch.runner, "attempt", None)):
            yield

    def rows_of(self, tree: exp.Expression, text: str) -> "pa.Table":
        """Return all rows of a query whose values the batch needs."""
        if self.batch.session.is_broken:
            return self._rows_apart(tree, text)
        statement = self.words(tree, text)
        with self.asked():
            return self.batch.runner.query(statement, self.batch.used(statement)).read_all()

    def _rows_apart(self, tree: exp.Expression, text: str) -> "pa.Table":
        """Return the rows of a query when the database takes none any more; of one that needs it, its own error."""
        scratch: Any = Scratch()
        if tree.find(exp.Table):
            raise self.batch.session.caught[-1]
        statement = translated(self._own(tree), text, "duckdb", scratch, self._state())
        rows: pa.Table = scratch.query(statement, self.batch.used(statement)).read_all()
        return rows

    def value(self, tree: exp.Expression, text: str) -> Any:
        """Return the one value of a query; None where it gives no row."""
        rows = self.rows_of(tree, text)
        return rows.column(0)[rows.num_rows - 1].as_py() if rows.num_rows else None

    def _declare(self, tree: exp.Declare, text: str) -> None:
        for item in tree.expressions:
            for variable in item.this:
                name = variable.name.lower()
                if isinstance(item.args["kind"], exp.Schema):
                    self._declare_table(name, item.args["kind"])
                    continue
                default = item.args.get("default")
                self.batch.values[name], self.kinds[name] = None, declared(item.args["kind"])
                if default:
                    told = exp.select(exp.cast(default.copy(), self.kinds[name].copy()))
                    self.batch.values[name] = self.value(told, text)

    def _declare_table(self, name: str, columns: exp.Schema) -> None:
        """Make a temporary table for a table variable; in a loop it is the same one, as in SQL Server."""
        called = f"{name}@{self.batch.depth}"
        self.tables[name] = exp.Identifier(this=called, quoted=False, temporary=True)
        drop, make = f"DROP TABLE IF EXISTS [#{called}]", f"CREATE TABLE [#{called}] {columns.sql('tsql')}"
        for text in (drop, make):
            self.run_tree(tree_of(text), text)

    def as_declared(self, name: str, value: exp.Expression) -> exp.Expression:
        """Return a value as the type that its variable was declared with."""
        kind = self.kinds.get(name)
        is_known = kind is not None and kind.this not in _ODD_KINDS
        return exp.cast(value.copy(), kind.copy()) if kind is not None and is_known else value.copy()

    def declare(self, types: Mapping[str, str]) -> None:
        """Give parameters the types that a procedure declares."""
        for name, kind in types.items():
            value = self.batch.values.get(name)
            text = f"SELECT CAST(@{name} AS {kind})"
            tree = tree_of(text)
            told = tree.find(exp.DataType)
            if told is None or told.this == exp.DataType.Type.USERDEFINED:
                continue
            if told.this in _TRUTHS and str(value).lower() in {"true", "false"}:
                truth = str(value).lower() == "true"
                self.batch.values[name] = int(truth) if self.batch.spoken == "postgres" else truth
            elif value is not None:
                self.batch.values[name] = self.value(tree, text)
            self.kinds[name] = told


def _has_rows(tree: exp.Expression) -> bool:
    if isinstance(tree, exp.DML):
        return tree.args.get("returning") is not None
    return isinstance(tree, exp.Query) and tree.args.get("into") is None


class _LoopEnd(Exception):
    """BREAK."""


class _NextRound(Exception):
    """CONTINUE."""


_DOES: dict[str, Callable[[Program, Plain], None]] = {
    "PRINT": Program._print,
    "RETURN": Program._return,
    "BREAK": Program._leave,
    "CONTINUE": Program._leave,
    "ROLLBACK": Program._roll_back,
    "THROW": Program._throw,
    "RAISERROR": Program._raise_error,
    "OPEN": use_cursor,
    "CLOSE": use_cursor,
    "DEALLOCATE": use_cursor,
    "FETCH": fetch,
    "EXEC": call,
    "EXECUTE": call,
}
