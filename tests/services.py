"""Services opened for tests as the runtime opens them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from manara.plugin.connection import CONNECTORS, NO_IDENTITY, LinkedServiceGiven
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.secret import Secret

Json = dict[str, Any]


def dataset(
    kind: str,
    service: str,
    url: str,
    /,
    *,
    root: Path = Path(),
    linked: Json | None = None,
    identity: Callable[[str], Secret] = NO_IDENTITY,
    **properties: Any,
) -> Dataset:
    """Return a dataset on a service; `linked` are the other properties of its linked service."""
    whole = {"url": url, **(linked or {})}
    given = LinkedServiceGiven(name="Service", type=service, properties=whole, root=root, identity=identity)
    connection = CONNECTORS.find(service)(given)
    return DATASETS.find(kind)(DatasetGiven(name="data", type=kind, properties=properties, connection=connection))


def rest(url: str, /, **more: Any) -> Dataset:
    """Return the RestResource at an address."""
    return dataset("RestResource", "RestService", url, **more)


def rows(source: Dataset, tally: Tally | None = None, **settings: Any) -> list[Json]:
    """Return all rows."""
    return list(source.read(settings, tally or Tally()).read_all().to_pylist())
