"""The control activities that only wait: Wait and Validation. Neither holds a thread while it waits."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from manara import clock
from manara.errors import SourceMissing, TimedOut, WrongDefinition
from manara.runtime.control_step import ControlStep, control
from manara.runtime.policy import truth, whole_number

VALIDATION_TIMEOUT = timedelta(hours=12)
VALIDATION_SLEEP = timedelta(seconds=10)
FIELDS = ("exists", "itemName", "itemType", "lastModified", "size", "childItems")


@control("Wait")
async def wait(step: ControlStep) -> dict[str, Any]:
    """Wait as many seconds as `waitTimeInSeconds` says; after a crash, only what is left of them (rule 88)."""
    if step.resolve("waitTimeInSeconds") in (None, ""):
        raise WrongDefinition("'waitTimeInSeconds' is empty.", where=step.step, advice="Give a number of seconds.")
    until = await step.decide_moment("until", step.timespan("waitTimeInSeconds", timedelta()))
    await step.sleep_until(until)
    return {}


@control("Validation")
async def validation(step: ControlStep) -> dict[str, Any]:
    """Wait until the dataset is there: the file with `minimumSize` bytes, the folder with (or without) `childItems`.

    Looks again every `sleep` seconds (10), and fails after `timeout` (12 hours, rule 94). After a crash the timeout
    counts from the first start.
    """
    deadline = await step.decide_moment("until", step.timespan("timeout", VALIDATION_TIMEOUT))
    pause = step.timespan("sleep", VALIDATION_SLEEP)
    minimum = whole_number(step.resolve("minimumSize", default=None), default=0, where=f"{step.step}: minimumSize")
    children = step.resolve("childItems", default=None)
    while True:
        facts = await step.engine.threads.run(partial(_look, step))
        missing = _missing(facts, minimum, None if children in (None, "") else truth(children))
        if not missing:
            return facts
        if clock.now() >= deadline:
            raise TimedOut(f"The dataset is not valid: {missing}.", where=step.step)
        await step.sleep_until(min(clock.now() + pause, deadline))


def _look(step: ControlStep) -> dict[str, Any]:
    reference = step.resolve("dataset")
    if not isinstance(reference, Mapping) or not isinstance(reference.get("referenceName"), str):
        raise WrongDefinition("The dataset is no reference.", where=step.step, advice="Give it a referenceName.")
    try:
        return step.engine.binder.dataset(reference).metadata(FIELDS)
    except SourceMissing:
        return {"exists": False}


def _missing(facts: Mapping[str, Any], minimum: int, children: bool | None) -> str:
    """Return what is not as asked, empty where all is.

    >>> _missing({"exists": True, "itemType": "File", "size": 10}, 11, None)
    'it has 10 of 11 bytes'
    """
    if not facts.get("exists"):
        return "it is not there"
    size, items = facts.get("size"), facts.get("childItems")
    if isinstance(size, int) and size < minimum:
        return f"it has {size} of {minimum} bytes"
    if children is not None and items is not None and bool(items) != children:
        return "the folder is empty" if children else f"the folder holds {len(items)} items"
    return ""
