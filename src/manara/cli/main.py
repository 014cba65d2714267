"""The command line: `manara COMMAND`. Exit code 0 when it succeeded, 1 when a run failed, 2 for wrong use."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.errors import Broken, Faults, ManaraError, WrongDefinition

if TYPE_CHECKING:
    from manara.app import Factory

SUCCEEDED, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

cli = typer.Typer(
    help="Manara runs Azure Data Factory pipelines anywhere, unchanged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

FactoryFolder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", help="A parameter of the pipeline.", metavar="NAME=VALUE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()


@cli.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The new folder.", metavar="DIR")],
    blueprint: Annotated[str, typer.Option(help="What to start from: start, supply.")] = "start",
) -> None:
    """Make a factory in a new folder."""
    from manara.blueprints.make import make_factory

    written = make_factory(folder, blueprint)
    say(f"Made the factory '{folder}' from the blueprint '{blueprint}': {len(written)} files.")
    say(f"Check it:  manara validate -f {folder}")
    if blueprint == "start":
        say(f"Run it:    manara run load_csv -f {folder}")


@cli.command()
def validate(factory: FactoryFolder = HERE, as_json: AsJson = False) -> None:
    """Check every definition of a factory and name all faults at once."""
    opened = open_at(factory)
    faults = opened.check()
    if as_json:
        fields = ("file", "path", "message", "advice")
        say(json.dumps({"faults": [{name: getattr(fault, name) for name in fields} for fault in faults]}, indent=2))
    elif faults:
        raise Faults(faults)
    else:
        found = opened.definitions
        count = len(found.definitions) + len(found.stand_ins) + len(found.texts)
        say(f"The factory '{found.name}' is in order: {count} files checked.")
    if faults:
        raise typer.Exit(WRONG_USE)


@cli.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.")],
    factory: FactoryFolder = HERE,
    parameter: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline here and now, to its end."""
    from manara.cli.runs import show_run

    opened = open_at(factory)
    given = read_parameters(parameter)
    raise typer.Exit(show_run(lambda listener: opened.run(pipeline, given, listener), factory, as_json=as_json))


@cli.command()
def resume(
    run_id: Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")],
    factory: FactoryFolder = HERE,
    parameter: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was killed, where it stopped."""
    from manara.cli.runs import show_run

    opened = open_at(factory)
    given = read_parameters(parameter)
    raise typer.Exit(show_run(lambda listener: opened.resume(run_id, given, listener), factory, as_json=as_json))


@cli.command()
def query(
    statement: Annotated[str, typer.Argument(help="One SQL query.", metavar="SQL")],
    factory: FactoryFolder = HERE,
    linked_service: Annotated[str, typer.Option(help="The database to ask.")] = "Warehouse",
    as_json: AsJson = False,
) -> None:
    """Ask a database of the factory a question."""
    from manara.cli.runs import show_rows

    rows = open_at(factory).query(linked_service, statement)
    if as_json:
        say(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
    else:
        show_rows(rows)


@cli.command()
def demo(
    blueprint: Annotated[str, typer.Argument(help="Which demo: supply.")] = "supply",
    folder: Annotated[Path, typer.Option("--dir", help="Where to put it.", metavar="DIR")] = Path("supply-demo"),
    seed: Annotated[int, typer.Option(help="Another seed makes other data.")] = 1,
    add_month: Annotated[bool, typer.Option("--add-month", help="Let another month of reports arrive first.")] = False,
) -> None:
    """Make data, run the main job on it, and show what it found."""
    from manara.cli.demo import show_demo

    raise typer.Exit(show_demo(blueprint, folder, seed, add_month=add_month))


def open_at(folder: Path) -> "Factory":
    """Return the factory in the folder. The wiring is imported here, so that `--help` answers at once."""
    from manara.app import Factory

    return Factory.open(folder)


def read_parameters(pairs: list[str] | None) -> dict[str, Any]:
    """Return `name=value` pairs as a mapping. Raises WrongDefinition for a text that is none."""
    values = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WrongDefinition(f"'{pair}' is no parameter.", advice="Write -p name=value.")
        values[name] = value
    return values


def say(text: str) -> None:
    """Print a line to the standard output."""
    sys.stdout.write(text + "\n")


def main() -> None:
    """Run the command line; every error ends as a message and an exit code, never as a traceback."""
    try:
        cli(standalone_mode=True)
    except ManaraError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FAILED if error.status >= 500 else WRONG_USE)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was done is in the journal; go on with: manara resume RUN\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 # the last place: what nobody foresaw is told in one line
        told = Broken(f"{type(error).__name__}: {error}", advice="This is a fault of Manara; please report it.")
        sys.stderr.write(f"{told}\n")
        sys.exit(FAILED)
