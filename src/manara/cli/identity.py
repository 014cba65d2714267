"""`manara identity ...`: who may sign in to a server, and what they may do there."""

from pathlib import Path
from typing import Annotated

import typer

identity = typer.Typer(no_args_is_help=True, help="Who may sign in to a server, and what they may do there.")

Name = Annotated[str, typer.Argument(help="The name; or, where it exists, the client id or object id.", metavar="NAME")]
Folder = Annotated[
    Path | None,
    typer.Option("--factory", "-f", help="The server that serves the factory in this folder.", metavar="DIR"),
]
Home = Annotated[Path | None, typer.Option("--home", help="The home of the server.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
Days = Annotated[int | None, typer.Option(help="After how many days the secret ends.", min=1, max=3650, metavar="DAYS")]
Label = Annotated[str, typer.Option(help="What the secret is for, to tell it from others.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the secret from the input; none is made.")]
RoleName = Annotated[str, typer.Option("--role", help="The role's name or id.", metavar="ROLE")]
Scope = Annotated[
    str, typer.Option(help="Where: / for everything, or the id of a subscription, resource group or resource.")
]


@identity.command()
def create(
    name: Name,
    user: Annotated[bool, typer.Option("--user", help="A person, who signs in by name and password.")] = False,
    certificate: Annotated[
        Path | None,
        typer.Option(help="Sign in by this certificate or public key (PEM), without a secret.", metavar="FILE"),
    ] = None,
    days: Days = None,
    label: Label = "",
    from_input: FromInput = False,
    home: Home = None,
    factory: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Let a program (or with --user a person) sign in; its secret is shown once."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.create(name, user=user, certificate=certificate, days=days, label=label, from_input=from_input)


@identity.command(name="list")
def list_all(home: Home = None, factory: Folder = None, as_json: AsJson = False) -> None:
    """List who may sign in, with their roles."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.list_all()


@identity.command(name="reset-secret")
def reset_secret(
    name: Name,
    days: Days = None,
    label: Label = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the older secrets good, too.")] = False,
    from_input: FromInput = False,
    home: Home = None,
    factory: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Give a new secret, shown once; the older ones end at once, unless they are kept."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.reset_secret(name, days=days, label=label, keep=keep, from_input=from_input)


@identity.command()
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let it sign in again.")] = False,
    home: Home = None,
    factory: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody sign in no more; the tokens that are out end at once."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.disable(name, disabled=not undo)


@identity.command()
def delete(name: Name, home: Home = None, factory: Folder = None, as_json: AsJson = False) -> None:
    """Forget somebody, with all roles."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.delete(name)


@identity.command()
def assign(
    name: Name, role: RoleName, scope: Scope, home: Home = None, factory: Folder = None, as_json: AsJson = False
) -> None:
    """Give somebody a role, on a scope and everything below it."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.assign(name, role, scope)


@identity.command()
def unassign(
    name: Name, role: RoleName, scope: Scope, home: Home = None, factory: Folder = None, as_json: AsJson = False
) -> None:
    """Take a role away that was given at exactly this scope."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.unassign(name, role, scope)


@identity.command()
def roles(home: Home = None, factory: Folder = None, as_json: AsJson = False) -> None:
    """List the roles that can be given: those of Azure, and custom ones."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.roles()


@identity.command()
def may(
    name: Name,
    action: Annotated[str, typer.Argument(help="Such as Microsoft.DataFactory/factories/write.", metavar="ACTION")],
    scope: Scope,
    home: Home = None,
    factory: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Say whether somebody may do something, and why; exit code 1 where not."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        raise typer.Exit(desk.may(name, action, scope))


@identity.command(name="renew-key")
def renew_key(home: Home = None, factory: Folder = None, as_json: AsJson = False) -> None:
    """Sign tokens with a new key; those that are out stay good until they expire."""
    from manara.cli.identities import Desk

    with Desk.open(home, factory, as_json=as_json) as desk:
        desk.renew_key()
