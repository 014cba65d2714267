"""How often an activity is tried, and what of it is hidden: the `policy` of real files, loosely typed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from manara.errors import WrongDefinition
from manara.resources.model import Policy
from manara.resources.timespan import read_timespan

TIMEOUT = timedelta(hours=12)
INTERVAL = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How long a try may take, how often to try again and after how long, and what is hidden from monitoring."""

    timeout: timedelta = TIMEOUT
    retries: int = 0
    interval: timedelta = INTERVAL
    hides_input: bool = False
    hides_output: bool = False


def read_policy(policy: Policy | None, resolve: Callable[[Any], Any]) -> Tries:
    """Return the policy with its expressions resolved.

    By default 12 hours, no retry, 30 seconds, and nothing hidden (rule 83).
    """
    if policy is None:
        return Tries()
    return Tries(
        timeout=read_timespan(resolve(policy.timeout), TIMEOUT),
        retries=whole_number(resolve(policy.retry), default=0, where="policy.retry"),
        interval=timedelta(
            seconds=whole_number(
                resolve(policy.retry_interval_in_seconds), default=30, where="policy.retryIntervalInSeconds"
            )
        ),
        hides_input=truth(resolve(policy.secure_input)),
        hides_output=truth(resolve(policy.secure_output)),
    )


def truth(value: Any) -> bool:
    """Return a boolean that real files also write as text.

    >>> truth("true"), truth(None), truth("False")
    (True, False, False)
    """
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def whole_number(value: Any, *, default: int, where: str) -> int:
    """Return a number that real files also write as text; the default for null and empty text."""
    if value is None or value == "":
        return default
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        raise WrongDefinition(f"'{value}' is no whole number.", where=where, advice="Give a number.") from None
