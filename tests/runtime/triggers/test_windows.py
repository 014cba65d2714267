"""What is done with tumbling windows, as tables of what stands and what follows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from manara.errors import WrongDefinition
from manara.resources.windows import Windows, read_windows
from manara.runtime.triggers.windows import FAIL, PATIENCE, START, WAIT, Row, Upstream, decide, next_due
from manara.store.firings import FAILED, RUNNING, SUCCEEDED, WAITING

HOURLY: Mapping[str, Any] = {"frequency": "Hour", "interval": 1, "startTime": "2026-01-01T00:30:00Z"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-{text}").replace(tzinfo=UTC)


def shown(
    properties: Mapping[str, Any],
    now: str,
    rows: list[Row] | None = None,
    upstream: Mapping[str, Upstream] | None = None,
    first_new: datetime | None = None,
) -> list[tuple[str, str, int]]:
    found = decide(properties, rows or [], first_new, at(now), upstream or {})
    return [(each.kind, f"{each.start:%d %H:%M}", each.attempt) for each in found]


def row(start: str, status: str, attempt: int = 1, **more: Any) -> Row:
    return Row(start=at(start), status=status, attempt=attempt, **{"since": at(start), **more})


def others(statuses: Mapping[str, str], windows: Windows | None = None) -> Upstream:
    by_start = {at(start): status for start, status in statuses.items()}
    return Upstream(windows=windows or read_windows(HOURLY), status=by_start.get)


def test_past_windows_start_oldest_first_and_keep_the_minutes_of_the_start() -> None:
    assert shown(HOURLY, "01T03:29") == [(START, "01 00:30", 1), (START, "01 01:30", 1)]


def test_a_window_starts_when_it_is_over_and_not_before() -> None:
    assert shown(HOURLY, "01T01:29:59") == []
    assert shown(HOURLY, "01T01:30") == [(START, "01 00:30", 1)]


def test_a_delay_moves_the_start_and_not_the_window() -> None:
    assert shown({**HOURLY, "delay": "00:15:00"}, "01T01:44") == []
    assert shown({**HOURLY, "delay": "00:15:00"}, "01T01:45") == [(START, "01 00:30", 1)]


def test_no_more_windows_run_than_may_side_by_side() -> None:
    two = {**HOURLY, "maxConcurrency": 2}
    assert shown(two, "02T00:00") == [(START, "01 00:30", 1), (START, "01 01:30", 1)]
    running = [row("01T00:30", RUNNING), row("01T01:30", RUNNING)]
    assert shown(two, "02T00:00", running, first_new=at("01T02:30")) == []
    assert shown(two, "02T00:00", running[1:], first_new=at("01T02:30")) == [(START, "01 02:30", 1)]


def test_no_more_than_fifty_run_where_nothing_is_said() -> None:
    assert len(shown(HOURLY, "20T00:00")) == 50


def test_a_window_that_failed_is_tried_again_before_newer_ones() -> None:
    one = {**HOURLY, "maxConcurrency": 1}
    failed = [row("01T00:30", WAITING, 1, not_before=at("01T05:00"))]
    assert shown(one, "01T04:59", failed, first_new=at("01T01:30")) == [(START, "01 01:30", 1)]
    assert shown(one, "01T05:00", failed, first_new=at("01T01:30")) == [(START, "01 00:30", 2)]


def test_a_rerun_counts_from_its_first_attempt() -> None:
    assert shown(HOURLY, "01T02:00", [row("01T00:30", WAITING, 0)], first_new=at("01T01:30")) == [
        (START, "01 00:30", 1)
    ]


def test_windows_end_by_the_end() -> None:
    ending = {**HOURLY, "endTime": "2026-01-01T02:45:00Z"}
    assert [each[1] for each in shown(ending, "03T00:00")] == ["01 00:30", "01 01:30"]


def test_windows_of_months_begin_on_the_last_day_of_a_short_one() -> None:
    windows = read_windows({"frequency": "Month", "interval": 1, "startTime": "2026-01-31T06:00:00Z"})
    assert [f"{windows.at(number):%m-%d}" for number in range(4)] == ["01-31", "02-28", "03-31", "04-30"]
    for number in range(30):
        assert windows.number_from(windows.at(number)) == number
        assert windows.number_from(windows.at(number) + timedelta(seconds=1)) == number + 1


def on_other(**more: Any) -> dict[str, Any]:
    kind = "TumblingWindowTriggerDependencyReference"
    return {**HOURLY, "dependsOn": [{"type": kind, "referenceTrigger": {"referenceName": "Other"}, **more}]}


DEPENDENCIES: list[tuple[str, dict[str, Any], dict[str, str], list[str]]] = [
    ("the same window", on_other(), {"01T00:30": SUCCEEDED}, [START, WAIT, WAIT]),
    ("one that failed", on_other(), {"01T00:30": FAILED, "01T01:30": SUCCEEDED}, [WAIT, START, WAIT]),
    ("the window before", on_other(offset="-01:00:00"), {"01T00:30": SUCCEEDED}, [START, START, WAIT]),
    (
        "two windows before",
        on_other(offset="-02:00:00", size="02:00:00"),
        {"01T00:30": SUCCEEDED},
        [START, START, WAIT],
    ),
    ("half of two windows", on_other(offset="00:30:00"), {"01T00:30": SUCCEEDED}, [WAIT, WAIT, WAIT]),
]


@pytest.mark.parametrize(
    ("properties", "statuses", "wanted"), [each[1:] for each in DEPENDENCIES], ids=[each[0] for each in DEPENDENCIES]
)
def test_a_window_waits_for_those_of_another_trigger(
    properties: dict[str, Any], statuses: dict[str, str], wanted: list[str]
) -> None:
    assert [kind for kind, _, _ in shown(properties, "01T03:30", upstream={"other": others(statuses)})] == wanted


def test_a_window_waits_for_a_trigger_that_is_not_there() -> None:
    assert shown(on_other(), "01T01:30") == [(WAIT, "01 00:30", 0)]


def test_a_window_that_waits_for_itself_lets_the_first_one_start() -> None:
    kind = "SelfDependencyTumblingWindowTriggerReference"
    looking_back = {**HOURLY, "dependsOn": [{"type": kind, "offset": "-01:00:00", "size": "01:00:00"}]}
    assert [each[0] for each in shown(looking_back, "01T03:30", upstream={"": others({})})] == [START, WAIT, WAIT]
    assert shown(
        looking_back,
        "01T03:30",
        [row("01T01:30", WAITING, 0, waits=True)],
        {"": others({"01T00:30": SUCCEEDED})},
        at("01T02:30"),
    ) == [(START, "01 01:30", 1), (WAIT, "01 02:30", 0)]  # fmt: skip


def test_a_window_that_has_waited_for_a_week_fails() -> None:
    waits = Row(start=at("01T00:30"), status=WAITING, attempt=0, since=at("01T01:30"), waits=True)
    late = at("01T01:30") + PATIENCE
    nothing_new = {**on_other(), "endTime": "2026-01-01T01:30:00Z"}
    assert decide(nothing_new, [waits], at("01T01:30"), late - timedelta(seconds=1), {}) == []
    assert [each.kind for each in decide(nothing_new, [waits], at("01T01:30"), late, {})] == [FAIL]


def test_the_next_window_is_told() -> None:
    assert next_due(HOURLY, [], at("01T01:30")) == at("01T02:30")
    assert next_due(HOURLY, [row("01T00:30", WAITING, not_before=at("01T02:00"))], at("01T01:30")) == at("01T02:00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"frequency": "Day"},
        {"interval": 0},
        {"startTime": None},
        {"delay": "soon"},
        {"maxConcurrency": 51},
        {"retryPolicy": {"count": -1}},
        {"dependsOn": [{"type": "SelfDependencyTumblingWindowTriggerReference", "offset": "01:00:00"}]},
        {"dependsOn": [{"type": "TumblingWindowTriggerDependencyReference"}]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        decide({**HOURLY, **wrong}, [], None, at("01T00:00"), {})
