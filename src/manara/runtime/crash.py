"""Ends this process with SIGKILL at a chosen commit: for the proof that nothing is lost, whatever is killed when."""

import os
import signal
from dataclasses import dataclass

from manara.errors import WrongDefinition


@dataclass(slots=True)
class Crash:
    """Counts the commits of this process, and strikes `before` or `after` the one called `at`; 0 is none."""

    at: int = 0
    moment: str = "after"
    counted: int = 0

    def count(self) -> None:
        """Count a commit that is about to be made."""
        self.counted += 1

    def strike(self, moment: str) -> None:
        """End the process where this is the moment."""
        if self.counted == self.at and self.moment == moment:
            os.kill(os.getpid(), signal.SIGKILL)


NEVER = Crash()


def read_crash(text: str) -> Crash:
    """Return what the setting `worker.crash_at` says.

    >>> read_crash("before 12"), read_crash("3").moment
    (Crash(at=12, moment='before', counted=0), 'after')
    """
    moment, _, number = text.rpartition(" ")
    if not text:
        return Crash()
    if moment not in ("", "before", "after") or not number.isdecimal():
        raise WrongDefinition(
            f"'{text}' names no commit.", where="setting worker.crash_at", advice="Write 'after 12' or 'before 12'."
        )
    return Crash(at=int(number), moment=moment or "after")
