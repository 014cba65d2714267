"""The pipeline that is tortured, a worker process that runs it, and what must hold however often that is killed.

As a program it is that worker: `python -m tests.acceptance.torture FACTORY` works until there is nothing left to do.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from tests.factories import Json, act, pipeline, write

from manara.app import Factory
from manara.clock import now, parse, stamp
from manara.plugin.activity import Given, Output, activity
from manara.store.journal import Event, Journal, journal_address
from manara.store.record import PipelineRun, read_run

REPOSITORY = Path(__file__).parents[2]
FILES = {"a": 3, "b": 5}
CHILD = {"referenceName": "child", "type": "PipelineReference"}
PATIENCE_S = 60


def table(name: str) -> Json:
    return {"referenceName": "Table", "type": "DatasetReference", "parameters": {"table": name}}


def file(name: str) -> Json:
    return {"referenceName": "File", "type": "DatasetReference", "parameters": {"name": name}}


def copy(name: str, source: str, sink: str, **more: Any) -> Json:
    kinds = {"source": {"type": "DelimitedTextSource"}, "sink": {"type": "DuckDBSink", "tableOption": "autoCreate"}}
    return act(name, "Copy", inputs=[file(source)], outputs=[table(sink)], **kinds, **more)


RETRIED = {"retry": 3, "retryIntervalInSeconds": 0}
MAIN = pipeline(
    act("Each", "ForEach", items="@createArray('a', 'b')", activities=[
        copy("Load", "@item()", "loaded"),
        act("If", "IfCondition", after=["Load"], expression="@greater(activity('Load').output.rowsCopied, 3)",
            ifTrueActivities=[act("Call", "ExecutePipeline", pipeline=CHILD, parameters={"file": "@item()"})]),
    ]),
    act("Luck", "Noted", after=["Each"], failures=1, policy=RETRIED),
    act("Never", "Noted", failures=99, policy={"retry": 1, "retryIntervalInSeconds": 0}),
    act("Mend", "SetVariable", after={"Never": ["Failed"]}, variableName="v", value="@activity('Never').status"),
    act("Skipped", "Noted", after=["Never"]),
    act("Aside", "ExecutePipeline", after=["Luck"], pipeline=CHILD, parameters={"file": "a"}, waitOnCompletion=False),
    copy("Last", "a", "last", after=["Luck", "Mend"]),
    variables={"v": {"type": "String"}},
)  # fmt: skip
CALLED = pipeline(
    copy("Load", "@pipeline().parameters.file", "called"),
    act("Note", "Noted", after=["Load"], rows="@activity('Load').output.rowsCopied"),
    parameters={"file": {"type": "String"}},
)
ROWS = {"loaded": FILES["a"] + FILES["b"], "called": FILES["b"] + FILES["a"], "last": FILES["a"]}


@activity("Noted")
def noted(given: Given) -> Output:
    """Note in a file when it works, and where.

    `failures` is how often it fails first. `gate` is a file that it waits for; with `workers` it waits until so many
    processes have noted something.
    """
    notes, mark = Path(os.environ["TORTURE_NOTES"]), given.mark
    earlier = sum(note.run_id == mark.run_id and note.step == mark.step for note in read_notes(notes))
    with notes.open("a", encoding="utf-8") as told:
        told.write(f"{mark.run_id}\t{mark.step}\t{stamp(now())}\t{os.getpid()}\n")
    properties = given.properties
    wait_for(lambda: "gate" not in properties or Path(properties["gate"]).exists())
    wait_for(lambda: len({note.pid for note in read_notes(notes)}) >= int(properties.get("workers", 0)))
    if earlier < int(properties.get("failures", 0)):
        raise ValueError("no luck")
    return dict(properties)


class Note(NamedTuple):
    """A line of the notes: this step worked, at this moment, in this process."""

    run_id: str
    step: str
    at: str
    pid: str


def read_notes(path: Path) -> list[Note]:
    """Return what was noted; a line that is being written is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [Note(*line.split("\t")) for line in lines]


