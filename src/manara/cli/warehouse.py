"""`manara warehouse ...`: the stars of a factory, what its database lacks, and tables as they were."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.errors import NotFound, WrongDefinition

if TYPE_CHECKING:
    from rich.tree import Tree

    from manara.app import Factory
    from manara.warehouse.subject import Subject

warehouse = typer.Typer(no_args_is_help=True, help="The stars of a factory: look, apply, and read the past.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Service = Annotated[str, typer.Option("--warehouse", help="The linked service of the database.", metavar="NAME")]
Schema = Annotated[str, typer.Option(help="The schema of the tables.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()


@warehouse.command()
def show(factory: Folder = HERE, as_json: AsJson = False) -> None:
    """Draw the subject areas: facts with their grain, dimensions and measures."""
    from rich.console import Console

    from manara.app import Factory

    subjects = _subjects(Factory.open(factory))
    if as_json:
        _print_json({"value": [subject.model_dump(mode="json", by_alias=True) for subject in subjects]})
        return
    console = Console(highlight=False, markup=False)
    if not subjects:
        console.print("There is no subject area yet. Declare one in subject/NAME.yaml.")
    for subject in subjects:
        console.print(_tree(subject))


@warehouse.command()
def plan(
    factory: Folder = HERE, warehouse: Service = "Warehouse", schema: Schema = "", as_json: AsJson = False
) -> None:
    """Tell which statements the database lacks, and which columns nobody declares any more."""
    from manara.app import Factory
    from manara.warehouse.tables import plan as changes_of
    from manara.warehouse.tables import unused

    opened = Factory.open(factory)
    database = opened.database(warehouse)
    subjects = _subjects(opened)
    changes = [each for one in subjects for each in changes_of(one, database.columns, database.dialect, schema)]
    left = [f"{table}.{column}" for one in subjects for table, column in unused(one, database.columns, schema)]
    if as_json:
        told = [{"says": each.says, "statement": each.statement} for each in changes]
        _print_json({"changes": told, "unused": left})
        return
    for each in changes:
        sys.stdout.write(f"-- {each.says}\n{each.statement};\n")
    sys.stdout.write(f"-- {len(changes)} statements\n" if changes else "The database has all that is declared.\n")
    for column in left:
        sys.stdout.write(f"-- {column} is not declared any more, and stays\n")


@warehouse.command()
def apply(factory: Folder = HERE, warehouse: Service = "Warehouse", schema: Schema = "") -> None:
    """Bring the database up to what is declared; nothing is dropped."""
    import uuid

    from manara.app import Factory
    from manara.plugin.connection import Mark
    from manara.warehouse.tables import apply as apply_to

    opened = Factory.open(factory)
    database = opened.database(warehouse)

    def work(transaction: Any) -> dict[str, Any]:
        return {
            "says": [
                each.says
                for subject in _subjects(opened)
                for each in apply_to(transaction, subject, database.dialect, schema)
            ]
        }

    done = database.once(Mark(run_id=str(uuid.uuid4()), step="warehouse", attempt=1), work)
    for says in done["says"]:
        sys.stdout.write(f"{says}\n")
    sys.stdout.write(f"{len(done['says'])} statements done.\n")


@warehouse.command()
def read(
    table: Annotated[str, typer.Argument(help="A dimension or fact table.", metavar="TABLE")],
    as_of: Annotated[
        str, typer.Option("--as-of", help="A run, or a moment in UTC such as 2024-01-31T12:00.", metavar="RUN|TIME")
    ],
    factory: Folder = HERE,
    warehouse: Service = "Warehouse",
    schema: Schema = "",
    most: Annotated[int, typer.Option("--most", help="How many rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Read a table as it was after a run, or at a moment."""
    from manara.app import Factory
    from manara.cli.runs import show_rows
    from manara.warehouse.history import moment_of, read_as_of

    database = Factory.open(factory).database(warehouse)
    try:
        moment = moment_of(database, as_of, schema)
    except NotFound:
        moment = _moment(as_of)
    rows: list[dict[str, Any]] = []
    for batch in read_as_of(database, table, moment, schema):
        rows += batch.slice(0, most - len(rows)).to_pylist()
        if len(rows) >= most:
            break
    if as_json:
        _print_json({"asOf": moment, "value": rows})
    else:
        show_rows(rows)
        sys.stdout.write(f"{table} as of {moment:%Y-%m-%d %H:%M:%S} UTC\n")


def _subjects(opened: "Factory") -> "list[Subject]":
    from manara.resources.factory import STANDARD
    from manara.warehouse.subject import read_subject

    texts = {name.rsplit(".", 1)[0]: opened.definitions.text("subject", name)
             for name in opened.definitions.names("subject")}  # fmt: skip
    others = {STANDARD: opened.definitions.text("subject", STANDARD), **texts}
    return [read_subject(text, f"subject/{name}.yaml", others) for name, text in sorted(texts.items())]


def _tree(subject: "Subject") -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text.assemble((subject.subject, "bold"), f"  {subject.description}"))
    for fact in subject.facts:
        branch = tree.add(Text.assemble((fact.table, "bold cyan"), f"  {fact.grain}"))
        for role in fact.roles:
            key = "● " if role.name in fact.key else "○ "
            branch.add(Text.assemble(key, (role.column, "green"), f" → dim_{role.dimension}"))
        for each in fact.degenerate:
            branch.add(f"{'● ' if each.name in fact.key else '○ '}{each.name}  {each.type}")
        for measure in fact.measures:
            over = f" over {', '.join(measure.over)}" if measure.over else ""
            unit = f", {measure.unit}" if measure.unit else ""
            branch.add(
                Text.assemble("Σ ", (measure.name, "yellow"), f"  {measure.type}{unit}, {measure.additivity}{over}")
            )
    for dimension in subject.dimensions:
        branch = tree.add(Text.assemble((dimension.table, "bold green"), f"  {dimension.description}"))
        for attribute in dimension.attributes:
            mark = "● " if attribute.name in dimension.key else "○ "
            kept = "  kept in versions" if attribute.history == 2 else ""
            branch.add(f"{mark}{attribute.name}  {attribute.type}{kept}")
    return tree


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongDefinition(
            f"'{text}' is neither a run that loaded a table nor a moment.", advice="Such as 2024-01-31T12:00."
        ) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
