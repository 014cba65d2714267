"""A program that works for an activity: in a folder of its own, stopped with all it started when the run stops."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from manara import clock
from manara.errors import ManaraError
from manara.plugin.activity import Given
from manara.secret import masked

KEPT = "data/activities"
"""Where below the factory's folder lies what programs have printed."""

LOOK_S = 0.2
"""How often to look whether the run is to stop."""

GRACE_S = 3.0
"""How long a program has to end by itself once it was asked to."""

_TAIL_BYTES, _TAIL_LINES = 4000, 8

_GUARD = 'read -r group && { read -r _; kill -s KILL -- "-$group"; }'
"""What a shell does beside a program: it waits until we are gone, even by kill -9, and ends the program's group."""


class CommandFailed(ManaraError):
    code = "2500"
    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """The files that hold what a program prints."""

    out: Path
    err: Path

    def told(self) -> str:
        """Return where they are, and the last lines of what it said of its errors, without secrets."""
        with self.err.open("rb") as file:
            file.seek(max(0, self.err.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        said = masked("\n".join(lines))
        return f"It said:\n{said}\nAll of it: {self.err}" if said else f"What it printed: {self.out}"


def print_to(given: Given, keep_days: float) -> Printed:
    """Return new files for what the activity's program prints, kept for so many days; throw away those past theirs."""
    folder = given.root / KEPT
    _sweep(folder)
    word = re.sub(r"[^\w.-]+", "_", given.mark.step)[-60:]
    own = folder / given.mark.run_id / f"{word}_{sha256(given.mark.step.encode()).hexdigest()[:8]}_{given.mark.attempt}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    own.chmod(0o700)
    (own / "keep_until").write_text(clock.stamp(clock.now() + timedelta(days=keep_days)), encoding="ascii")
    printed = Printed(out=own / "stdout.txt", err=own / "stderr.txt")
    for file in (printed.out, printed.err):
        file.touch(mode=0o600)
    return printed


def run_program(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], printed: Printed, tick: Callable[[], None]
) -> int:
    """Run a program to its end, without a shell, and return its exit code (negative: the signal that ended it).

    `tick` is called a few times a second; what it raises stops the program and all that it has started. What outlives
    the program is stopped too, and all of it ends with this process, however that ends. Raises CommandFailed where it
    cannot be started.
    """
    with printed.out.open("wb") as out, printed.err.open("wb") as err, _guard() as watch:
        try:
            process = subprocess.Popen(  # noqa: S603 # the settings allow it, or the script is the machine's own
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandFailed(
                f"'{command[0]}' cannot be started: {reason}.",
                advice="Is it installed, or among the files of folderPath? No shell reads the command.",
            ) from error
        with _stopped_at_the_end(process):
            watch(process.pid)
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(LOOK_S)
                tick()


@contextlib.contextmanager
def _guard() -> Iterator[Callable[[int], None]]:
    """Give what names a group of processes that is to end with this one, until the end of the `with` block."""
    with subprocess.Popen(  # noqa: S603 # our own words
        ["/bin/sh", "-c", _GUARD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        bufsize=1,
    ) as guard:
        line = guard.stdin
        assert line is not None  # noqa: S101 # it was asked for
        try:
            yield lambda group: print(group, file=line)
        finally:
            guard.kill()


@contextlib.contextmanager
def _stopped_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            _signal(process.pid, signal.SIGTERM)
            end = time.monotonic() + GRACE_S
            while process.poll() is None and time.monotonic() < end:
                time.sleep(LOOK_S / 4)
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(group: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, which)


def _sweep(folder: Path) -> None:
    now = clock.stamp(clock.now())
    for note in folder.glob("*/*/keep_until"):
        with contextlib.suppress(OSError):
            if note.read_text(encoding="ascii") < now:
                shutil.rmtree(note.parent, ignore_errors=True)
                note.parent.parent.rmdir()  # only where it is empty