def wait_for(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds; fail when that takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


@dataclass(frozen=True, kw_only=True)
class Torture:
    """A factory with its journal, whose worker is killed."""

    root: Path
    address: str = ""
    kills: list[str] = field(default_factory=list)

    @property
    def notes(self) -> Path:
        return self.root / "notes.txt"

    def make(self, **pipelines: Json) -> "Torture":
        """Write the factory and its files, with the tortured pipelines or others."""
        inbox = self.root / "data" / "inbox"
        inbox.mkdir(parents=True)
        for name, rows in FILES.items():
            lines = "".join(f"{name}{number}\n" for number in range(rows))
            (inbox / f"{name}.csv").write_text(f"code\n{lines}", encoding="utf-8")
        for name, properties in (pipelines or {"main": MAIN, "child": CALLED}).items():
            write(self.root, "pipeline", name, properties)
        for kind, name, properties in definitions():
            write(self.root, kind, name, properties)
        if self.address:
            (self.root / "manara.toml").write_text(f'[store]\njournal = "{self.address}"\n', encoding="utf-8")
        return self

    def ask(self) -> str:
        """Ask for a run and return its id."""
        return Factory.open(self.root).submit("main")

    def start(self, crash_at: str = "") -> "subprocess.Popen[bytes]":
        """Start a worker that ends when there is nothing left to do, or before: see the setting worker.crash_at."""
        environment = {**os.environ, "TORTURE_NOTES": str(self.notes), "MANARA_WORKER_CRASH_AT": crash_at}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.torture", str(self.root)],
            cwd=REPOSITORY,
            env={name: value for name, value in environment.items() if value},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def crash(self, crash_at: str) -> bool:
        """Let a worker run to the commit at which it kills itself, and say whether it came so far."""
        return self._ended(self.start(crash_at), crash_at)

    def kill_after(self, seconds: float) -> bool:
        """Kill a worker with -9 so long after its start, and say whether it was still at work."""
        process = self.start()
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        return self._ended(process, f"{seconds:.2f} s")

    def finish(self) -> None:
        """Let a worker do what is left."""
        assert not self._ended(self.start(), "")

    def _ended(self, process: "subprocess.Popen[bytes]", kill: str) -> bool:
        told = process.communicate(timeout=PATIENCE_S)[1].decode()
        assert process.returncode in (0, -signal.SIGKILL), told
        if process.returncode:
            self.kills.append(kill)
        return bool(process.returncode)

    def journal(self) -> Journal:
        return Journal(journal_address(self.root, self.address or "data/journal.sqlite"))

    def statuses(self, run_id: str) -> object:
        """Return how the run and all below it ended."""
        with closing(self.journal()) as journal:
            assert journal.unfinished() == []
            assert journal.orphans(run_id) == []
            return outcome(read_run(journal, run_id))

    def rows(self) -> dict[str, int]:
        """Return how many rows each table holds. None is there twice, or `ROWS` would not be."""
        with duckdb.connect(self.root / "data" / "warehouse.duckdb", read_only=True) as warehouse:
            counts = {}
            for name in ROWS:
                found = warehouse.execute(f"select count(*) from {name}").fetchone()
                assert found is not None
                counts[name] = found[0]
            return counts

    def check(self, run_id: str, expected: object) -> None:
        """Assert what must hold when all is over."""
        assert self.statuses(run_id) == expected
        assert self.rows() == ROWS
        with closing(self.journal()) as journal:
            stories = {each: list(journal.events(each)) for each in journal.family(run_id)}
        assert [wrong for story in stories.values() for wrong in done_after_its_end(story)] == []
        assert list(self._worked_after_its_end(stories)) == []

    def _worked_after_its_end(self, stories: dict[str, list[Event]]) -> Iterator[Note]:
        for note in read_notes(self.notes):
            over = [event.at for event in stories[note.run_id] if event.step == note.step and is_end(event)]
            if any(parse(note.at) > end for end in over):
                yield note


def definitions() -> Iterator[tuple[str, str, Json]]:
    service = {"referenceName": "Lake", "type": "LinkedServiceReference"}
    warehouse = {"referenceName": "Warehouse", "type": "LinkedServiceReference"}
    yield "linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "data"}}
    yield "linkedService", "Warehouse", {"type": "DuckDB", "typeProperties": {"path": "data/warehouse.duckdb"}}
    location = {"type": "FileServerLocation", "folderPath": "inbox", "fileName": "@concat(dataset().name, '.csv')"}
    yield (
        "dataset",
        "File",
        {
            "type": "DelimitedText",
            "linkedServiceName": service,
            "parameters": {"name": {"type": "string"}},
            "typeProperties": {"location": location, "firstRowAsHeader": True},
        },
    )
    yield (
        "dataset",
        "Table",
        {
            "type": "DuckDBTable",
            "linkedServiceName": warehouse,
            "parameters": {"table": {"type": "string"}},
            "typeProperties": {"table": "@dataset().table"},
        },
    )


def outcome(run: PipelineRun) -> object:
    """Return what must be the same with and without a crash: no times, no ids of called runs."""
    children = {name: outcome(each.child) for name, each in run.activities.items() if each.child}
    return run.status, {name: each.status for name, each in sorted(run.activities.items())}, children


def is_end(event: Event) -> bool:
    return event.kind == "runEnded" or (event.kind == "ended" and not event.body.get("willRetry"))


def done_after_its_end(story: Iterable[Event]) -> Iterator[Event]:
    """Yield what a run, or a step of it, did after its end; the step '' is the run itself."""
    over: Counter[str] = Counter()
    for event in story:
        if over[event.step] or over[""]:
            yield event
        over[event.step] += is_end(event)


if __name__ == "__main__":
    Factory.open(Path(sys.argv[1])).serve(drain=True)
