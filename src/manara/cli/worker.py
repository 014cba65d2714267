"""A worker on the screen: one line when it takes a run, and one when the run has ended."""

import json
import sys
from pathlib import Path

from manara.app import Factory
from manara.runtime.recorder import Progress
from manara.store.journal import Event


def show_worker(folder: Path, *, drain: bool) -> None:
    """Work on the runs of a factory, and say which, until it is told to stop or (`drain`) nothing is left to do."""
    opened = Factory.open(folder)
    say(f"At work for the factory '{opened.definitions.name}'. Ctrl-C ends it.")
    count = opened.serve(show_event, say, drain=drain)
    say(f"Ended. {count} {'run was' if count == 1 else 'runs were'} done.")


def show_submitted(opened: Factory, pipeline: str, parameters: dict[str, object], *, as_json: bool) -> None:
    """Ask for a run by any worker, and print its id."""
    run_id = opened.submit(pipeline, parameters)
    say(json.dumps({"runId": run_id}) if as_json else f"Asked for the run {run_id}. See it: manara show {run_id}")


def say(text: str) -> None:
    """Print a line at once, for logs that are read while the worker goes on."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_event(event: Event | Progress) -> None:
    """Print a line where a run has started or ended."""
    if not isinstance(event, Event):
        return
    if event.kind == "runStarted":
        say(f"{event.at:%Y-%m-%d %H:%M:%S} Started   {event.body['pipeline']}, run {event.run_id}")
    elif event.kind == "runEnded":
        say(f"{event.at:%Y-%m-%d %H:%M:%S} {event.body['status']:<9} run {event.run_id}")
