"""The command line: `manara COMMAND`. Exit code 0 when it succeeded, 1 when a run failed, 2 for wrong use."""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.cli.audit import audit
from manara.cli.backup import backup, backups, restore, restore_database
from manara.cli.catalog import catalog
from manara.cli.identity import identity
from manara.cli.lake import lake
from manara.cli.lineage import lineage
from manara.cli.moving import bring, export
from manara.cli.pack import pack
from manara.cli.quarantine import quarantine
from manara.cli.steward import steward
from manara.cli.store import store
from manara.cli.triggers import trigger
from manara.cli.warehouse import warehouse
from manara.errors import Broken, ManaraError, WrongDefinition
from manara.registry import missing_library

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

cursor = typer.Typer(no_args_is_help=True, help="Where activities go on at their next run: look, and change it.")
cli.add_typer(cursor, name="cursor")
for made in (backup, backups, restore, restore_database):
    cli.command()(made)
cli.add_typer(identity, name="identity")
cli.add_typer(audit, name="audit")
cli.add_typer(export, name="export")
cli.add_typer(bring, name="import")
cli.add_typer(store, name="store")
cli.add_typer(trigger, name="trigger")
cli.add_typer(catalog, name="catalog")
cli.add_typer(lake, name="lake")
cli.add_typer(lineage, name="lineage")
cli.add_typer(pack, name="pack")
cli.add_typer(quarantine, name="quarantine")
cli.add_typer(steward, name="steward")
cli.add_typer(warehouse, name="warehouse")

