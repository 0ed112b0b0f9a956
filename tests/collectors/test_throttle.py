"""What a throttle allows may be changed while it is in use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from collectors.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable


class Time:
    """A clock that only sleeping moves, with a lateness of each sleep."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.now = 1000.0
        self.late_s = late_s

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late_s

    def clock(self) -> float:
        return self.now


def make_throttle(
    time: Time, calls: float = 10, slots: int = 4, count: Callable[[], None] = lambda: None
) -> Throttle:
    """Returns a throttle of so many calls a second on a clock of its own."""
    return Throttle(calls, 1.0, slots, count=count, sleep=time.sleep, clock=time.clock)


def begin(throttle: Throttle, number: int) -> list[threading.Thread]:
    """Begins calls in threads of their own; returns when all of them wait or are under way."""
    threads = [threading.Thread(target=_call, args=(throttle,), daemon=True) for _ in range(number)]
    before = throttle.wanted
    for thread in threads:
        thread.start()
    ticks = threading.Event()
    for _ in range(1000):
        if throttle.wanted >= before + number:
            break
        ticks.wait(0.01)
    return threads


HELD = threading.Event()


def _call(throttle: Throttle) -> None:
    try:
        with throttle:
            HELD.wait(10)
    except OSError:
        return


def ended(threads: list[threading.Thread]) -> bool:
    """Says whether all threads have come to their end, within ten seconds."""
    for thread in threads:
        thread.join(10)
    return not any(thread.is_alive() for thread in threads)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    HELD.clear()


def test_a_little_lateness_does_not_slow_calls_down() -> None:
    """Sleeps that last 10 ms too long leave a rate of 10 a second as it is; long ones do not."""
    for late_s, seconds in ((0.01, 10.0), (0.06, 16.0)):
        time = Time(late_s)
        throttle = make_throttle(time)
        for _ in range(101):
            with throttle:
                pass
        assert time.now - 1000 == pytest.approx(seconds, abs=0.1)


def test_without_slots_calls_wait_until_there_are_some() -> None:
    """A call begins when a slot is allowed, and at the rate that came with it."""
    time = Time()
    throttle = make_throttle(time)
    throttle.allow(0, 1.0)
    threads = begin(throttle, 2)
    assert throttle.wanted == 2
    throttle.allow(2, 0.5)
    HELD.set()
    assert ended(threads)
    assert time.now - 1000 == pytest.approx(2)


def test_no_call_begins_when_what_was_allowed_has_lapsed() -> None:
    """At the time that was set, calls wait, even those that were waiting for their turn."""
    time = Time()
    throttle = make_throttle(time, calls=0.1)
    with throttle:
        pass
    throttle.allow(4, 0.1, until=time.now + 5)
    threads = begin(throttle, 1)  # its turn is in ten seconds, and sleeping takes no time here
    HELD.set()
    threads[0].join(0.1)
    assert threads[0].is_alive()
    throttle.allow(4, 0.1, until=time.now + 60)
    assert ended(threads)


def test_drained_when_calls_are_over_and_the_next_turn_has_come() -> None:
    """Whoever takes over may begin at once: neither calls at once nor the rate are exceeded."""
    time = Time()
    throttle = make_throttle(time, calls=1, slots=1)
    threads = begin(throttle, 1)
    throttle.allow(0, 1.0)
    assert not throttle.drained()
    HELD.set()
    assert ended(threads)
    assert not throttle.drained()
    time.now += 1
    assert throttle.drained()


def test_a_closed_throttle_raises_in_all_that_wait_until_it_is_opened() -> None:
    """Calls that wait end, calls that come are refused; opened again, it lets them begin."""
    time = Time()
    throttle = make_throttle(time)
    throttle.allow(0, 1.0)
    threads = begin(throttle, 3)
    throttle.close(lambda: OSError("away"))
    assert ended(threads)
    throttle.allow(4, 10.0)
    with pytest.raises(OSError, match="away"), throttle:
        pytest.fail("it is closed")
    throttle.open()
    with throttle:
        assert throttle.wanted == 1
    assert throttle.wanted == 0


def test_a_call_that_is_not_counted_does_not_begin() -> None:
    """What counts the calls sees each once, before it begins, and keeps it from beginning."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1
        if counted == 3:
            raise OSError("spent")

    throttle = make_throttle(Time(), count=count)
    for _ in range(2):
        with throttle:
            pass
    with pytest.raises(OSError, match="spent"), throttle:
        pytest.fail("it is not counted")
    assert counted == 3
    assert throttle.wanted == 0


def test_an_ease_can_be_handed_over() -> None:
    """Whoever slows all down takes the slowness from the throttle, once."""
    throttle = make_throttle(Time())
    assert not throttle.hand_over_ease()
    with throttle:
        throttle.ease()
    assert throttle.slowdown == 2
    assert throttle.hand_over_ease()
    assert throttle.slowdown == 1
    assert not throttle.hand_over_ease()
