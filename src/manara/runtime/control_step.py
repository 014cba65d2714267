"""What a control activity (a loop, a branch, a call) is given: it walks other activities instead of moving data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio

from manara import clock
from manara.errors import Cancelled, ManaraError, WrongDefinition
from manara.expr import resolve
from manara.expr.value import kind_of
from manara.registry import Registry, near
from manara.resources.model import Activity, Parameter
from manara.resources.timespan import read_timespan
from manara.runtime.graph import CANCELLED, FAILED
from manara.runtime.history import Result
from manara.runtime.scope import ABSENT, RETURN_VALUE, Frame

if TYPE_CHECKING:
    from manara.runtime.engine import Engine


class InnerFailed(ManaraError):
    code = "ActionFailed"
    status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlStep:
    """A control activity at work. Its `properties` come unresolved: it resolves what it needs, when it needs it."""

    engine: "Engine"
    activity: Activity
    frame: Frame
    step: str

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.activity.type_properties

    def resolve(self, name: str, *, default: Any = ABSENT, frame: Frame | None = None) -> Any:
        """Return the property with its expressions resolved, as seen from `frame` where one is given.

        Where it is not there, returns the default, or without one raises WrongDefinition.
        """
        if name not in self.properties:
            if default is ABSENT:
                raise WrongDefinition(f"The activity has no '{name}'.", where=self.step, advice="Add it.")
            return default
        return resolve(self.properties[name], (frame or self.frame).scope())

    def array(self, name: str) -> list[Any]:
        """Return the property as an array. Raises WrongDefinition for anything else."""
        items = self.resolve(name)
        if not isinstance(items, list):
            raise WrongDefinition(
                f"'{name}' is {kind_of(items)}, not an array.",
                where=self.step,
                advice="Give an expression that yields an array, such as @activity('Lookup').output.value.",
            )
        return items

    def timespan(self, name: str, default: timedelta) -> timedelta:
        """Return the property as a length of time; the default where it is absent or empty."""
        try:
            return read_timespan(self.resolve(name, default=None), default)
        except WrongDefinition as error:
            raise error.at(f"{self.step}: {name}")  # noqa: B904 # the same error, with its place

    async def decide(self, name: str, choose: Callable[[], Any]) -> Any:
        """Return what was chosen once (JSON).

        The journal holds it before it is acted on, and after a crash it is the same again.
        """
        decisions = self.frame.run.history.decisions
        if (self.step, name) not in decisions:
            decisions[self.step, name] = value = choose()
            self.engine.recorder.put(self.frame.run.event("decided", self.step, name=name, value=value))
            await self.engine.recorder.commit()
        return decisions[self.step, name]

    async def decide_moment(self, name: str, length: timedelta) -> datetime:
        """Return the moment that lay `length` ahead when this was asked first; after a crash it is the same again."""
        try:
            moment = clock.now() + length
        except OverflowError:
            raise WrongDefinition(f"{length} is too long.", where=self.step, advice="Give a shorter time.") from None
        return clock.parse(await self.decide(name, lambda: clock.stamp(moment)))

    async def sleep_until(self, moment: datetime) -> None:
        """Wait for the moment. Raises Cancelled as soon as the run is to stop."""
        with anyio.move_on_after((moment - clock.now()).total_seconds()):
            await self.engine.cancelled.wait()
        if self.engine.cancelled.is_set():
            raise Cancelled("The run was cancelled.")

    def inside(self, label: str = "", item: Any = ABSENT) -> Frame:
        """Return the frame of what runs inside this one; `label` tells rounds of a loop apart (`[3]`)."""
        return self.frame.inside(f"{self.step}{label}/", item)

    async def walk(self, activities: Sequence[Activity], label: str = "", item: Any = ABSENT) -> Result:
        """Run activities inside this one (see `inside`), and return how they ended."""
        return await self.engine.walk(activities, self.inside(label, item))

    def variable(self, name: str) -> Parameter:
        """Return the variable as the pipeline declares it. Raises WrongDefinition for one that it does not."""
        return self._declared[self._own_name(name)]

    def set_variable(self, name: str, value: Any) -> None:
        """Give a variable of the run a value. Raises WrongDefinition for one that the pipeline does not declare."""
        run = self.frame.run
        own_name = RETURN_VALUE if name == RETURN_VALUE else self._own_name(name)
        run.variables[own_name] = value
        self.engine.recorder.put(run.event("variable", self.step, name=own_name, value=value))

    def append_variable(self, name: str, value: Any) -> None:
        """Put a value at the end of an array variable; the journal notes that value and not the whole array."""
        run, own_name = self.frame.run, self._own_name(name)
        run.variables[own_name] = [*(run.variables[own_name] or []), value]
        self.engine.recorder.put(run.event("variable", self.step, name=own_name, appended=value))

    @property
    def _declared(self) -> Mapping[str, Parameter]:
        return self.frame.run.pipeline.properties.variables or {}

    def _own_name(self, name: str) -> str:
        """Return the name as the pipeline spells it: names differ in more than their case."""
        for known in self._declared:
            if known.lower() == name.lower():
                return known
        raise WrongDefinition(
            f"The pipeline has no variable '{name}'.", where=self.step, advice=near(name, self._declared)
        )


Control = Callable[[ControlStep], Awaitable[dict[str, Any]]]

CONTROLS: Registry[Control] = Registry("control")
control = CONTROLS.register


def raise_inner(result: Result) -> None:
    """Raise the error of a container whose inside failed or was cancelled (rule 67); nothing where it succeeded."""
    if result.status == CANCELLED:
        raise Cancelled(result.message)
    if result.status == FAILED:
        error = result.error or {}
        raise InnerFailed(
            "Activity failed because an inner activity failed; "
            f"Inner activity name: {error.get('target')}, Error: {error.get('message')}"
        )
