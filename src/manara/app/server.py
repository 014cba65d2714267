"""A server with many factories: the management API, the gateway to it, the scheduler and workers, in one process."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from manara import clock
from manara.app.factory import known, seal_of, silent
from manara.errors import Conflict, NotFound
from manara.resources.factory import read_factory
from manara.resources.published import FACTORIES, Snapshots, changed_since, factory_id, folder_of, publish
from manara.runtime.serve import Work, Worker, serve
from manara.runtime.triggers.scheduler import Scheduler
from manara.server.gateway.certificates import server_certificate
from manara.server.gateway.proxy import serve_gateway
from manara.server.http import Application
from manara.server.identity.gate import Gate
from manara.server.limits import Limits
from manara.server.site import Site
from manara.settings import FILE, Settings, read_home, read_settings
from manara.store.documents import Documents
from manara.store.firings import STARTED, set_trigger_state, trigger_state
from manara.store.journal import Journal, journal_address
from manara.store.seal import Seal

JOURNAL = "journal.sqlite"
LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 # compared, not bound
STATE = "server.json"
"""The file in a home that says where its server listens while it runs."""

MOST_CONNECTIONS = 1000
_QUIET_S = 5
"""How long requests that are under way may take when the server stops."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a server is to be: its home, the factory folder that it publishes, and where it listens.

    A port of 0 is any free one. `workers` counts this process: the others are processes of their own.
    """

    home: Path
    settings: Settings
    folder: Path | None = None
    host: str = LOOPBACK
    port: int = 8480
    tls_port: int = 8443
    gateway_port: int = 8441
    workers: int = 1


def home_of(folder: Path | None) -> Path:
    """Return the home of a server: `data` of the factory's folder, else this user's."""
    return folder / "data" if folder is not None else read_home()


def store_address(home: Path, settings: Settings, folder: Path | None = None) -> Path | str:
    """Return where the store of a home is: the setting `store.journal` where it says so, else a file in the home."""
    if folder is not None or "://" in settings.store_journal:
        return journal_address(folder or home, settings.store_journal)
    return home / JOURNAL


def settings_of(home: Path, folder: Path | None = None) -> tuple[Settings, Path | None]:
    """Return the settings that a home goes by, and the factory's folder that it belongs to.

    A home that is the `data` of a factory's folder belongs to that, whether the folder is named or not.
    """
    if folder is None and home.name == "data" and (home.parent / FILE).is_file():
        folder = home.parent
    return read_settings(folder or home), folder


def open_documents(home: Path, folder: Path | None = None) -> tuple[Journal, Documents]:
    """Return the store of a home and its documents. The journal is for the caller to close."""
    settings, folder = settings_of(home, folder)
    return _open(home, settings, folder)


def _open(home: Path, settings: Settings, folder: Path | None = None) -> tuple[Journal, Documents]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    seal = seal_of(home, settings)
    journal = Journal(store_address(home, settings, folder), seal)
    return journal, Documents(journal, seal)


@dataclass(slots=True, kw_only=True)
class Server:
    """A server at work. `run` ends at SIGTERM or SIGINT; activities that are at work end first."""

    plan: Plan
    tell: Tell = silent
    ports: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _failed: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        """Serve until told to stop.

        Raises Conflict where a port is taken or another server has the home, and NotAllowed where others than this
        machine would reach it while nobody but its owner has an identity.
        """
        plan = self.plan
        with alone(plan.home), contextlib.ExitStack() as stack:
            site = self._site()
            gate = Gate(site=site)
            gate.may_listen(plan.host)
            if plan.folder:
                self._publish(site, plan.folder)
            sockets = {name: _listen(host, port) for name, (host, port) in self._wanted().items()}
            self.ports = {name: each.getsockname()[1] for name, each in sockets.items()}
            worker, scheduler = self._worker(site), self._scheduler(site)
            site.wake = partial(_wake, worker, scheduler)
            threads = [self._thread("scheduler", scheduler.run)]
            threads += [self._thread("worker", worker.run)] if plan.workers else []
            for process in [_more_work(plan) for _ in range(plan.workers - 1)]:
                stack.callback(_end, process)
            for thread in threads:
                thread.start()
            try:
                asyncio.run(self._serve(Application(site, gate, _limits(plan.settings)), sockets))
            finally:
                self._stop.set()
                site.wake()
                for thread in threads:
                    thread.join()
                site.close()
        if self._failed:
            raise self._failed[0]

    def _wanted(self) -> dict[str, tuple[str, int]]:
        """Return where to listen: what is not encrypted, and the gateway, are for this machine only."""
        plan = self.plan
        return {
            "port": (LOOPBACK, plan.port),
            "tlsPort": (plan.host, plan.tls_port),
            "gatewayPort": (LOOPBACK, plan.gateway_port),
        }

    def _site(self) -> Site:
        plan = self.plan
        own = {factory_id(read_factory(plan.folder).name).lower(): plan.folder} if plan.folder else {}
        return Site(
            home=plan.home,
            address=store_address(plan.home, plan.settings, plan.folder),
            seal=seal_of(plan.home, plan.settings),
            settings=plan.settings,
            known=known,
            folders=own,
        )

    def _publish(self, site: Site, folder: Path) -> None:
        factory = read_factory(folder)
        path = factory_id(factory.name)
        if changed_since(site.documents, path):
            self.tell(
                f"The factory '{factory.name}' was changed over the API since its folder was published, and stays as "
                f"it is. Publish the folder over it: manara import git {folder} --home {self.plan.home}"
            )
            return
        told = publish(factory, site.documents, path)
        _start_triggers(site, path)
        count = {name: len(ids) for name, ids in told.items() if ids}
        if count:
            self.tell(f"Published '{factory.name}': {', '.join(f'{n} {name}' for name, n in count.items())}.")

    def _worker(self, site: Site) -> Worker:
        work = Work(
            address=site.address,
            folder=lambda factory: site.folder(factory) if factory else self._own(),
            settings=site.settings,
            seal=site.seal,
        )
        return Worker(work=work, listener=silent, tell=self.tell, told_to_stop=self._stop)

    def _scheduler(self, site: Site) -> Scheduler:
        return Scheduler(
            address=site.address,
            seal=site.seal,
            snapshots=Snapshots(folder=site.folder, shared=site.home),
            settings=site.settings,
            tell=self.tell,
            stop=self._stop,
        )

    def _own(self) -> Path:
        return self.plan.folder or self.plan.home

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 # a thread that dies ends the server, which tells why
                self._failed.append(error)
                os.kill(os.getpid(), signal.SIGTERM)

        return threading.Thread(target=guarded, name=name)

    async def _serve(self, application: Application, sockets: Mapping[str, socket.socket]) -> None:
        """Serve on all ports until a signal comes."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, told.set)
        certificate = server_certificate(self.plan.home)
        servers = [
            _Uvicorn(_config(application)),
            _Uvicorn(_config(application, certificate)),
        ]
        tasks = [
            asyncio.create_task(servers[0].serve(sockets=[sockets["port"]])),
            asyncio.create_task(servers[1].serve(sockets=[sockets["tlsPort"]])),
            asyncio.create_task(
                serve_gateway(
                    sockets["gatewayPort"],
                    sockets["tlsPort"].getsockname()[:2]
                    if self.plan.host != ANYWHERE
                    else (LOOPBACK, self.ports["tlsPort"]),
                    told,
                    self.plan.settings.server_gateway_allow.split(),
                )
            ),
        ]
        ready = asyncio.create_task(self._tell_ready(servers))
        await asyncio.wait([asyncio.create_task(told.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
        self.tell("Stopping: what is at work ends first.")
        told.set()
        for server in servers:
            server.should_exit = True
        ready.cancel()
        (self.plan.home / STATE).unlink(missing_ok=True)
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(done, BaseException) and not isinstance(done, asyncio.CancelledError):
                raise done

    async def _tell_ready(self, servers: list["_Uvicorn"]) -> None:
        while not all(server.started for server in servers):
            await asyncio.sleep(0.01)
        state = {"pid": os.getpid(), "host": self.plan.host, **self.ports, "started": clock.stamp(clock.now())}
        path = self.plan.home / STATE
        beside = path.with_suffix(f".{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(state), encoding="utf-8")
        beside.replace(path)
        where = f"http://{LOOPBACK}:{self.ports['port']}, TLS on {self.plan.host}:{self.ports['tlsPort']}"
        self.tell(f"Ready: {where}, the gateway for Azure's clients on {LOOPBACK}:{self.ports['gatewayPort']}.")


def _start_triggers(site: Site, path: str) -> None:
    """Start the triggers that the folder says are started, unless somebody has started or stopped them since."""
    for document in site.documents.inside(path, f"{FACTORIES}/triggers"):
        is_started = document.body.get("properties", {}).get("runtimeState") == STARTED
        if is_started and trigger_state(site.journal, document.id) is None:
            set_trigger_state(site.journal, document.id, document.parent, STARTED)


def _wake(*each: Worker | Scheduler) -> None:
    for one in each:
        one.wake()


class _Uvicorn(uvicorn.Server):
    """One of several in a process: the signals are heard elsewhere."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(application: Application, certificate: tuple[Path, Path] | None = None) -> uvicorn.Config:
    file, key = (str(each) for each in certificate) if certificate else (None, None)
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_QUIET_S,
        limit_concurrency=MOST_CONNECTIONS,
        ssl_certfile=file,
        ssl_keyfile=key,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Conflict(
            f"The port {port} of {host} cannot be used: {error.strerror}.",
            advice="Stop what has it, or choose another: --port, --tls-port, --gateway-port (0: any free one).",
        ) from error
    return listening


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the home alone, for a server or a change of its keys. Raises Conflict while another has it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"A server is at work in '{home}' already.", advice="Stop it first.") from error
        yield


def _more_work(plan: Plan) -> subprocess.Popen[bytes]:
    """Start one more worker, as a process of its own."""
    folder = ["-f", str(plan.folder)] if plan.folder else ["--home", str(plan.home)]
    return subprocess.Popen([sys.executable, "-m", "manara.cli", "worker", *folder])  # noqa: S603 # our own command


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _limits(settings: Settings) -> Limits:
    return Limits(
        {
            "reads": settings.server_reads_per_minute,
            "writes": settings.server_writes_per_minute,
            "deletes": settings.server_writes_per_minute,
        }
    )


def join(home: Path, settings: Settings, key: str, listener: Callable[[Any], None], tell: Tell, *, drain: bool) -> int:
    """Work on the runs of a home's store until told to stop, as a node of the integration runtime whose key is given.

    Without a key, as one of the server's own. Returns how many runs ended here. Raises NotFound for a key that opens
    no integration runtime.
    """
    journal, documents = _open(home, settings)
    with contextlib.closing(journal):
        runtime = _runtime_of(documents, key) if key else ""
        seal: Seal = seal_of(home, settings)
    work = Work(
        address=store_address(home, settings),
        folder=lambda factory: folder_of(home, factory) if factory else home,
        settings=settings,
        seal=seal,
        runtime=runtime,
    )
    return serve(work, listener, tell, drain=drain)


def _runtime_of(documents: Documents, key: str) -> str:
    for document in documents.of_type(f"{FACTORIES}/integrationruntimes"):
        if key in (document.body.get("authKeys") or {}).values():
            return document.id
    raise NotFound("The key opens no integration runtime.", advice="Ask for its keys anew: they may have been renewed.")
