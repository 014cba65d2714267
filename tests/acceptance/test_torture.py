"""A worker is killed with -9 at chosen commits and at random moments, and its run ends as if nothing had been.

`make torture` kills at every single commit in turn and some hundred times at random; `make test` some thirty times.
"""

import itertools
import os
import random
from collections.abc import Callable

import pytest
from tests.acceptance.torture import Torture

IS_FULL = bool(os.environ.get("TORTURE_FULL"))
full = pytest.mark.skipif(not IS_FULL, reason="only in: make torture")
SEED = 3
RANDOM_KILLS = 90
EXPECTED: object = (
    "Failed",
    {
        "Aside": "Succeeded",
        "Each": "Succeeded",
        "Each[0]/If": "Succeeded",
        "Each[0]/Load": "Succeeded",
        "Each[1]/If": "Succeeded",
        "Each[1]/If/Call": "Succeeded",
        "Each[1]/Load": "Succeeded",
        "Last": "Succeeded",
        "Luck": "Succeeded",
        "Mend": "Succeeded",
        "Never": "Failed",
        "Skipped": "Skipped",
    },
    {name: ("Succeeded", {"Load": "Succeeded", "Note": "Succeeded"}, {}) for name in ("Each[1]/If/Call", "Aside")},
)
"""How the run ends when nobody disturbs it."""

New = Callable[[], Torture]


def test_the_run_that_nobody_disturbs_ends_so(new_torture: New) -> None:
    torture = new_torture().make()
    run_id = torture.ask()
    torture.finish()
    torture.check(run_id, EXPECTED)


@pytest.mark.parametrize(
    "crash_at", ["after 2", pytest.param("before 3", marks=full), pytest.param("after 3", marks=full)]
)
def test_a_worker_that_never_gets_further_than_some_commits_comes_to_the_end(new_torture: New, crash_at: str) -> None:
    torture = new_torture().make()
    run_id = torture.ask()
    while torture.crash(crash_at):
        assert len(torture.kills) < 100
    torture.check(run_id, EXPECTED)
    assert len(torture.kills) >= 5
    tell(torture, f"{crash_at}, again and again", len(torture.kills))


@full
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_at_every_single_commit_in_turn(new_torture: New, moment: str) -> None:
    for number in itertools.count(1):
        torture = new_torture().make()
        run_id = torture.ask()
        struck = torture.crash(f"{moment} {number}")
        torture.finish()
        torture.check(run_id, EXPECTED)
        if not struck:
            break
    assert number > 15
    tell(torture, f"{moment} every single commit in turn", number - 1)


@full
def test_a_worker_killed_at_random_moments(new_torture: New) -> None:
    dice = random.Random(SEED)  # noqa: S311 # moments, no secrets
    kills = 0
    while kills < RANDOM_KILLS:
        torture = new_torture().make()
        run_id = torture.ask()
        while torture.kill_after(dice.uniform(0.3, 0.8)):
            kills += 1
        torture.check(run_id, EXPECTED)
    tell(torture, "at random moments", kills)


def tell(torture: Torture, what: str, kills: int) -> None:
    """Say how many kills there were, to those who look (pytest -s)."""
    store = "PostgreSQL" if torture.address else "SQLite"
    os.write(2, f"{store}, {what}: {kills} kills\n".encode())
