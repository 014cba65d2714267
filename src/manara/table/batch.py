"""A text of SQL run against a database that may speak another dialect than the text's own."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from manara.errors import ManaraError, NotFound, WrongDefinition
from manara.table.procedure import Procedure, called
from manara.table.runner import Runner, Values
from manara.table.statements import gives_rows, plain_statements
from manara.table.tsql.calls import DEEPEST
from manara.table.tsql.program import Program
from manara.table.tsql.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

_USED = re.compile(r"\$(\w+)")


def no_procedure(name: str) -> str:
    """Raise NotFound: there is no script that answers a procedure."""
    raise NotFound(f"There is no stored procedure '{name}'.")


@dataclass(kw_only=True)
class Batch:
    """A text in the dialect `written`, run by `runner`, whose dialect is `spoken`.

    `rows` takes the rows of each statement that gives some, and `count` how many rows each of the others changed.
    `values` are the parameters; variables that the text declares join them. `procedure` returns the script that
    answers a stored procedure; it raises NotFound where there is none. `logs` gets what PRINT says.

    `changed` is how many rows the last statement changed, `returned` what RETURN gave. The batches of the procedures
    that it calls share its `session`, and stand `depth` below the first one; `order` are the names of their parameters,
    and `called` is the name of the procedure itself, without its schema.
    """

    written: str
    spoken: str
    runner: Runner
    rows: Callable[["pa.RecordBatchReader"], None]
    count: Callable[[int], None] = lambda _count: None
    values: dict[str, Any] = field(default_factory=dict)
    procedure: Callable[[str], str] = no_procedure
    logs: list[str] = field(default_factory=list)
    changed: int = 0
    depth: int = 0
    session: Session = field(default_factory=Session)
    returned: Any = 0
    order: tuple[str, ...] = ()
    called: str = ""

    def run(self, text: str) -> None:
        """Run all statements in order. Raises WrongDefinition for what cannot be translated."""
        self.values = {name.lower(): value for name, value in self.values.items()}
        if self.written == "tsql" and self.spoken != "tsql":
            Program(batch=self).run(text)
            return
        for statement in plain_statements(text, self.written, self.spoken, self.values):
            self.send(statement, gives_rows(statement))

    def send(self, statement: str, has_rows: bool) -> None:
        """Run one statement in the words of the database."""
        if has_rows:
            with self.session.asked(None):  # its rows may come after a savepoint has gone
                self.rows(self.runner.query(statement, self.used(statement)))
        else:
            with self.session.asked(getattr(self.runner, "attempt", None)):
                self.changed = self.runner.execute(statement, self.used(statement))
            self.count(self.changed)

    def used(self, statement: str) -> dict[str, Any]:
        """Return the values of the variables that a statement names."""
        return {name: self.values[name] for name in dict.fromkeys(_USED.findall(statement)) if name in self.values}

    def run_procedure(self, name: str, named: Values, placed: Sequence[Any] = ()) -> "Batch":
        """Run the script that answers a stored procedure, and return its batch.

        It is written in the words of the database itself, or is the procedure's own CREATE PROCEDURE.
        """
        if self.depth >= DEEPEST:
            raise WrongDefinition(f"Procedures call each other {DEEPEST} deep.", where=name)
        answer = Procedure.read(name, self.procedure(name))
        inner = replace(
            self, written="tsql" if answer.is_tsql else self.spoken, values=answer.bound(named, placed), changed=0,
            depth=self.depth + 1, order=answer.order, returned=0, called=name.rpartition(".")[2].strip("[]"),
        )  # fmt: skip
        try:
            if answer.is_tsql and self.spoken != "tsql":
                tables = {table: exp.to_identifier(table, quoted=True) for table in answer.tables}
                program = Program(batch=inner, tables=tables)
                program.declare(answer.types)
                program.run(answer.text)
            else:
                inner.run(answer.text)
        except ManaraError as error:
            raise error.at(f"procedure '{name}'") from error.__cause__
        return inner

    def call(self, name: str, named: Values) -> None:
        """Call a stored procedure of the database itself, or run the script that answers it."""
        try:
            self.procedure(name)
        except NotFound:
            statement = called(self.spoken, name, list(named), self.runner)
            if not statement:
                raise
            self.values = {key.lower(): value for key, value in named.items()}
            self.send(statement, self.spoken != "mysql")
            return
        self.run_procedure(name, named)
