"""Which activities of a run play themselves, and what plays the others."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import anyio

from manara.errors import Cancelled, ManaraError, WrongDefinition
from manara.plugin.activity import Given, Output
from manara.resources.model import Activity
from manara.runtime.control_step import CONTROLS
from manara.runtime.step import Work
from manara.testing.address import addresses
from manara.testing.stubs import Stub

LOOKS_OUTSIDE = {"Validation"}
"""Control activities that open a dataset."""


@dataclass(slots=True, kw_only=True)
class Cast:
    """Gives each step its stub, and notes what the stubs were given, by run and step.

    Several stubs for one address answer in turn, the last of them from then on. What goes wrong in the test itself is
    added to `faults`, and `stop` is called.
    """

    stubs: Mapping[str, Sequence[Stub]]
    real: frozenset[str]
    most_steps: int
    stop: Callable[[], object] = bool
    given: dict[tuple[str, str], Given] = field(default_factory=dict)
    faults: list[BaseException] = field(default_factory=list)
    _answered: Counter[str] = field(default_factory=Counter)
    _steps: int = 0

    def work(self, pipeline: str, step: str, activity: Activity) -> Work | None:
        """Return what works in place of the activity; None where it plays itself."""
        self._count(pipeline, step)
        known = addresses(pipeline, step)
        stub = next((address for address in known if address in self.stubs), None)
        if stub is not None:
            return partial(self._answer, stub)
        is_control = activity.type in CONTROLS.names() and activity.type not in LOOKS_OUTSIDE
        if not is_control and self.real.isdisjoint(known):
            self._end(
                WrongDefinition(
                    f"The activity '{step}' ({activity.type}) has no stub.",
                    where=f"pipeline '{pipeline}'",
                    advice=f"Give stubs={{'{activity.name}': output(...)}}, or real={{'{activity.name}'}}.",
                )
            )
        return None

    def _count(self, pipeline: str, step: str) -> None:
        self._steps += 1
        if self._steps > self.most_steps:
            self._end(
                WrongDefinition(
                    f"The run took more than {self.most_steps} steps.",
                    where=f"pipeline '{pipeline}' {step}",
                    advice="Does an Until end? Time passes only where something waits. most_steps allows more.",
                )
            )

    async def _answer(self, address: str, given: Given) -> Output:
        stubs = self.stubs[address]
        stub = stubs[min(self._answered[address], len(stubs) - 1)]
        self._answered[address] += 1
        self.given[given.mark.run_id, given.mark.step] = given
        await anyio.sleep(stub.delay.total_seconds())
        given.report({})
        try:
            answer = stub.answer(given)
        except ManaraError:
            raise
        except BaseException as error:  # noqa: BLE001 # the test's own code: the test ends with it, not the activity
            self._end(error)
        return self._checked(address, answer)

    def _checked(self, address: str, answer: Any) -> Output:
        try:
            json.dumps(answer)
        except (TypeError, ValueError) as error:
            self._end(WrongDefinition(f"The stub of '{address}' gives what is no JSON: {error}."))
        if not isinstance(answer, Mapping):
            self._end(WrongDefinition(f"The stub of '{address}' gives {answer!r}, not an object."))
        return dict(answer)

    def _end(self, fault: BaseException) -> NoReturn:
        self.faults.append(fault)
        self.stop()
        raise Cancelled("The test stopped the run.") from fault
