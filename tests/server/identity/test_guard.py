from manara.server.identity.guard import FORGET_S, FREE, LONGEST_S, MOST_KEPT, Guard


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_some_failures_are_free_and_then_each_costs_twice_the_wait() -> None:
    guard = Guard(now=(clock := Clock()))
    for _ in range(FREE - 1):
        guard.failed("app", "h")
    assert guard.wait_s("app", "h") == 0
    for wanted in (1, 2, 4, 8):
        guard.failed("APP", "h")
        assert guard.wait_s("app", "h") == wanted
    clock.at += 8
    assert guard.wait_s("app", "h") == 0


def test_the_wait_has_an_end_and_is_forgotten() -> None:
    guard = Guard(now=(clock := Clock()))
    for _ in range(100):
        guard.failed("app", "h")
    assert guard.wait_s("app", "h") == LONGEST_S
    clock.at += FORGET_S
    guard.failed("app", "h")
    assert guard.wait_s("app", "h") == 0


def test_another_address_and_another_name_do_not_wait() -> None:
    guard = Guard()
    for _ in range(20):
        guard.failed("app", "h")
    assert guard.wait_s("app", "other") == guard.wait_s("other", "h") == 0


def test_a_success_forgets_the_failures() -> None:
    guard = Guard()
    for _ in range(20):
        guard.failed("app", "h")
    guard.succeeded("app", "h")
    assert guard.wait_s("app", "h") == 0


def test_strangers_do_not_fill_the_memory() -> None:
    guard = Guard()
    for number in range(MOST_KEPT + 100):
        guard.failed(str(number) * 100, "h")
    assert len(guard._failed) == MOST_KEPT
