"""`manara audit ...`: what was done and refused on a server, and whether that log is whole."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manara.store.journal import Journal

audit = typer.Typer(no_args_is_help=True, help="What was done and refused on a server, and whether that log is whole.")

Folder = Annotated[
    Path | None,
    typer.Option("--factory", "-f", help="The server that serves the factory in this folder.", metavar="DIR"),
]
Home = Annotated[Path | None, typer.Option("--home", help="The home of the server.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]


@audit.command()
def verify(home: Home = None, factory: Folder = None, as_json: AsJson = False) -> None:
    """Say whether every row is as it was written; exit code 1 where not, with the first that is not."""
    from manara.store.audit import verify_audit

    with _journal(home, factory) as journal:
        count, broken = verify_audit(journal)
    if as_json:
        _say(json.dumps({"rows": count, "whole": broken is None, "firstBroken": broken}))
    elif broken is None:
        _say(f"All {count} rows are as they were written.")
    else:
        _say(f"Row {broken} is not as it was written, or is missing; the {count} before it are whole.")
    raise typer.Exit(0 if broken is None else 1)


@audit.command(name="list")
def list_rows(
    after: Annotated[int, typer.Option(help="Only the rows behind this number.", min=0, metavar="NUMBER")] = 0,
    last: Annotated[int, typer.Option(help="At most so many, the newest.", min=1, metavar="N")] = 50,
    home: Home = None,
    factory: Folder = None,
    as_json: AsJson = False,
) -> None:
    """List what was done and refused, in order."""
    from manara import clock
    from manara.store.audit import last_audit, read_audit

    with _journal(home, factory) as journal:
        found = read_audit(journal, max(after, last_audit(journal) - last), last)
    if as_json:
        rows = [{"seq": each.seq, "at": clock.stamp(each.at), **each.body} for each in found]
        _say(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for each in found:
        who = each.body.get("name") or each.body.get("who") or "somebody"
        end = f"{each.body.get('status', '')} {each.body.get('code', '')}".strip()
        more = " ".join(str(each.body[name]) for name in ("role", "scope") if name in each.body)
        what = " ".join(filter(None, (each.body.get("action", ""), each.body.get("on", ""), more)))
        told = f"{who} {what} from {each.body.get('from', '')}: {end}"
        _say(f"{each.seq:>6} {each.at:%Y-%m-%d %H:%M:%S} {_plain(told)}")


@contextmanager
def _journal(home: Path | None, folder: Path | None) -> Iterator["Journal"]:
    from manara.app.server import home_of, open_documents

    where = (home or home_of(folder)).absolute()
    journal, _ = open_documents(where.absolute(), folder)
    with closing(journal):
        yield journal


def _plain(text: str) -> str:
    """Return a text without what would move the cursor of a terminal: others chose the names in it."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
