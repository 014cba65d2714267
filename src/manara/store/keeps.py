"""What a step leaves for the next run: the cursor, and the place it belongs to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a cursor belongs to: an activity of a pipeline, and what it reads and writes (JSON, without secrets).

    `apart` tells two of them apart beside that, and is not shown.
    """

    factory: str
    pipeline: str
    activity: str
    about: Mapping[str, Any]
    apart: Any = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The digest under which the cursor lies: the same for the same work, whichever run does it."""
        whole = [self.factory, self.pipeline, self.activity, self.about, self.apart]
        return sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """A cursor to keep: where it belongs, its value (JSON), and when the step began that gave it."""

    place: Place
    value: Any
    began: datetime
