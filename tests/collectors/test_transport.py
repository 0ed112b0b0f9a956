"""Retries, rate limits and redaction."""

from __future__ import annotations

import io
import logging
import pickle
import re
import threading
from dataclasses import replace
from itertools import pairwise, repeat
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from collectors.transport import (
    Patience,
    Redaction,
    SetupError,
    Throttle,
    TransientTrouble,
    TroubleRemains,
    is_transient,
    network_trouble,
    redact,
    retrying,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = Patience(budget_s=100, first_wait_s=1, longest_wait_s=20)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def failing(times: int, error: Exception, answer: str = "answer"):
    """Returns a call that fails so many times before it answers, and its tries."""
    tries: list[int] = []

    def call() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return answer

    return call, tries


class Queue:
    """A throttle at which each call waits so long for its turn."""

    def __init__(self, time: Time, waits: Iterable[float]) -> None:
        self._time, self._waits = time, iter(waits)

    def __enter__(self) -> None:
        self._time.now += next(self._waits)

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_status_that_may_pass_is_transient(status):
    """Too many requests and a server's own failures are worth another try."""
    assert is_transient(status)


@given(st.integers(100, 700).filter(lambda s: s not in {408, 425, 429} and not 500 <= s < 600))
def test_no_other_status_is_transient(status):
    """A refusal stays a refusal however often it is asked for."""
    assert not is_transient(status)


@pytest.mark.parametrize("status", [501, 505])
def test_not_implemented_is_not_transient(status):
    """A server that cannot do something will not have learnt it by the next try."""
    assert not is_transient(status)


def test_transient_trouble_is_retried_until_the_answer():
    """A call that fails three times and then answers gives its answer after three waits."""
    time = Time()
    call, tries = failing(3, TransientTrouble("S", "busy", 503))
    answer = retrying(PATIENCE, call, service="S", what="w", sleep=time.sleep, clock=time.clock)
    assert (answer, len(tries), len(time.slept)) == ("answer", 4, 3)


@pytest.mark.parametrize(
    "error", [SetupError("S", "bad key"), TroubleRemains("S", "x"), ValueError("x"), OSError("x")]
)
def test_nothing_else_is_retried(error):
    """Every error but transient trouble comes through at once, as it is."""
    time = Time()
    call, tries = failing(5, error)
    with pytest.raises(type(error)) as caught:
        retrying(PATIENCE, call, service="S", what="w", sleep=time.sleep, clock=time.clock)
    assert caught.value is error
    assert len(tries) == 1
    assert time.slept == []


def test_spent_budget_ends_in_trouble_that_remains():
    """When the budget is spent the error says what, how often, and what was seen last."""
    time = Time()
    call, tries = failing(10**6, TransientTrouble("Flickr", "HTTP status 503", 503))
    with pytest.raises(TroubleRemains) as caught:
        retrying(PATIENCE, call, service="Flickr", what="page 3", sleep=time.sleep,
                 clock=time.clock)  # fmt: skip
    assert str(caught.value).startswith(f"Flickr: page 3: given up after {len(tries)} tries in ")
    assert str(caught.value).endswith("last: HTTP status 503")
    assert isinstance(caught.value.__cause__, TransientTrouble)


def test_no_try_begins_after_the_budget():
    """The waits together never reach the budget, and the time of slow tries counts as well."""
    for _ in range(20):
        time = Time()
        began: list[float] = []

        def slow(time: Time = time, began: list[float] = began) -> str:
            began.append(time.now)
            time.now += 7
            raise TransientTrouble("S", "slow")

        with pytest.raises(TroubleRemains):
            retrying(PATIENCE, slow, service="S", what="w", sleep=time.sleep, clock=time.clock)
        assert max(began) - 1000 < PATIENCE.budget_s
        assert 2 <= len(began) <= 15


@given(st.lists(st.sampled_from([0.0, 1.0, 500.0]), min_size=1, max_size=8))
def test_waiting_for_a_turn_takes_nothing_from_the_budget(queues):
    """However long others are served first: as many tries are made as if nobody were."""
    time = Time()
    call, tries = failing(len(queues), TransientTrouble("S", "busy"))
    answer = retrying(
        replace(PATIENCE, longest_wait_s=1), call, service="S", what="w",
        throttle=Queue(time, [*queues, 0.0]), sleep=time.sleep, clock=time.clock,
    )  # fmt: skip
    assert (answer, len(tries)) == ("answer", len(queues) + 1)


def test_the_time_that_is_told_is_that_of_the_trouble():
    """Who reads that a service was given up does not take a queue before it for its silence."""
    time = Time()
    call, _ = failing(10**6, TransientTrouble("S", "busy"))
    with pytest.raises(TroubleRemains) as caught:
        retrying(PATIENCE, call, service="S", what="w", throttle=Queue(time, repeat(3600.0)),
                 sleep=time.sleep, clock=time.clock)  # fmt: skip
    told = re.search(r"in (\d+) s; last: busy$", str(caught.value))
    assert told is not None
    assert 0 < int(told[1]) <= PATIENCE.budget_s


def test_waits_are_jittered_below_a_doubling_limit():
    """Each wait is random between 0 and a limit that doubles up to the longest wait."""
    waits = []
    for _ in range(60):
        time = Time()
        call, _ = failing(6, TransientTrouble("S", "busy"))
        retrying(PATIENCE, call, service="S", what="w", sleep=time.sleep, clock=time.clock)
        waits.append(time.slept)
    for number, limit in enumerate([1, 2, 4, 8, 16, 20]):
        of_try = [slept[number] for slept in waits]
        assert min(of_try) >= 0
        assert limit / 2 < max(of_try) <= limit
        assert len(set(of_try)) == len(of_try)


@pytest.mark.parametrize(
    "error",
    [
        TransientTrouble("S", "busy", 503),
        TroubleRemains("S", "gave up"),
        SetupError("S", "bad key.", "Get another."),
    ],
)
def test_errors_survive_pickling(error):
    """Errors that cross a process boundary keep their parts and their text."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
    ],
)
def test_broken_connections_are_transient(error):
    """What requests raises on a broken connection becomes transient trouble with its text."""
    with (
        pytest.raises(TransientTrouble, match=f"asking: .*{error}"),
        network_trouble("S", "asking"),
    ):
        raise error


def test_a_bad_address_is_not_a_broken_connection():
    """An address that can never work is not made into something to retry."""
    with pytest.raises(requests.exceptions.InvalidURL), network_trouble("S", "asking"):
        raise requests.exceptions.InvalidURL("http://")


def make_throttle(time: Time, calls: float = 10, slots: int = 4) -> Throttle:
    """Returns a throttle of so many calls a second on a clock of its own."""
    return Throttle(calls, 1.0, slots, recovery_s=30, sleep=time.sleep, clock=time.clock)


def begin_times(throttle: Throttle, time: Time, number: int) -> list[float]:
    """Makes calls one after the other and returns when each began."""
    began = []
    for _ in range(number):
        with throttle:
            began.append(time.now)
    return began


@given(st.floats(0.1, 500), st.integers(2, 30))
def test_calls_are_spread_evenly(rate, number):
    """Calls follow each other at the interval of the rate, without a burst at the start."""
    time = Time()
    began = begin_times(make_throttle(time, rate), time, number)
    assert began[0] == 1000
    for before, after in pairwise(began):
        assert after - before == pytest.approx(1 / rate, rel=1e-6)


def test_idle_time_is_not_saved_up():
    """After a pause calls go on at the same rate: no burst makes up for it."""
    time = Time()
    throttle = make_throttle(time)
    begin_times(throttle, time, 2)
    time.now += 60
    began = begin_times(throttle, time, 3)
    assert began[2] - began[0] == pytest.approx(0.2)


def test_easing_halves_the_rate_and_quiet_doubles_it_again():
    """Each refusal halves the rate for all; each 30 s without one bring a half back."""
    time = Time()
    throttle = make_throttle(time)
    for expected in (2, 4, 8):
        with throttle:
            time.now += 0.01
            throttle.ease()
        assert throttle.slowdown == expected
    began = begin_times(throttle, time, 3)
    assert began[2] - began[1] == pytest.approx(0.8)
    for expected in (4, 2, 1, 1):
        time.now += 30
        assert throttle.slowdown == expected
    began = begin_times(throttle, time, 3)
    assert began[2] - began[1] == pytest.approx(0.1)


def test_easing_never_stops_everything():
    """However often a service refuses, the rate stays at a 64th."""
    time = Time()
    throttle = make_throttle(time)
    for _ in range(20):
        with throttle:
            time.now += 0.01
            throttle.ease()
    assert throttle.slowdown == 64


def test_calls_refused_together_count_once():
    """Of several calls that were under way at the refusal only one eases the throttle."""
    time = Time()
    throttle = make_throttle(time, calls=1000)
    inside = threading.Barrier(4)
    done = threading.Barrier(4)

    def refused() -> None:
        with throttle:
            inside.wait(10)
            throttle.ease()
            done.wait(10)

    threads = [threading.Thread(target=refused) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert throttle.slowdown == 2


def test_no_more_calls_at_once_than_slots():
    """With 3 slots and 12 threads, 3 calls run at once, and never more."""
    time = Time()
    throttle = make_throttle(time, calls=10**6, slots=3)
    full = threading.Semaphore(0)
    leave = threading.Event()
    lock = threading.Lock()
    inside: list[int] = []
    now = 0

    def call() -> None:
        nonlocal now
        with throttle:
            with lock:
                now += 1
                inside.append(now)
            full.release()
            leave.wait(10)
            with lock:
                now -= 1

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert full.acquire(timeout=10)
    assert not full.acquire(timeout=0.05)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert max(inside) == 3
    assert len(inside) == 12


def test_an_error_gives_the_slot_back():
    """A call that fails, and one that is interrupted while it waits, leave their slots free."""
    time = Time()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    throttle = Throttle(1, 1.0, 1, sleep=interrupted, clock=time.clock)
    with pytest.raises(OSError, match="broken"), throttle:
        raise OSError("broken")
    with pytest.raises(KeyboardInterrupt), throttle:
        pytest.fail("the second call has to wait")
    time.now += 1
    entered = threading.Event()

    def enter() -> None:
        with throttle:
            entered.set()

    threading.Thread(target=enter, daemon=True).start()  # would wait for ever for a lost slot
    assert entered.wait(10)


@pytest.mark.parametrize(("calls", "period", "slots"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_throttle_that_lets_nothing_through_is_refused(calls, period, slots):
    """Limits under which no call could ever begin are an error, not a program that hangs."""
    with pytest.raises(ValueError, match="lets nothing through"):
        Throttle(calls, period, slots)


def test_secrets_are_redacted_in_every_form():
    """A secret is removed as it is and in percent-encoding; an empty one removes nothing."""
    text = redact("key=a/b+c d&again=a%2Fb%2Bc%20d&form=a%2Fb%2Bc+d", ["a/b+c d", ""])
    assert text == "key=[secret]&again=[secret]&form=[secret]"


@given(st.lists(st.text(min_size=1, max_size=8), max_size=4), st.text(max_size=40))
def test_no_secret_is_left(secrets, text):
    """Whatever the text, no secret that holds no bracket or letter of the mark is left in it."""
    mark = set("[secret]")
    for secret in secrets:
        if not mark & set(secret):
            assert secret not in redact(text + secret + text, secrets)


def test_log_records_lose_secrets_in_message_arguments_and_traceback():
    """A key in the arguments of a log call and in a logged exception does not reach the log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction(["topsecret"]))
    logger = logging.getLogger("a.logger.of.a.library")
    logger.addHandler(handler)
    try:
        raise ValueError("no topsecret here")
    except ValueError:
        logger.exception("GET %s", "https://example.org/?key=topsecret", stack_info=True)
    finally:
        logger.removeHandler(handler)
    log = stream.getvalue()
    assert "topsecret" not in log
    assert "key=[secret]" in log
    assert "ValueError: no [secret] here" in log
