"""A server on the screen: where it listens, what it publishes, and each request as a line."""

from dataclasses import replace
from pathlib import Path

from manara.app.server import Plan, Server, home_of, join
from manara.cli.worker import say, show_event
from manara.resources.model import KINDS
from manara.server.logs import start_log
from manara.settings import read_settings


def run_server(
    folder: Path | None,
    home: Path | None,
    *,
    host: str,
    ports: tuple[int, int, int],
    workers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Serve the management API until told to stop."""
    folder = folder or (Path() if home is None and _is_factory(Path()) else None)
    where = (home or home_of(folder)).absolute()
    start_log(as_json=as_json, requests=not quiet)
    settings = read_settings(folder or where)
    plan = Plan(home=where, settings=settings, folder=folder.absolute() if folder else None, host=host)
    port, tls_port, gateway_port = ports
    plan = replace(plan, port=port, tls_port=tls_port, gateway_port=gateway_port, workers=workers)
    say(f"The home of this server is {where}.")
    Server(plan=plan, tell=say).run()
    say("Stopped.")


def run_node(home: Path | None, store: str, key: str, *, drain: bool) -> None:
    """Work for the server of a home, or of a store, until told to stop."""
    where = home or home_of(None)
    settings = read_settings(where)
    if "://" in store:
        settings = replace(settings, store_journal=store)
    say(f"At work for the server of {'the store' if store else where}. Ctrl-C ends it.")
    count = join(where, settings, key, show_event, say, drain=drain)
    say(f"Ended. {count} {'run was' if count == 1 else 'runs were'} done.")


def _is_factory(folder: Path) -> bool:
    return any((folder / kind).is_dir() for kind in KINDS)
