"""What a control activity (a loop, a branch, a call) is given: it walks other activities instead of moving data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manara.errors import Cancelled, ManaraError, WrongDefinition
from manara.expr import resolve
from manara.registry import Registry, near
from manara.resources.model import Activity
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

    def resolve(self, name: str) -> Any:
        """Return the property with its expressions resolved. Raises WrongDefinition where it is not there."""
        if name not in self.properties:
            raise WrongDefinition(f"The activity has no '{name}'.", where=self.step, advice="Add it.")
        return resolve(self.properties[name], self.frame.scope())

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

    async def walk(self, activities: Sequence[Activity], label: str = "", item: Any = ABSENT) -> Result:
        """Run activities inside this one; `label` tells rounds of a loop apart (`[3]`)."""
        return await self.engine.walk(activities, self.frame.inside(f"{self.step}{label}/", item))

    def set_variable(self, name: str, value: Any) -> None:
        """Give a variable of the run a value. Raises WrongDefinition for one that the pipeline does not declare."""
        run = self.frame.run
        declared = {known.lower(): known for known in run.pipeline.properties.variables or {}}
        own_name = RETURN_VALUE if name == RETURN_VALUE else declared.get(name.lower())
        if own_name is None:
            raise WrongDefinition(
                f"The pipeline has no variable '{name}'.", where=self.step, advice=near(name, declared.values())
            )
        run.variables[own_name] = value
        self.engine.recorder.put(run.event("variable", self.step, name=own_name, value=value))


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
