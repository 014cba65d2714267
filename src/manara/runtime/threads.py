"""The threads in which activities do their work, so many at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import anyio

T = TypeVar("T")


class Threads:
    """So many threads, kept for the next work: a thread of anyio costs a no-op activity a third more."""

    def __init__(self, most: int) -> None:
        self.at_work = 0
        self._free = anyio.Semaphore(most, fast_acquire=True)
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="activity")

    async def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, done in a thread that sees the caller's context variables.

        Who is cancelled while he waits for a thread does not get one; once the work has begun, it is waited for, since
        nobody can stop a thread.
        """
        async with self._free:
            self.at_work += 1
            try:
                with anyio.CancelScope(shield=True):
                    done = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, work)
                    await done
                return done.result()
            finally:
                self.at_work -= 1

    def close(self) -> None:
        """Let the threads go as soon as they have nothing to do."""
        self._pool.shutdown(wait=False)
