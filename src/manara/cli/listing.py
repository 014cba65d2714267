"""The runs of a factory as a list: `manara runs`."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manara import clock
from manara.cli.gantt import MARKS
from manara.cli.journal import open_journal
from manara.cli.words import length, moment, one_line
from manara.errors import WrongDefinition
from manara.registry import near
from manara.store.record import IN_PROGRESS, QUEUED, STATUSES, PipelineRun, list_runs

SHORT_ID = 8
COLUMNS = ("run", "pipeline", "status", "start (UTC)", "time", "message")
_PIPED_WIDTH = 200


def show_runs(folder: Path, *, pipeline: str | None, status: str | None, most: int, as_json: bool) -> None:
    """List the newest runs, those of one pipeline or one status where that is asked for."""
    wanted_status = _status(status)

    def wanted(run: PipelineRun) -> bool:
        return (pipeline is None or run.pipeline.lower() == pipeline.lower()) and wanted_status in (None, run.status)

    with open_journal(folder) as journal:
        found = list_runs(journal, wanted, most + 1)
    runs = found[:most]
    if as_json:
        sys.stdout.write(json.dumps({"value": [run.head() for run in runs]}, indent=2, default=str) + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    if not runs:
        console.print("No run fits." if pipeline or status else "Nothing has run yet.")
        return
    console.print(_table(runs, console.width))
    if len(found) > most:
        console.print(f"There are older runs: --last {most * 5}", style="dim")


def state_of(run: PipelineRun) -> str:
    """Return why a run that has not ended does not go on; nothing where it does, or has ended."""
    if run.status == IN_PROGRESS and not run.is_attended:
        return f"Nobody works on it: manara resume {run.run_id[:SHORT_ID]}"
    return "Waits for a worker." if run.status == QUEUED and not run.is_attended else ""


def _status(text: str | None) -> str | None:
    if text is None:
        return None
    known = {status.lower(): status for status in STATUSES}
    if text.lower() not in known:
        raise WrongDefinition(f"There is no status '{text}'.", advice=near(text, STATUSES))
    return known[text.lower()]


def _table(runs: list[PipelineRun], width: int) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, justify="right" if name == "time" else "left")
    rows = [_cells(run) for run in runs]
    used = sum(max(len(name), *(len(row[at]) for row in rows)) + 2 for at, name in enumerate(COLUMNS[:-1]))
    for row, run in zip(rows, runs, strict=True):
        why = one_line(run.message or state_of(run), max(20, width - used))
        table.add_row(*row, Text(why, style="red" if run.message else "dim"))
    return table


def _cells(run: PipelineRun) -> list[Text]:
    mark, style = MARKS.get(run.status, ("·", "dim"))
    until = run.ended or (clock.now() if run.is_attended else None)
    seconds = (until - run.started).total_seconds() if run.started and until else None
    return [
        Text(run.run_id[:SHORT_ID]),
        Text(one_line(run.pipeline, 30)),
        Text(f"{mark} {run.status}", style=style),
        Text(moment(run.started)),
        Text(length(seconds)),
    ]
