"""Running a pipeline again: which results of the earlier run are taken over, and what runs anew. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from manara.errors import NotFound
from manara.registry import near
from manara.resources.model import Activity
from manara.runtime.graph import SUCCEEDED, culprits
from manara.store.journal import Event

LOOP = "ForEach"


def take_over_before(activities: Sequence[Activity], name: str, events: Iterable[Event], run_id: str) -> list[Event]:
    """Return the events that the run `run_id` takes over when it starts at an activity of the top level.

    That activity and all that wait for it, directly or not, run anew; what else had ended counts as it ended. Raises
    NotFound for an activity that is not there.
    """
    known = list(events)
    anew = _after(activities, name)
    ended = _statuses(known)
    kept = [activity.name for activity in activities if activity.name not in anew and activity.name in ended]
    return _taken(known, run_id, kept, loops=[])


def take_over_succeeded(activities: Sequence[Activity], events: Iterable[Event], run_id: str) -> list[Event]:
    """Return the events that the run `run_id` takes over when it repeats what had not succeeded.

    Of a loop that did not succeed, the rounds that did are taken over; the others run anew, whole.
    """
    known = list(events)
    ended = _statuses(known)
    kept = [activity.name for activity in activities if ended.get(activity.name) == SUCCEEDED]
    loops = [activity for activity in activities if activity.type == LOOP and activity.name not in kept]
    for loop in loops:
        kept += _good_rounds(loop, known, ended)
    return _taken(known, run_id, kept, loops=[loop.name for loop in loops])


def needed_for(activities: Sequence[Activity], name: str) -> list[Activity]:
    """Return the activity and all that it waits for, directly or not: what runs until it. Raises NotFound."""
    by_name = _by_name(activities, name)
    found: set[str] = set()
    ahead = [name]
    while ahead:
        each = ahead.pop()
        if each in by_name and each not in found:
            found.add(each)
            ahead += [link.activity for link in by_name[each].depends_on or []]
    return [activity for activity in activities if activity.name in found]


def _after(activities: Sequence[Activity], name: str) -> set[str]:
    found = {_by_name(activities, name)[name].name}
    for _ in activities:
        found |= {each.name for each in activities for link in each.depends_on or [] if link.activity in found}
    return found


def _by_name(activities: Sequence[Activity], name: str) -> dict[str, Activity]:
    by_name = {activity.name: activity for activity in activities}
    if name not in by_name:
        raise NotFound(f"There is no activity '{name}' at the top of the pipeline.", advice=near(name, by_name))
    return by_name


def _statuses(events: Iterable[Event]) -> dict[str, str]:
    return {
        event.step: event.body["status"]
        for event in events
        if event.kind == "ended" and not event.body.get("willRetry")
    }


def _good_rounds(loop: Activity, events: Iterable[Event], ended: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of the rounds (`Each file[3]`) in which every activity ended and none made the round fail."""
    inner = loop.contained("activities")
    count = next(
        (len(event.body["value"]) for event in events if event.kind == "decided" and event.step == loop.name), 0
    )
    for index in range(count):
        path = f"{loop.name}[{index}]"
        done = {each.name: ended[f"{path}/{each.name}"] for each in inner if f"{path}/{each.name}" in ended}
        if len(done) == len(inner) and not culprits(inner, done):
            yield path


def _taken(events: Iterable[Event], run_id: str, kept: Sequence[str], loops: Sequence[str]) -> list[Event]:
    whole = tuple(f"{path}{end}" for path in kept for end in ("/", "["))
    return [
        replace(event, run_id=run_id, body={**event.body, "takenOver": event.run_id})
        for event in events
        if event.kind in ("started", "decided", "variable", "ended")
        and (event.step in kept or event.step.startswith(whole) or (event.kind == "decided" and event.step in loops))
    ]
