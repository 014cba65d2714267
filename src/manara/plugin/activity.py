"""What an activity is given, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manara.errors import NotFound
from manara.plugin.connection import NO_IDENTITY, Connection, Mark
from manara.plugin.dataset import Dataset
from manara.registry import Registry
from manara.secret import Secret

Output = dict[str, Any]
Reference = Mapping[str, Any]


def no_definition(kind: str, reference: Reference) -> dict[str, Any]:
    """Raise NotFound: there is no factory to look in."""
    raise NotFound(f"There is no {kind} '{reference.get('referenceName')}'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an activity is given.

    `properties` are its typeProperties with every expression resolved. `inputs` and `outputs` are the dataset
    references of a Copy. `dataset` and `connect` open a reference (`{"referenceName": ..., "parameters": ...}`);
    `text` returns a file of the factory beside the JSON by kind and name (`text("contract", "stock")`). `report` takes
    a few figures to show while it works (`{"rowsRead": 65536}`), and raises Cancelled when the run is to stop.
    `identity` returns the bearer token of the factory's managed identity for a resource (`https://vault.azure.net`).
    `root` is the factory's folder. `cursor` is what the last good run of this activity gave as `cursor` in its output
    (JSON): where to go on; None at the first run. `describe` returns the definition (`{"name", "properties"}`) that a
    reference of a kind (`dataset`, `linkedService`) names, its parameters filled in and its secrets opened.
    `runs_commands` says whether the settings let a definition run commands on this machine. `published_type` returns
    the type of a linked service as the factory publishes it, which tells the SQL that it is spoken to in, whatever
    stands in for it here; nothing where that is not known.
    """

    name: str
    properties: Mapping[str, Any]
    inputs: Sequence[Reference]
    outputs: Sequence[Reference]
    linked_service: Reference | None
    mark: Mark
    dataset: Callable[[Reference], Dataset]
    connect: Callable[[Reference], Connection]
    text: Callable[[str, str], str]
    report: Callable[[Mapping[str, Any]], None]
    identity: Callable[[str], Secret] = NO_IDENTITY
    root: Path = Path()
    cursor: Any = None
    describe: Callable[[str, Reference], dict[str, Any]] = no_definition
    runs_commands: bool = False
    published_type: Callable[[Reference], str] = lambda _reference: ""


Activity = Callable[[Given], Output]

Checker = Callable[[str, str], object]

CHECKERS: Registry[Checker] = Registry("checker")
checker = CHECKERS.register
"""Registers what checks one file beside the JSON by its kind (`contract`): it takes the text and the file's name, and
raises Faults."""

ACTIVITIES: Registry[Activity] = Registry("activity")
activity = ACTIVITIES.register