FactoryFolder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", help="A parameter of the pipeline.", metavar="NAME=VALUE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
RunId = Annotated[str, typer.Argument(help="The run's id, the start of it, or 'last'.", metavar="RUN")]
CursorName = Annotated[
    str, typer.Argument(help="The cursor's id, the start of it, ACTIVITY or PIPELINE/ACTIVITY.", metavar="CURSOR")
]
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
def validate(
    factory: FactoryFolder = HERE,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings count as faults.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every definition of a factory, and name all faults and warnings at once."""
    from manara.cli.validate import show_faults

    raise typer.Exit(show_faults(factory, strict=strict, as_json=as_json))


@cli.command()
def coverage(factory: FactoryFolder = HERE, as_json: AsJson = False) -> None:
    """Tell which parts of a factory run here, which need a stand-in, and which cannot."""
    from manara.cli.coverage import show_coverage

    show_coverage(factory, as_json=as_json)


@cli.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.")],
    factory: FactoryFolder = HERE,
    parameter: Parameters = None,
    until: Annotated[
        str | None,
        typer.Option(help="Stop after this activity: only it and what it waits for run.", metavar="ACTIVITY"),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would run; run nothing.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Leave the run to a worker (manara worker).")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline here and now, to its end."""
    from manara.cli.runs import show_run

    opened = open_at(factory)
    given = read_parameters(parameter)
    if plan:
        from manara.cli.plan import show_plan

        show_plan(pipeline, opened.plan(pipeline, given), as_json=as_json)
        return
    if queue:
        from manara.cli.worker import show_submitted

        show_submitted(opened, pipeline, given, as_json=as_json)
        return
    raise typer.Exit(
        show_run(lambda listener: opened.run(pipeline, given, listener, until=until), factory, as_json=as_json)
    )


@cli.command()
def rerun(
    run_id: RunId,
    factory: FactoryFolder = HERE,
    parameter: Parameters = None,
    activity: Annotated[
        str | None,
        typer.Option("--from", help="Start at this activity; what ran before it counts.", metavar="ACTIVITY"),
    ] = None,
    from_failure: Annotated[
        bool, typer.Option("--from-failure", help="Run only what had not succeeded, and the bad rounds of loops.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run again what an earlier run ran: all of it, from an activity, or from the failure."""
    from manara.cli.journal import whole_id
    from manara.cli.runs import show_run

    if activity and from_failure:
        raise WrongDefinition("--from and --from-failure exclude each other.", advice="Give one of them.")
    opened = open_at(factory)
    earlier, given = whole_id(factory, run_id), read_parameters(parameter)
    start = "activity" if activity else "failure" if from_failure else "beginning"
    raise typer.Exit(
        show_run(
            lambda listener: opened.rerun(earlier, given, listener, start=start, activity=activity),
            factory,
            as_json=as_json,
        )
    )


@cli.command()
def worker(
    factory: FactoryFolder = HERE,
    drain: Annotated[bool, typer.Option("--drain", help="End when nothing is left to do.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Work for the server of this home, on the factories made there.", metavar="DIR")
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            help="Work for the servers of this store: postgresql://...", metavar="URL", envvar="MANARA_STORE_JOURNAL"
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            help="Join the integration runtime that this key opens.", metavar="KEY", envvar="MANARA_RUNTIME_KEY"
        ),
    ] = "",
) -> None:
    """Do the runs that were asked for, and go on with those of workers that died."""
    if home or store or key:
        from manara.cli.serve import run_node

        run_node(home, store, key, drain=drain)
        return
    from manara.cli.worker import show_worker

    show_worker(factory, drain=drain)


@cli.command()
def serve(
    factory: Annotated[
        Path | None,
        typer.Option("--factory", "-f", help="Publish the factory in this folder, and serve it.", metavar="DIR"),
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Where the server keeps what it is given.", metavar="DIR")] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine need identities.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port for plain HTTP on this machine; 0 for any free one.")] = 8480,
    tls_port: Annotated[int, typer.Option(help="The port for TLS.")] = 8443,
    gateway_port: Annotated[int, typer.Option(help="The port of the gateway for Azure's clients.")] = 8441,
    workers: Annotated[
        int, typer.Option(help="How many processes work on runs, this one included.", min=0, max=64)
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Write the log as one JSON object a line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log faults only, not each request.")] = False,
) -> None:
    """Serve the management API of Azure Data Factory, with its triggers and workers, until told to stop."""
    from manara.cli.serve import run_server

    ports = (port, tls_port, gateway_port)
    run_server(factory, home, host=host, ports=ports, workers=workers, as_json=as_json, quiet=quiet)


@cli.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def azure(
    command: Annotated[
        list[str] | None, typer.Argument(help="The command, such as: -- python lab.py; or: env.", metavar="COMMAND")
    ] = None,
    factory: Annotated[
        Path | None, typer.Option("--factory", "-f", help="The server of this factory's folder.", metavar="DIR")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="The server of this home.", metavar="DIR")] = None,
    as_json: AsJson = False,
) -> None:
    """Run an unchanged Azure script, az or SDK against the server here; `env` prints the environment for a shell."""
    from manara.cli.azure import run_command, show_environment

    if command == ["env"]:
        show_environment(factory, home, as_json=as_json)
        return
    raise typer.Exit(run_command(factory, home, command or []))


@cli.command()
def cancel(run_id: RunId, factory: FactoryFolder = HERE) -> None:
    """Ask a run to stop, and all that it called; whoever works on it does so within about a second."""
    from manara.cli.journal import whole_id

    found = whole_id(factory, run_id)
    ended = open_at(factory).cancel(found)
    say(f"The run {found} " + ("is cancelled." if ended else "was asked to stop; it does so within about a second."))


@cli.command()
def resume(
    run_id: RunId,
    factory: FactoryFolder = HERE,
    parameter: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was killed, where it stopped."""
    from manara.cli.journal import whole_id
    from manara.cli.runs import show_run

    opened = open_at(factory)
    run_id = whole_id(factory, run_id)
    given = read_parameters(parameter)
    raise typer.Exit(show_run(lambda listener: opened.resume(run_id, given, listener), factory, as_json=as_json))


@cli.command()
def runs(
    factory: FactoryFolder = HERE,
    pipeline: Annotated[str | None, typer.Option(help="Only the runs of this pipeline.", metavar="NAME")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those: Queued, InProgress, Succeeded, Failed, Cancelled.")
    ] = None,
    last: Annotated[int, typer.Option(help="How many, the newest first.", min=1, metavar="N")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs of a factory, the newest first."""
    from manara.cli.listing import show_runs

    show_runs(factory, pipeline=pipeline, status=status, most=last, as_json=as_json)


@cli.command()
def show(
    run_id: RunId,
    factory: FactoryFolder = HERE,
    activity: Annotated[
        str | None, typer.Option(help="One activity in full: its path, or the end of it.", metavar="PATH")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Every activity, however deep.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: its tree, when each activity was at work, and what failed."""
    from manara.cli.show import show_run

    show_run(factory, run_id, activity=activity, whole=whole, as_json=as_json)


@cli.command()
def logs(
    run_id: RunId,
    factory: FactoryFolder = HERE,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for machines.")] = False,
) -> None:
    """Print everything that happened in a run, in order."""
    from manara.cli.logs import show_logs

    show_logs(factory, run_id, follow=follow, as_json=as_json)


@cursor.command(name="list")
def cursor_list(
    factory: FactoryFolder = HERE,
    pipeline: Annotated[str | None, typer.Option(help="Only those of this pipeline.", metavar="NAME")] = None,
    as_json: AsJson = False,
) -> None:
    """List where activities go on at their next run."""
    from manara.cli.cursor import show_cursors

    show_cursors(factory, pipeline=pipeline, as_json=as_json)


@cursor.command(name="show")
def cursor_show(name: CursorName, factory: FactoryFolder = HERE, as_json: AsJson = False) -> None:
    """Show one of them: where it goes on, which run left it, and what it belongs to."""
    from manara.cli.cursor import show_cursor

    show_cursor(factory, name, as_json=as_json)


@cursor.command(name="set")
def cursor_set(
    name: CursorName,
    value: Annotated[str, typer.Argument(help="Where to go on, in the form that the cursor has: a text, or JSON.")],
    factory: FactoryFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Let the next run go on elsewhere: from an earlier date, to load anew what came since."""
    from manara.cli.cursor import change_cursor

    change_cursor(factory, name, value, as_json=as_json)


@cursor.command(name="reset")
def cursor_reset(name: CursorName, factory: FactoryFolder = HERE, as_json: AsJson = False) -> None:
    """Let the next run begin from the start."""
    from manara.cli.cursor import change_cursor

    change_cursor(factory, name, None, as_json=as_json)


@cli.command(name="eval")
def evaluate(
    text: Annotated[str, typer.Argument(help="The text as it stands in a definition.", metavar="EXPRESSION")],
    context: Annotated[
        str | None, typer.Option(help="A JSON file with the names that it sees; - reads the input.", metavar="FILE")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Hold the clock at this moment.", metavar="TIME")] = None,
) -> None:
    """Evaluate an expression and print its value as JSON."""
    from manara.cli.evaluate import show_value

    show_value(text, context, at)


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
def profile(
    source: Annotated[str, typer.Argument(help="A file, or a dataset of the factory.", metavar="SOURCE")],
    factory: FactoryFolder = HERE,
    contract: Annotated[Path | None, typer.Option(help="Write a proposed contract there.", metavar="FILE")] = None,
    sheet: Annotated[str, typer.Option(help="The sheet of a workbook; the first without it.")] = "",
    delimiter: Annotated[str, typer.Option(help="What stands between the columns of a text file.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what a file or dataset holds: types, keys, ranges, likely personal columns; and propose a contract."""
    from manara.cli.profile import show_profile

    show_profile(source, factory, contract=contract, sheet=sheet, delimiter=delimiter, as_json=as_json)


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # half a character in a name is shown, and ends nothing
    try:
        cli(standalone_mode=True)
    except ManaraError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FAILED if error.status >= 500 else WRONG_USE)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{missing_library(error)}\n")
        sys.exit(WRONG_USE)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was done is in the journal; go on with: manara resume RUN\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 # the last place: what nobody foresaw is told in one line
        told = Broken(f"{type(error).__name__}: {error}", advice="This is a fault of Manara; please report it.")
        sys.stderr.write(f"{told}\n")
        sys.exit(FAILED)
