"""Where an activity goes on at its next run: kept with the end of its step, looked at and changed by people."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from manara import clock
from manara.errors import NotFound, WrongDefinition
from manara.store.journal import Journal
from manara.store.keeps import Place

SHORT = 8
"""How many letters of a cursor's id are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A cursor as it is kept. A `value` of None means from the start; `run_id` is empty where people have set it.

    `began` is when the step that gave it began: a cursor gives way only to that of a step which began later, so that
    of two runs at once the one that read the source last decides, and what people have set outlasts what was at work
    meanwhile.
    """

    key: str
    place: Place
    value: Any
    began: datetime
    kept: datetime
    run_id: str

    def as_json(self) -> dict[str, Any]:
        """Return the cursor as the command line prints it for machines."""
        return {
            "id": self.key,
            "pipeline": self.place.pipeline,
            "activity": self.place.activity,
            "about": self.place.about,
            "cursor": self.value,
            "keptAt": clock.stamp(self.kept),
            "runId": self.run_id or None,
        }


def list_cursors(journal: Journal, pipeline: str | None = None) -> list[Cursor]:
    """Return the cursors of a journal, or those of one pipeline, by pipeline and activity."""
    found = [_cursor(row) for row in journal.rows("cursors")]
    return [each for each in found if pipeline is None or each.place.pipeline.lower() == pipeline.lower()]


def find_cursor(journal: Journal, text: str) -> Cursor:
    """Return the cursor that `text` names: the start of its id, an activity, or `pipeline/activity`.

    Raises NotFound where there is none, and WrongDefinition where it names several.
    """
    known = list_cursors(journal)
    wanted = text.lower()
    found = [each for each in known if wanted in _names(each)] or [
        each for each in known if wanted and each.key.startswith(wanted)
    ]
    if not found:
        advice = "See them all: manara cursor list" if known else "No activity has left one yet."
        raise NotFound(f"There is no cursor '{text}'.", advice=advice)
    if len(found) > 1:
        ids = ", ".join(each.key[:SHORT] for each in found[:5]) + (", ..." if len(found) > 5 else "")
        raise WrongDefinition(f"'{text}' names {len(found)} cursors.", advice=f"Give the id of one: {ids}.")
    return found[0]


def set_cursor(journal: Journal, cursor: Cursor, value: Any) -> Cursor:
    """Let the next run go on at `value` (JSON), or from the start where it is None; return the cursor as it is now.

    A run that is at work now does not take that back when it ends.
    """
    journal.set_cursor(cursor.key, value)
    return next(each for each in list_cursors(journal) if each.key == cursor.key)


def _names(cursor: Cursor) -> tuple[str, str]:
    activity = cursor.place.activity.lower()
    return activity, f"{cursor.place.pipeline.lower()}/{activity}"


def _cursor(row: Sequence[Any]) -> Cursor:
    key, factory, pipeline, activity, about, value, began, kept, run_id = row
    return Cursor(
        key=key,
        place=Place(factory=factory, pipeline=pipeline, activity=activity, about=json.loads(about)),
        value=json.loads(value),
        began=clock.parse(began),
        kept=clock.parse(kept),
        run_id=run_id,
    )
