"""A small supply control tower that has run, and what its journal tells."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from manara.app import Factory
from manara.blueprints.make import make_factory
from manara.blueprints.supply.generate import generate
from manara.catalog.graph import Graph
from manara.catalog.history import History
from manara.catalog.trace import Tracer
from manara.store.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A factory that has run, its journal, and what the catalog makes of it."""

    factory: Factory
    journal: Journal
    history: History
    graph: Graph

    @property
    def tracer(self) -> Tracer:
        return Tracer(self.history, self.factory.connect)

    @property
    def lake(self) -> Path:
        return self.factory.root / "data" / "lake"


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("catalog") / "tower"
    make_factory(folder, "supply")
    generate(folder / "data" / "lake", 5, months=4, facilities=20, items=3, ledgers=2, shipments=120)
    factory = Factory.open(folder)
    run = factory.run("supply")
    assert run.status == "Succeeded", run.message
    with closing(Journal(folder / "data" / "journal.sqlite")) as journal:
        history = History(journal, factory.definitions)
        yield Told(factory=factory, journal=journal, history=history, graph=Graph(history))
