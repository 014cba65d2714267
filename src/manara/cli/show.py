"""One run: how it ended, its tree with the time of each activity, and one activity in full."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from manara import clock
from manara.cli.gantt import MARKS
from manara.cli.journal import open_journal
from manara.cli.listing import state_of
from manara.cli.screen import picture
from manara.cli.tree import Node, RunTree
from manara.cli.words import length, moment, named_values, one_line
from manara.errors import NotFound, WrongDefinition
from manara.registry import near
from manara.runtime.recorder import Progress
from manara.store.record import IN_PROGRESS, ActivityRun, PipelineRun, Story, find_run, read_run

_PIPED_WIDTH = 120
_MOST_FAILED = 20
_MOST_NAMED = 8


def show_run(folder: Path, run: str, *, activity: str | None, whole: bool, as_json: bool) -> None:
    """Show a run, or one of its activities with what went in and came out."""
    tree = RunTree()
    with open_journal(folder) as journal:
        told = read_run(journal, find_run(journal, run))
        if activity is None and not as_json:
            for event in Story(journal, told.run_id).news():
                tree.add(event)
            for progress in _progress(told):
                tree.add(progress)
    path, found = find_activity(told, activity) if activity is not None else ("", None)
    if as_json:
        shown = {**found.as_json(), "activityPath": path} if found else told.as_json()
        sys.stdout.write(json.dumps(shown, indent=2, default=str) + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    if found:
        _show_activity(console, path, found)
    else:
        _show_whole(console, told, tree.root, whole=whole)


def _progress(run: PipelineRun) -> Iterator[Progress]:
    """Yield what the activities at work have done so far, in the run and in those that it called."""
    for step, activity in run.activities.items():
        if activity.child:
            yield from _progress(activity.child)
        elif activity.status == IN_PROGRESS and activity.output:
            yield Progress(run_id=run.run_id, step=step, figures=activity.output)


def find_activity(run: PipelineRun, text: str) -> tuple[str, ActivityRun]:
    """Return the activity and its path: by the whole path, or by the end of it where only one ends so.

    Upper and lower case do not matter. Raises NotFound, and WrongDefinition where several end so.
    """
    known = dict(run.walk())
    if text in known:
        return text, known[text]
    wanted = text.lower()
    fits = [path for path in known if path.lower() == wanted or path.lower().endswith(f"/{wanted}")]
    if len(fits) > 1:
        more = "".join(f"\n  {path}" for path in fits[:_MOST_NAMED]) + ("\n  ..." if len(fits) > _MOST_NAMED else "")
        raise WrongDefinition(f"{len(fits)} activities of the run end with '{text}':{more}", advice="\nGive one path.")
    if not fits:
        names = {path.rpartition("/")[2] for path in known} | set(known)
        raise NotFound(f"There is no activity '{text}' in the run.", advice=near(text, names))
    return fits[0], known[fits[0]]


def _show_whole(console: Console, run: PipelineRun, root: Node, *, whole: bool) -> None:
    now = clock.now()
    _show_head(console, run, now)
    if not run.started:
        return
    console.print()
    console.print(picture(root, now, whole=whole, bars=max(16, console.width // 3), told=False))
    failed = list(_failures(root, ""))
    if failed:
        console.print("\nWhat failed", style="bold red")
    for path, message in failed[:_MOST_FAILED]:
        console.print(f"  {path}", style="bold", markup=False)
        console.print(Padding(Text(message), (0, 0, 0, 4)))
    if len(failed) > _MOST_FAILED:
        console.print(f"  ... and {len(failed) - _MOST_FAILED} more", style="dim")
    if run.message and not failed:
        console.print(f"\n{run.message}", style="red", markup=False)


def _show_head(console: Console, run: PipelineRun, now: datetime) -> None:
    mark, style = MARKS.get(run.status, ("·", "dim"))
    console.print(Text.assemble((f"{mark} {run.status}", style), "  ", (run.pipeline, "bold"), f"  {run.run_id}"))
    if run.started:
        seconds = ((run.ended or now) - run.started).total_seconds()
        over = f"to {moment(run.ended)} UTC, {length(seconds)}" if run.ended else f"UTC, {length(seconds)} ago"
        console.print(f"  {moment(run.started)} {over}", style="dim")
    if state_of(run):
        console.print(f"  {state_of(run)}", style="yellow")
    for name, values in (("parameters", run.parameters), ("output", run.output)):
        if values:
            line = one_line(f"{name:<10} {named_values(dict(values), console.width)}", console.width - 3)
            console.print(Text(f"  {line}"), style="dim")


def _failures(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and message of what failed itself: a container fails because of what is inside it."""
    inner = [pair for child in node.inside.values() for pair in _failures(child, _below(path, child))]
    if inner:
        yield from inner
    elif node.message and node.status in ("Failed", "Cancelled"):
        yield path or node.name, node.message


def _below(path: str, child: Node) -> str:
    return f"{path}{child.name}" if child.is_round or not path else f"{path}/{child.name}"


def _show_activity(console: Console, path: str, activity: ActivityRun) -> None:
    mark, style = MARKS.get(activity.status, ("·", "dim"))
    console.print(
        Text.assemble((f"{mark} {activity.status}", style), "  ", (path, "bold"), (f"  {activity.type}", "dim"))
    )
    if activity.started:
        seconds = ((activity.ended or clock.now()) - activity.started).total_seconds()
        tries = f", {activity.attempt} tries" if activity.attempt > 1 else ""
        over = f"to {moment(activity.ended)} UTC" if activity.ended else "UTC"
        console.print(f"  {moment(activity.started)} {over}, {length(seconds)}{tries}", style="dim")
    if activity.child:
        console.print(f"  called {activity.child.pipeline}, run {activity.child.run_id}", style="dim")
    parts: list[tuple[str, Mapping[str, Any] | None]] = [
        ("input", activity.input),
        ("so far" if activity.status == IN_PROGRESS else "output", activity.output),
        ("error", activity.error),
    ]
    for name, value in parts:
        if value:
            trace = str(value.get("trace", "")) if name == "error" else ""
            shown = {key: each for key, each in value.items() if key != "trace"}
            console.print(f"\n{name}", style="bold red" if name == "error" else "bold")
            console.print_json(json.dumps(shown, default=str), indent=2)
            if trace:
                console.print(Text(trace.rstrip()), style="dim", soft_wrap=True)
