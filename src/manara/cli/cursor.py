"""Where activities go on at their next run: `manara cursor list|show|set|reset`."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manara.cli.journal import open_journal
from manara.cli.words import moment, one_line, value_line
from manara.errors import WrongDefinition
from manara.store.cursor import SHORT, Cursor, find_cursor, list_cursors, set_cursor

_PIPED_WIDTH = 200
_COLUMNS = ("cursor", "pipeline", "activity", "goes on at", "kept (UTC)", "by", "reads and writes")


def show_cursors(folder: Path, *, pipeline: str | None, as_json: bool) -> None:
    """List the cursors of a factory."""
    with open_journal(folder) as journal:
        found = list_cursors(journal, pipeline)
    if as_json:
        _print_json({"value": [cursor.as_json() for cursor in found]})
        return
    console = _console()
    if not found:
        console.print("No activity has left a cursor.")
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        table.add_column(name, no_wrap=True)
    for cursor in found:
        place = cursor.place
        cells = (cursor.key[:SHORT], place.pipeline, place.activity, _value(cursor.value, 40), moment(cursor.kept))
        table.add_row(*cells, cursor.run_id[:SHORT] or "hand", Text(one_line(_about(cursor), 60), style="dim"))
    console.print(table)


def show_cursor(folder: Path, name: str, *, as_json: bool) -> None:
    """Show one cursor: where it goes on, who left it, and what it belongs to."""
    with open_journal(folder) as journal:
        cursor = find_cursor(journal, name)
    if as_json:
        _print_json(cursor.as_json())
        return
    console = _console()
    console.print(Text.assemble((f"{cursor.place.pipeline}/{cursor.place.activity}", "bold"), f"  {cursor.key}"))
    by = f"run {cursor.run_id}" if cursor.run_id else "hand"
    console.print(f"  kept {moment(cursor.kept)} UTC by {by}", style="dim")
    console.print(f"goes on at  {_value(cursor.value, 2000)}", markup=False)
    console.print_json(json.dumps(cursor.place.about, default=str), indent=2)


def change_cursor(folder: Path, name: str, text: str | None, *, as_json: bool) -> None:
    """Let the next run go on elsewhere: at `text`, or from the start where it is None."""
    with open_journal(folder) as journal:
        before = find_cursor(journal, name)
        after = set_cursor(journal, before, None if text is None else read_value(text, before.value))
    if as_json:
        _print_json(after.as_json())
        return
    was = f" It was {_value(before.value, 200)}." if before.value is not None else ""
    where = "begins from the start" if after.value is None else f"goes on at {_value(after.value, 200)}"
    sys.stdout.write(f"The next run of {after.place.pipeline}/{after.place.activity} {where}.{was}\n")


def read_value(text: str, before: Any) -> Any:
    """Return what was typed as a value of the kind that the cursor has had: a text needs no quotes.

    Raises WrongDefinition for another kind, which the activity could not go on at.

    >>> read_value("2024-01-31", "2023-12-31"), read_value("17", 4), read_value('{"since": "x"}', None)
    ('2024-01-31', 17, {'since': 'x'})
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(before, str) and not isinstance(value, str):
        value = text
    if before is not None and _kind(value) != _kind(before):
        raise WrongDefinition(
            f"'{text}' is no such cursor: {_value(before, 200)}.",
            advice="Give the same kind of JSON; see it with: manara cursor show CURSOR",
        )
    if isinstance(before, dict) and set(value) != set(before):
        raise WrongDefinition(
            f"The cursor has the fields {', '.join(before)}; '{text}' has {', '.join(value) or 'none'}.",
            advice="Give all of them.",
        )
    return value


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _value(value: Any, most: int) -> str:
    return "the start" if value is None else value_line(value, most)


def _about(cursor: Cursor) -> str:
    """Return the names of what is read and written, with what was given to them."""
    told = []
    for side in ("inputs", "outputs", "dataset"):
        held = cursor.place.about.get(side) or []
        for one in held if isinstance(held, list) else [held]:
            given = ", ".join(f"{name}={value}" for name, value in (one.get("parameters") or {}).items())
            told.append(f"{one.get('referenceName')}({given})" if given else str(one.get("referenceName")))
    return " -> ".join(told)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")
