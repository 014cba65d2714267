"""The control activities that go round: ForEach and Until."""

import itertools
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio

from manara import clock
from manara.errors import Cancelled, TimedOut, WrongDefinition
from manara.runtime.branches import boolean
from manara.runtime.control_step import ControlStep, control, raise_inner
from manara.runtime.graph import CANCELLED, SUCCEEDED
from manara.runtime.history import Result
from manara.runtime.policy import truth
from manara.runtime.scope import Frame

BATCH_COUNT = 20
MOST_AT_ONCE = 50
MOST_ITEMS = 100_000
UNTIL_TIMEOUT = timedelta(days=7)


@control("ForEach")
async def for_each(step: ControlStep) -> dict[str, Any]:
    """Run the inner activities once for each item: up to `batchCount` rounds at once, or one after another.

    All rounds run, even when one fails; then the loop fails (rules 70 to 73).
    """
    items = await step.decide("items", lambda: _items(step))
    activities = step.activity.contained("activities")
    width = min(_width(step), len(items))
    failed: list[Result] = []
    rounds = iter(enumerate(items))

    async def work() -> None:
        for index, item in rounds:
            result = await step.walk(activities, f"[{index}]", item)
            if result.status != SUCCEEDED:
                failed.append(result)

    async with anyio.create_task_group() as group:
        for _ in range(width):
            group.start_soon(work)
    if failed:
        raise_inner(failed[0])
    return {}


def _items(step: ControlStep) -> list[Any]:
    items = step.array("items")
    if len(items) > MOST_ITEMS:
        raise WrongDefinition(
            f"'items' holds {len(items)} items; a loop takes {MOST_ITEMS}.",
            where=step.step,
            advice="Cut them into parts with take() and skip(), and call a pipeline for each part.",
        )
    return items


def _width(step: ControlStep) -> int:
    if truth(step.resolve("isSequential", default=False)):
        return 1
    count = step.resolve("batchCount", default=None)
    try:
        number = int(count or BATCH_COUNT)
    except (TypeError, ValueError, OverflowError):
        raise WrongDefinition(
            f"'batchCount' is {count!r}.", where=step.step, advice="Give a number from 1 to 50."
        ) from None
    return max(1, min(number, MOST_AT_ONCE))


@control("Until")
async def until(step: ControlStep) -> dict[str, Any]:
    """Run the inner activities again and again until the `expression` after a round holds, or `timeout` is over.

    A failure inside does not end the loop; it ends as its last round did (rules 77 and 78). The time is looked at
    between two rounds.
    """
    activities = step.activity.contained("activities")
    deadline = await step.decide_moment("until", step.timespan("timeout", UNTIL_TIMEOUT))
    for index in itertools.count():
        frame = step.inside(f"[{index}]")
        result = await step.engine.walk(activities, frame)
        if result.status == CANCELLED or step.engine.cancelled.is_set():
            raise Cancelled(result.message or "The run was cancelled.")
        verdict = await step.decide(f"round {index}", partial(_verdict, step, frame, deadline))
        if verdict == "over":
            raise_inner(result)
            return {}
        if verdict == "late":
            raise TimedOut(
                f"The condition did not hold in {index + 1} rounds, until the timeout was over.",
                where=step.step,
                advice="Raise the timeout, or look at what the condition waits for.",
            )
    return {}  # never reached: the rounds are countless


def _verdict(step: ControlStep, frame: Frame, deadline: datetime) -> str:
    if boolean(step, step.resolve("expression", frame=frame), "expression"):
        return "over"
    return "late" if clock.now() >= deadline else "again"
