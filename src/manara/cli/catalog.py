"""`manara catalog`: what data there is, what it means, who answers for it, how good and how fresh it is."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manara.errors import WrongDefinition

if TYPE_CHECKING:
    from manara.catalog.describe import Catalog, Entry

catalog = typer.Typer(no_args_is_help=True, help="What data there is: meaning, owner, quality, freshness; and exports.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()


@catalog.command(name="list")
def list_all(
    factory: Folder = HERE,
    files: Annotated[bool, typer.Option("--files", help="Files too, not only tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what there is."""
    with _opened(factory) as (found, _):
        _show([one for one in found.entries() if files or one.kind == "table"], as_json=as_json)


@catalog.command()
def search(
    words: Annotated[list[str], typer.Argument(help="Words that all stand in it.", metavar="WORD")],
    factory: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Search names, columns, meanings and owners."""
    with _opened(factory) as (found, _):
        _show(found.search(" ".join(words)), as_json=as_json)


@catalog.command()
def show(
    name: Annotated[str, typer.Argument(help="The table or files.", metavar="ASSET")],
    factory: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one table or of the files of a folder."""
    with _opened(factory) as (found, _):
        entry = found.find(name)
        if as_json:
            _say(json.dumps(entry.as_json(), indent=2, ensure_ascii=False))
            return
        _show_one(entry)


@catalog.command()
def dictionary(
    factory: Folder = HERE,
    to: Annotated[
        Path | None, typer.Option("--to", help="A file: .md, .csv or .xlsx; else Markdown is printed.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the data dictionary: every column of every table with its type and meaning."""
    from manara.catalog.exports import HEAD, as_csv, dictionary_rows, markdown, to_excel, write_text

    with _opened(factory) as (found, _):
        entries = found.entries()
        if as_json:
            _say(json.dumps([dict(zip(HEAD, row, strict=True)) for row in dictionary_rows(entries)], indent=2))
        elif to is None:
            _say(markdown(entries))
        elif to.suffix.lower() == ".xlsx":
            to_excel(entries, to)
        elif to.suffix.lower() in {".csv", ".md"}:
            write_text(to, as_csv(entries) if to.suffix.lower() == ".csv" else markdown(entries))
        else:
            raise WrongDefinition(f"'{to.name}' is none of .md, .csv, .xlsx.", advice="Name a file that ends so.")
        if to is not None and not as_json:
            _say(f"The dictionary of {sum(one.kind == 'table' for one in entries)} tables is in {to}.")


@catalog.command()
def export(
    form: Annotated[str, typer.Argument(help="dcat or frictionless.", metavar="FORM")],
    factory: Folder = HERE,
    to: Annotated[Path | None, typer.Option("--to", help="A file; else it is printed.", metavar="FILE")] = None,
    base: Annotated[
        str, typer.Option(help="Where the addresses of DCAT begin.", metavar="URL")
    ] = "https://example.org/data",
) -> None:
    """Write the catalog for others: DCAT (JSON-LD), or a Frictionless data package."""
    from manara.catalog.exports import data_package, dcat, write_text

    forms = {"dcat": lambda found, name: dcat(found.entries(), name, base)}
    forms["frictionless"] = lambda found, name: data_package(found.entries(), name)
    if form not in forms:
        raise WrongDefinition(f"There is no form '{form}'.", advice=f"Known are: {', '.join(forms)}.")
    with _opened(factory) as (found, name):
        text = json.dumps(forms[form](found, name), indent=2, ensure_ascii=False)
    if to is None:
        _say(text)
        return
    write_text(to, text + "\n")
    _say(f"The catalog is in {to}.")


@contextmanager
def _opened(folder: Path) -> "Iterator[tuple[Catalog, str]]":
    from manara.app import Factory
    from manara.catalog.describe import Catalog
    from manara.catalog.history import History
    from manara.cli.journal import open_journal

    factory = Factory.open(folder)
    with open_journal(folder) as journal:
        yield Catalog(History(journal, factory.definitions), factory.definitions), factory.definitions.name


def _show(entries: "Sequence[Entry]", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        _say(json.dumps([one.as_json() for one in entries], indent=2, ensure_ascii=False))
        return
    owned, scored = any(one.owner for one in entries), any(one.score is not None for one in entries)
    more = [*(["owner"] if owned else []), *(["quality"] if scored else [])]
    table = Table("asset", "what it is", *more, "last written", box=None, pad_edge=False)
    for one in entries:
        fresh = one.fresh.strftime("%Y-%m-%d %H:%M") if one.fresh else "never"
        score = f"{one.score:.1%}" if one.score is not None else ""
        told = [*([Text(one.owner)] if owned else []), *([Text(score)] if scored else [])]
        table.add_row(Text(one.asset.name, style="bold"), Text(_cut(one.description)), *told, fresh)
    Console(highlight=False).print(table if entries else "Nothing fits.")


def _cut(text: str, most: int = 90) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _show_one(entry: "Entry") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(entry.id, style="bold"), Text(entry.description), sep="\n")
    facts = {
        "kind": entry.kind, "owner": entry.owner, "contract": f"{entry.contract} {entry.version}".strip(),
        "status": entry.status, "quality": f"{entry.score:.1%}" if entry.score is not None else "",
        "last written": entry.fresh.strftime("%Y-%m-%d %H:%M:%S UTC") if entry.fresh else "never",
        "written by": "; ".join(entry.written_by), "read by": "; ".join(entry.read_by),
        "last runs": ", ".join(run[:8] for run in entry.runs), "datasets": ", ".join(entry.datasets),
    }  # fmt: skip
    told = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            told.add_row(Text(name, style="dim"), Text(value))
    console.print(told)
    if entry.columns:
        console.print("")
        columns = Table("column", "type", "key", "class", "meaning", box=None, pad_edge=False)
        for one in entry.columns:
            key = "yes" if one.is_key else ""
            columns.add_row(Text(one.name), Text(one.type), key, Text(one.classification), Text(one.description))
        console.print(columns)


def _say(text: str) -> None:
    from manara.cli.main import say

    say(text)
