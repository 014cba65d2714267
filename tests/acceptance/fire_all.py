"""A process that schedules until it is killed: what the test of two schedulers starts twice."""

import sys
from pathlib import Path

from manara.resources.published import Snapshots
from manara.runtime.triggers.scheduler import Scheduler
from manara.settings import Settings
from manara.store.seal import Seal

if __name__ == "__main__":
    address, home = sys.argv[1], Path(sys.argv[2])
    Scheduler(
        address=address if "://" in address else Path(address),
        seal=Seal(home / "seal.key"),
        snapshots=Snapshots(folder=lambda _: home, shared=home),
        settings=Settings(trigger_missed="all"),
    ).run()
