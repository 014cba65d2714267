"""`manara pack ...`: the code lists and rates that a factory keeps."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.errors import ManaraError, WrongDefinition

if TYPE_CHECKING:
    from manara.harmonise.pack import Pack

pack = typer.Typer(no_args_is_help=True, help="The code lists and rates that a factory keeps: look, check, add.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
PackName = Annotated[str, typer.Argument(help="The pack's name.", metavar="PACK")]
HERE = Path()


@pack.command(name="list")
def show_list(factory: Folder = HERE, as_json: AsJson = False) -> None:
    """List the packs of the factory."""
    from manara.cli.runs import show_rows
    from manara.harmonise.pack import pack_names, read_pack

    packs = [read_pack(factory, name) for name in pack_names(factory)]
    if as_json:
        _print_json({"value": [_told(each) for each in packs]})
    elif not packs:
        sys.stdout.write("There is no pack yet. Add one:  manara pack add countries --countries\n")
    else:
        show_rows([_told(each) for each in packs])


@pack.command()
def show(
    name: PackName,
    word: Annotated[str, typer.Argument(help="Only entries with this in a code or name.", metavar="[WORD]")] = "",
    factory: Folder = HERE,
    most: Annotated[int, typer.Option("--most", help="How many entries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the entries of a pack, or those with a word in their code or name."""
    from manara.cli.runs import show_rows
    from manara.harmonise.names import plain
    from manara.harmonise.pack import read_pack

    found = [
        {"code": entry.code, "in": entry.parent, "level": entry.level, "names": " | ".join(entry.names)}
        for entry in read_pack(factory, name).entries
        if not word or plain(word) in plain(" ".join((entry.code, *entry.names)))
    ]
    if as_json:
        _print_json({"value": found[:most], "count": len(found)})
        return
    show_rows(found[:most])
    if len(found) > most:
        sys.stdout.write(f"There are {len(found):,}: --most {len(found)}\n")


@pack.command()
def check(factory: Folder = HERE) -> None:
    """Check all packs: files, columns, codes, parents, checksums. Ends with 2 where there is a fault."""
    from manara.harmonise.pack import pack_names, read_pack

    names, wrong = pack_names(factory), 0
    for name in names:
        try:
            read_pack(factory, name)
        except ManaraError as error:
            wrong += 1
            sys.stderr.write(f"{name}: {error}\n")
    if wrong:
        raise typer.Exit(2)
    sys.stdout.write(f"All {len(names)} packs are in order.\n")


@pack.command()
def add(
    name: PackName,
    file: Annotated[
        Path | None, typer.Argument(help="A CSV file, or a code list in SDMX-ML.", metavar="[FILE]")
    ] = None,
    factory: Folder = HERE,
    countries: Annotated[bool, typer.Option("--countries", help="Take the countries of Unicode CLDR.")] = False,
    code: Annotated[str, typer.Option(help="The column of the codes.")] = "code",
    named: Annotated[list[str] | None, typer.Option("--name", help="A column of names; may be given again.")] = None,
    parent: Annotated[str, typer.Option(help="The column of the parents' codes.")] = "",
    level: Annotated[str, typer.Option(help="The column of the levels.")] = "",
    rates: Annotated[
        str, typer.Option(help="Rates, not codes: the columns of currency, day and rate.", metavar="C,D,R")
    ] = "",
    version: Annotated[str, typer.Option(help="The version of the list.")] = "1",
    source: Annotated[str, typer.Option(help="Where it comes from.")] = "",
    licence: Annotated[str, typer.Option(help="Under which licence.")] = "",
) -> None:
    """Add a pack from a file, or of the countries of the world. Nothing is fetched."""
    from manara.harmonise.pack_make import add_countries, add_csv, add_sdmx

    more = {key: value for key, value in (("source", source), ("licence", licence)) if value}
    if countries:
        made = add_countries(factory, name)
    elif file is None:
        raise WrongDefinition("Name a file, or give --countries.")
    elif file.suffix.lower() == ".xml":
        made = add_sdmx(factory, name, file, **more)
    else:
        columns = _columns(code, named or ["name"], parent, level, rates)
        made = add_csv(factory, name, file, columns, version, **more)
    sys.stdout.write(f"Added the pack '{name}', version {made.manifest.version}: {_size(made)}.\n")


def _columns(code: str, named: list[str], parent: str, level: str, rates: str) -> dict[str, list[str]]:
    if rates:
        parts = rates.split(",")
        if len(parts) != 3:
            raise WrongDefinition(f"'{rates}' names no three columns.", advice="Such as --rates currency,day,rate.")
        return dict(zip(("currency", "day", "rate"), ([part] for part in parts), strict=True))
    return {"code": [code], "name": named} | {
        field: [column] for field, column in (("parent", parent), ("level", level)) if column
    }


def _size(made: "Pack") -> str:
    if made.rates is not None:
        return "rates"
    names = sum(len(entry.names) for entry in made.entries)
    return f"{len(made.entries):,} codes with {names:,} names"


def _told(made: "Pack") -> dict[str, Any]:
    return {
        "pack": made.name, "version": made.manifest.version, "holds": _size(made), "aliases": len(made.aliases),
        "source": made.manifest.source, "licence": made.manifest.licence, "sha256": made.sha256[:12],
    }  # fmt: skip


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
