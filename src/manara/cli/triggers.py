"""`manara trigger ...`: when a trigger of a factory's folder would fire; no server is needed."""

import json
import sys
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

trigger = typer.Typer(no_args_is_help=True, help="When a trigger of a factory fires.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]


@trigger.callback()
def of_triggers() -> None:
    """Keep `next` a command of its own, while it is the only one."""


@trigger.command(name="next")
def show_next(
    name: Annotated[str, typer.Argument(help="The trigger's name.")],
    factory: Folder = Path(),
    count: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 10,
    after: Annotated[
        str, typer.Option(help="Those after this moment (ISO 8601), in place of now.", metavar="TIME")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Show the next moments of a schedule, or the next windows, by its own clock and in UTC."""
    from manara import clock
    from manara.errors import NotFound, WrongDefinition
    from manara.registry import near
    from manara.resources.factory import read_factory
    from manara.resources.recurrence import instant, zone_of
    from manara.resources.windows import read_tumbling
    from manara.runtime.triggers.recurrence import moments

    definitions = read_factory(factory)
    found = definitions.definitions.get(("trigger", name))
    if found is None:
        raise NotFound(f"There is no trigger '{name}' in the factory.", advice=near(name, definitions.names("trigger")))
    properties = found.data.get("properties") or {}
    told = properties.get("typeProperties") or {}
    kind = properties.get("type")
    recurrence = told.get("recurrence") or {}
    since = instant(after, zone_of(recurrence), "--after") if after else clock.now()
    if kind == "ScheduleTrigger":
        zone = zone_of(recurrence)
        rows = [_row(each.astimezone(zone), each) for each in islice(moments(recurrence, since), count)]
    elif kind == "TumblingWindowTrigger":
        windows = read_tumbling(told).windows
        first = windows.number_from(since)
        numbers = [each for each in range(first, first + count) if windows.has(each)]
        rows = [_row(windows.at(each), windows.at(each), windows.at(each + 1)) for each in numbers]
    else:
        raise WrongDefinition(f"'{name}' is a {kind}: it fires when something happens, at no set time.")
    _print(rows, as_json=as_json)


def _row(local: datetime, moment: datetime, end: datetime | None = None) -> dict[str, Any]:
    from manara import clock

    row = {"local": local.isoformat(timespec="seconds"), "utc": clock.stamp(moment)}
    return row | ({"windowEnd": clock.stamp(end)} if end else {})


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    for row in rows:
        until = f"  until {row['windowEnd'][:19]}Z" if "windowEnd" in row else ""
        sys.stdout.write(f"{row['local']}   {row['utc'][:19]}Z{until}\n")
    if not rows:
        sys.stdout.write("It does not fire any more.\n")
