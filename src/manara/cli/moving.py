"""`manara export` and `manara import`: factories as ARM templates, as folders, in a server's store, and in Azure."""

import os
from pathlib import Path
from typing import Annotated

import typer

from manara.secret import Secret

export = typer.Typer(no_args_is_help=True, help="Write a factory as an ARM template, or as a folder.")
bring = typer.Typer(no_args_is_help=True, help="Read a factory from an ARM template, a folder, or Azure itself.")

Out = Annotated[Path, typer.Option("--out", "-o", help="The folder to write.", metavar="DIR")]
MaybeOut = Annotated[Path | None, typer.Option("--out", "-o", help="The folder to write.", metavar="DIR")]
Home = Annotated[Path | None, typer.Option("--home", help="The home of a server, for its store.", metavar="DIR")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
WithSecrets = Annotated[bool, typer.Option("--with-secrets", help="Write secrets out, too.")]
Name = Annotated[str, typer.Option("--name", help="The factory's name, or its resource id.", metavar="NAME")]


@export.command(name="arm")
def export_arm(
    out: Out,
    factory: Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")] = Path(),
    home: Home = None,
    name: Name = "",
    with_secrets: WithSecrets = False,
    force: Force = False,
) -> None:
    """Write ARMTemplateForFactory.json and its parameters, as Data Factory's publish does; --name: from a store."""
    from manara.cli import transfer

    transfer.export_arm(factory, out, home=home, factory=name, with_secrets=with_secrets, force=force)


@export.command(name="git")
def export_git(
    name: Name, out: Out, home: Home = None, with_secrets: WithSecrets = False, force: Force = False
) -> None:
    """Write a factory of a server as a folder in git's layout."""
    from manara.cli import transfer

    transfer.export_git(out, home=home, factory=name, with_secrets=with_secrets, force=force)


@bring.command(name="arm")
def import_arm(
    template: Annotated[Path, typer.Argument(help="The template.", metavar="FILE")],
    parameters: Annotated[Path | None, typer.Option(help="Its file of parameters.", metavar="FILE")] = None,
    out: MaybeOut = None,
    home: Home = None,
    name: Annotated[str, typer.Option(help="Another name for the factory.")] = "",
    force: Force = False,
) -> None:
    """Read an ARM template into a folder (-o), or into a server's store (--home)."""
    from manara.cli import transfer

    transfer.import_arm(template, parameters, out=out, home=home, name=name, force=force)


@bring.command(name="git")
def import_git(
    folder: Annotated[Path, typer.Argument(help="The factory's folder.", metavar="DIR")],
    home: Home = None,
    name: Annotated[str, typer.Option(help="Another name for the factory.")] = "",
    subscription: Annotated[str, typer.Option(help="Its subscription.", metavar="ID")] = "",
    group: Annotated[str, typer.Option("--resource-group", help="Its resource group.", metavar="NAME")] = "",
) -> None:
    """Publish the factory in a folder into a server's store: what it holds becomes what the folder says."""
    from manara.cli import transfer

    transfer.import_git(folder, home=home, name=name, subscription=subscription, group=group)


@bring.command(name="azure")
def import_azure(
    factory: Annotated[str, typer.Option("--factory", help="The factory's name in Azure.", metavar="NAME")],
    group: Annotated[str, typer.Option("--resource-group", help="Its resource group.", metavar="NAME")],
    subscription: Annotated[str, typer.Option(help="Its subscription.", metavar="ID", envvar="AZURE_SUBSCRIPTION_ID")],
    out: MaybeOut = None,
    home: Home = None,
    endpoint: Annotated[str, typer.Option(help="Another address than Azure's.")] = "https://management.azure.com",
    force: Force = False,
) -> None:
    """Read a factory of Azure, with MANARA_AZURE_TOKEN, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."""
    from manara.cli import transfer
    from manara.cli.azure_factory import Access

    told = os.environ
    access = Access(
        subscription=subscription,
        group=group,
        factory=factory,
        endpoint=endpoint,
        token=Secret(told.get("MANARA_AZURE_TOKEN", "")),
        tenant=told.get("AZURE_TENANT_ID", ""),
        client=told.get("AZURE_CLIENT_ID", ""),
        client_secret=Secret(told.get("AZURE_CLIENT_SECRET", "")),
    )
    transfer.import_azure(access, out=out, home=home, force=force)
