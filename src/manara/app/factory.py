"""A factory in a folder, with the rooms wired together: open it, check it, run it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from manara.errors import Fault, Faults, WrongDefinition
from manara.plugin.activity import ACTIVITIES, CHECKERS
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.resources.check import Known, check, check_pipeline
from manara.resources.factory import read_factory
from manara.resources.parameters import bind_parameters, open_values
from manara.resources.published import factory_id, folder_of
from manara.runtime.bind import Binder
from manara.runtime.control_step import CONTROLS
from manara.runtime.endings import cancel
from manara.runtime.plan import Planned, plan
from manara.runtime.recorder import Listener
from manara.runtime.rerun import needed_for
from manara.runtime.serve import Work, serve
from manara.runtime.worker import work
from manara.secret import Secret, bearer
from manara.settings import Settings, read_settings
from manara.store.journal import Journal, journal_address
from manara.store.record import PipelineRun, read_run
from manara.store.runs import outermost
from manara.store.seal import Seal

if TYPE_CHECKING:
    import pyarrow as pa

SEAL = "seal.key"
"""The file in a server's home that holds the keys with which it seals."""


def seal_of(home: Path, settings: Settings) -> Seal:
    """Return what seals the definitions of the server whose home is the folder."""
    return Seal(home / SEAL, Secret(settings.store_key) if settings.store_key else None)


def silent(_: object) -> None:
    """Hear what happens in a run, and say nothing."""


