"""The one place where the rooms are wired together: open a factory, check it, run it."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from manara.errors import Fault, Faults, WrongDefinition
from manara.plugin.activity import ACTIVITIES, CHECKERS
from manara.plugin.connection import CONNECTORS, Database
from manara.plugin.dataset import DATASETS
from manara.resources.check import Known, check, check_pipeline
from manara.resources.factory import read_factory
from manara.runtime.bind import Binder
from manara.runtime.control_step import CONTROLS
from manara.runtime.parameters import bind_parameters, open_values
from manara.runtime.recorder import Listener
from manara.runtime.rerun import needed_for
from manara.runtime.worker import work
from manara.settings import read_settings
from manara.store.journal import Journal
from manara.store.record import PipelineRun, read_run


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
        faults = check_pipeline(self.definitions, pipeline, known())
        if faults:
            raise Faults(faults)
        resource = self.definitions.pipeline(pipeline)
        if options.get("until"):
            needed_for(resource.properties.activities, options["until"])
        values = bind_parameters(resource, parameters)
        kept = open_values(resource, values)
        secrets = {name: value for name, value in values.items() if name not in kept}
        with self._journal() as journal:
            command = journal.write_command(pipeline, kept, self.definitions.snapshot(), options)
            work(journal, command, self.root, self.settings, listener, secrets)
            return read_run(journal, command.run_id)

    def query(self, linked_service: str, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a query on a linked service that is a database."""
        binder = Binder(factory=self.definitions, batch_rows=self.settings.copy_batch_rows)
        connection = binder.connect({"referenceName": linked_service})
        if not isinstance(connection, Database):
            raise WrongDefinition(f"The linked service '{linked_service}' is no database.")
        return connection.query(statement).read_all().to_pylist()

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        with closing(Journal(self.root / self.settings.store_journal)) as journal:
            yield journal


def known() -> Known:
    """Return what runs here, ours and that of guests."""
    return Known(
        activities=[*ACTIVITIES.names(), *CONTROLS.names()],
        datasets=DATASETS.names(),
        connectors=CONNECTORS.names(),
        checked=CHECKERS.names(),
        checker=CHECKERS.find,
    )
