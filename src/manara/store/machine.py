"""Which machine this is, and whether a process on it lives: what tells a dead worker from a slow one."""

import contextlib
import os
import socket
from functools import cache
from pathlib import Path


@cache
def host() -> str:
    """Return the machine's name, for people."""
    return socket.gethostname()


@cache
def machine() -> str:
    """Return a text that two processes share only where they see each other's ids.

    That is the same name, the same start of the system and the same container: a name alone is given twice.
    """
    parts = [host()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def is_dead(pid: int) -> bool:
    """Say whether the process of this machine is known to have ended."""
    if os.name == "nt":  # there, asking would end the process
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
