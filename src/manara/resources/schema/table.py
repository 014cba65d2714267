"""What Azure says of the shape of its entities: read once from types.json, which make_types.py makes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object: what its properties hold, which it needs, and its branches by the value of the property `by`.

    What a property holds is told in words: `text`, `int`, `number`, `bool`, `list`, `object`, `any`, `one of A B`,
    `list of ...`, `map of ...`, or `#Name` for another shape; after `~` where Azure only describes it.
    """

    has: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    by: str = ""
    of: Mapping[str, "Shape"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The shapes by name, and for each kind of resource what its `properties` hold.

    `kinds` are the shapes whose branches are the types of such resources, and of activities.
    """

    resources: Mapping[str, str]
    shapes: Mapping[str, Shape]
    kinds: frozenset[str]


@cache
def read_table() -> Table:
    """Return the table."""
    told = json.loads(files("manara.resources.schema").joinpath("types.json").read_text(encoding="utf-8"))
    shapes = {name: _shape(each) for name, each in told["shapes"].items()}
    tops = {spec[1:] for spec in told["resources"].values() if spec.startswith("#")} | {"Activity"}
    return Table(resources=told["resources"], shapes=shapes, kinds=frozenset(tops))


def _shape(told: Mapping[str, Any]) -> Shape:
    return Shape(
        has=told.get("has", {}),
        needs=tuple(told.get("needs", ())),
        by=told.get("by", ""),
        of={kind: _shape(branch) for kind, branch in told.get("of", {}).items()},
    )