class Factory:
    """A factory in a folder, with its settings: what the command line and a script work with.

    >>> Factory.open(Path("no/such/folder"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    manara.errors.WrongDefinition: There is no folder 'no/such/folder'. Name a factory's folder, or make one: ...
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.definitions = read_factory(root)
        self.settings = read_settings(root)

    @classmethod
    def open(cls, root: Path | str) -> Self:
        """Return the factory in the folder, ready to check and run.

        Raises WrongDefinition where there is none; faults in its files are told by `check` and stop a run.
        """
        return cls(Path(root))

    def check(self) -> list[Fault]:
        """Return every fault of the whole factory."""
        return check(self.definitions, known())

    def run(
        self,
        pipeline: str,
        parameters: Mapping[str, Any] | None = None,
        listener: Listener = silent,
        *,
        until: str | None = None,
    ) -> PipelineRun:
        """Run a pipeline in this process to its end and return the run as the journal tells it.

        With `until`, only that activity and what it waits for run. Nothing starts, and nothing is written, where the
        definitions that the run needs have faults (Faults), or parameters do not fit (WrongDefinition).
        """
        return self._start(pipeline, parameters or {}, listener, {"until": until} if until else {})

    def rerun(
        self,
        run_id: str,
        parameters: Mapping[str, Any] | None = None,
        listener: Listener = silent,
        *,
        start: str = "beginning",
        activity: str | None = None,
    ) -> PipelineRun:
        """Run again what an earlier run ran, with its parameters and with the definitions as they are now.

        `start` is `beginning`, `failure` (what had succeeded is taken over, the good rounds of a failed loop too) or
        `activity`: the one named in `activity` and all that wait for it run anew. `parameters` replace those of the
        earlier run one by one. Raises NotFound for an unknown run or activity.
        """
        with self._journal() as journal:
            earlier = journal.command(run_id)
        given = {**earlier.parameters, **(parameters or {})}
        if start == "beginning":
            return self._start(earlier.pipeline, given, listener, {})
        if activity:
            needed_for(self.definitions.pipeline(earlier.pipeline).properties.activities, activity)
        return self._start(earlier.pipeline, given, listener, {"rerun": {"runId": run_id, "from": activity}})

    def asked_for(self, run_id: str) -> str:
        """Return the run that somebody asked for in which a run took place. Raises NotFound for an unknown one."""
        with self._journal() as journal:
            return outermost(journal, run_id)

    def resume(
        self, run_id: str, parameters: Mapping[str, Any] | None = None, listener: Listener = silent
    ) -> PipelineRun:
        """Go on with a run where it stopped, with the definitions that it started with; one that has ended is told.

        `parameters` gives again those of type SecureString, which are never written down.
        """
        with self._journal() as journal:
            command = journal.command(run_id)
            work(journal, command, self.root, self.settings, listener, parameters or {})
            return read_run(journal, run_id)

    def _start(
        self, pipeline: str, parameters: Mapping[str, Any], listener: Listener, options: dict[str, Any]
    ) -> PipelineRun:
        kept, secrets = self._checked(pipeline, parameters)
        if options.get("until"):
            needed_for(self.definitions.pipeline(pipeline).properties.activities, options["until"])
        with self._journal() as journal:
            command, lease = journal.write_own_command(
                pipeline, kept, self.definitions.snapshot(), options, lease_s=self.settings.worker_lease_s
            )
            work(journal, command, self.root, self.settings, listener, secrets, lease)
            return read_run(journal, command.run_id)

    def _checked(self, pipeline: str, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters of a run that may be written down, and those that may not."""
        faults = check_pipeline(self.definitions, pipeline, known())
        if faults:
            raise Faults(faults)
        resource = self.definitions.pipeline(pipeline)
        values = bind_parameters(resource, parameters)
        kept = open_values(resource, values)
        return kept, {name: value for name, value in values.items() if name not in kept}

    def submit(self, pipeline: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Ask for a run by any worker (`serve`), and return its id at once.

        Raises as `run` does, and WrongDefinition where a SecureString is given: it would have to be written down.
        """
        kept, secrets = self._checked(pipeline, parameters or {})
        if secrets.keys() & (parameters or {}).keys():
            raise WrongDefinition(
                f"The run needs {', '.join(secrets)}, which is never written down, so that no worker could know it.",
                where=f"pipeline '{pipeline}'",
                advice="Run it in this process.",
            )
        with self._journal() as journal:
            return journal.write_command(pipeline, kept, self.definitions.snapshot()).run_id

    def serve(self, listener: Listener = silent, tell: Callable[[str], None] = silent, *, drain: bool = False) -> int:
        """Work on the runs that were asked for until SIGTERM or SIGINT, and return how many ended here.

        With `drain`, only until there is nothing left to do. `tell` hears, in a sentence, what goes on beside the runs.
        """
        work = Work(address=self._address, folder=self._folder, settings=self.settings, seal=self._seal)
        return serve(work, listener, tell, drain=drain)

    def cancel(self, run_id: str) -> bool:
        """Ask for the end of a run and of all that it called; say whether it has ended already.

        A worker that is at it ends it within about a second. Raises NotFound for an unknown run, and Conflict for one
        that has ended or was called by another.
        """
        with self._journal() as journal:
            return cancel(journal, run_id, self.settings.worker_lease_s)

    def plan(self, pipeline: str, parameters: Mapping[str, Any] | None = None) -> list[Planned]:
        """Return what running the pipeline would do, without doing anything. Raises as `run` does before it starts."""
        faults = check_pipeline(self.definitions, pipeline, known())
        if faults:
            raise Faults(faults)
        return plan(self.definitions, pipeline, parameters or {})

    def query(self, linked_service: str, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a query on a linked service that is a database."""
        return self.database(linked_service).query(statement).read_all().to_pylist()

    def database(self, linked_service: str) -> Database:
        """Return a linked service that is a database, opened. Raises WrongDefinition for one that is none."""
        connection = self.connect(linked_service)
        if not isinstance(connection, Database):
            raise WrongDefinition(f"The linked service '{linked_service}' is no database.")
        return connection

    def connect(self, linked_service: str) -> Connection:
        """Return a linked service, or what stands in for it on this machine, opened. Raises NotFound."""
        return self._binder().connect({"referenceName": linked_service})

    def dataset(self, name: str) -> Dataset:
        """Return a dataset of the factory, opened. Raises NotFound for an unknown one."""
        return self._binder().dataset({"referenceName": name})

    def read_dataset(self, name: str) -> "pa.RecordBatchReader":
        """Return the rows of a dataset of the factory, without parameters. Raises NotFound for an unknown one."""
        return self.dataset(name).read({}, Tally())

    def _binder(self) -> Binder:
        """Return what opens the factory's linked services and datasets outside a run."""
        return Binder(
            factory=self.definitions,
            batch_rows=self.settings.copy_batch_rows,
            identity=bearer(self.settings.web_token),
        )

    @staticmethod
    def read_file(folder: Path, kind: str, properties: Mapping[str, Any]) -> "pa.RecordBatchReader":
        """Return the rows of a file in a folder, read as a dataset type with its typeProperties."""
        service = LinkedServiceGiven(name="here", type="FileServer", properties={"host": "."}, root=folder)
        opened = CONNECTORS.find("FileServer")(service)
        given = DatasetGiven(name="file", type=kind, properties=properties, connection=opened)
        return DATASETS.find(kind)(given).read({}, Tally())

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        with closing(Journal(self._address)) as journal:
            yield journal

    @property
    def _address(self) -> Path | str:
        return journal_address(self.root, self.settings.store_journal)

    @property
    def home(self) -> Path:
        """The folder of a server of this factory alone."""
        return self.root / "data"

    @property
    def _seal(self) -> Seal | None:
        """What opens that which a server of this factory has sealed; None where there was none yet."""
        return seal_of(self.home, self.settings) if (self.home / SEAL).exists() or self.settings.store_key else None

    def _folder(self, factory: str) -> Path:
        own = factory_id(self.definitions.name).lower()
        return self.root if factory in ("", own) else folder_of(self.home, factory)


def known() -> Known:
    """Return what runs here, ours and that of guests."""
    return Known(
        activities=[*ACTIVITIES.names(), *CONTROLS.names()],
        datasets=DATASETS.names(),
        connectors=CONNECTORS.names(),
        checked=CHECKERS.names(),
        checker=CHECKERS.find,
        can=lambda kind, name: (DATASETS.can if kind == "dataset" else CONNECTORS.can)(name),
    )
