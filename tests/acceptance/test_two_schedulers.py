"""Two schedulers on one store, killed again and again: every moment is fired once, with one run."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from manara import clock
from manara.resources.published import FACTORIES, factory_id
from manara.store.documents import Documents
from manara.store.firings import STARTED, firings_from, set_trigger_state
from manara.store.journal import Journal
from manara.store.seal import Seal

FACTORY = factory_id("north")
TRIGGER = f"{FACTORY}/triggers/Minutes"
MOMENTS = 3000 if os.environ.get("TORTURE_FULL") else 600
SCRIPT = Path(__file__).parent / "fire_all.py"


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "store.sqlite")
    make: Callable[[], str] = request.getfixturevalue("postgres")
    return make()


@pytest.fixture
def journal(address: str, tmp_path: Path) -> Iterator[Journal]:
    seal = Seal(tmp_path / "seal.key")
    opened = Journal(address if "://" in address else Path(address), seal)
    documents = Documents(opened, seal)
    wait = {"name": "W", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
    reference = {"pipelineReference": {"referenceName": "Load", "type": "PipelineReference"}}
    began = clock.now() - timedelta(minutes=MOMENTS, seconds=30)
    recurrence = {"frequency": "Minute", "interval": 1, "startTime": clock.stamp(began)}
    recurrence["endTime"] = clock.stamp(began + timedelta(minutes=MOMENTS, seconds=1))
    told = {"type": "ScheduleTrigger", "typeProperties": {"recurrence": recurrence}, "pipelines": [reference]}
    documents.put(FACTORY, FACTORIES, "", {"properties": {}})
    documents.put(
        f"{FACTORY}/pipelines/Load", f"{FACTORIES}/pipelines", FACTORY, {"properties": {"activities": [wait]}}
    )
    documents.put(TRIGGER, f"{FACTORIES}/triggers", FACTORY, {"properties": told})
    with clock.frozen(began):
        set_trigger_state(opened, TRIGGER, FACTORY, STARTED)
    yield opened
    opened.close()


def test_each_moment_is_fired_once_whoever_is_killed_when(journal: Journal, address: str, tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 # when to kill
    command = [sys.executable, str(SCRIPT), address, str(tmp_path)]
    at_work = [subprocess.Popen(command) for _ in range(2)]
    kills = 0
    until = time.monotonic() + 90
    try:
        while len(firings_from(journal, TRIGGER)) < MOMENTS and time.monotonic() < until:
            time.sleep(dice.uniform(0.8, 1.6))
            if kills < 6:
                place = dice.randrange(2)
                at_work[place].kill()
                at_work[place].wait()
                at_work[place] = subprocess.Popen(command)
                kills += 1
    finally:
        for process in at_work:
            process.kill()
            process.wait()
    fired = firings_from(journal, TRIGGER)
    assert Counter(firing.moment for firing in fired).most_common(1)[0][1] == 1
    assert len(fired) == MOMENTS
    runs = [run_id for firing in fired for run_id in firing.body["runIds"].values()]
    assert {run_id for run_id, _, _ in journal.unfinished()} == set(runs)
    assert len(runs) == MOMENTS
