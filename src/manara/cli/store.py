"""`manara store ...`: the keys with which a server seals what it keeps."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

store = typer.Typer(no_args_is_help=True, help="The keys with which a server seals what it keeps.")

Folder = Annotated[
    Path | None,
    typer.Option("--factory", "-f", help="The server that serves the factory in this folder.", metavar="DIR"),
]
Home = Annotated[Path | None, typer.Option("--home", help="The home of the server.", metavar="DIR")]


@store.command()
def key() -> None:
    """Print a new key, for the variable MANARA_STORE_KEY of several machines on one store."""
    from manara.store.seal import new_key

    sys.stdout.write(new_key() + "\n")


@store.command(name="new-key")
def change_key(home: Home = None, factory: Folder = None) -> None:
    """Seal everything anew: with a new key, and the old one is forgotten. Stop the server first."""
    from manara.app import seal_of
    from manara.app.server import alone, home_of, settings_of, store_address
    from manara.store.documents import Documents
    from manara.store.journal import Journal

    where = (home or home_of(factory)).absolute()
    settings, factory = settings_of(where, factory)
    with alone(where):
        old = seal_of(where, settings)
        seal = old if settings.store_key else old.add_key()
        with closing(Journal(store_address(where, settings, factory), seal)) as journal:
            count = Documents(journal, seal).reseal()
        seal.keep_first()
    sys.stdout.write(f"Sealed {count} texts of {where} with the newest key.\n")
