"""Who sends a request, and what they may do."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who has signed in. `decides` says of an action on a resource id whether it is allowed."""

    object_id: str
    app_id: str
    name: str
    decides: Callable[[str, str], bool]
    address: str = ""

    def may(self, action: str, scope: str) -> bool:
        """Say whether the action is allowed on the resource; an empty action is allowed to all who have signed in."""
        return not action or self.decides(action, scope)
