"""Work begun before its turn: its order, its room, and its end when something goes wrong."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from threading import Semaphore
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.catalogue.catalogue import load_catalogue
from flows.cells.begun import Begun, begin_ahead
from flows.limits.budgets import BudgetSpent, Ledger
from tests.flows.made_up_services import World, memory_store, services
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path


def go_on() -> None:
    """The run has not been stopped."""


class Batches:
    """Batches of one item, which are begun here and finished by whoever asks."""

    def __init__(self) -> None:
        self.futures: dict[str, Future[str]] = {}

    def begin(self, name: str) -> Begun[str] | None:
        """Begins a batch; there is nothing to do for one in capitals."""
        if name.isupper():
            return None
        self.futures[name] = Future()
        return Begun(go_on, [self.futures[name]])


def free(room: Semaphore) -> int:
    """Returns how much room there is, and leaves it."""
    taken = 0
    while room.acquire(blocking=False):
        taken += 1
    if taken:
        room.release(taken)
    return taken


def test_items_come_in_order_with_as_many_begun_as_there_is_room() -> None:
    """With room for two, the item whose turn it is and the two behind it are begun, no more."""
    batches, room = Batches(), Semaphore(2)
    seen = []
    with closing(begin_ahead(room, "abCde", batches.begin)) as begun:
        for name, work in begun:
            assert (work is None) == name.isupper()
            seen.append((name, "".join(batches.futures), free(room)))
    assert seen == [
        ("a", "ab", 0), ("b", "abd", 0), ("C", "abde", 0), ("d", "abde", 1), ("e", "abde", 2),
    ]  # fmt: skip


def test_without_room_everything_still_gets_its_turn() -> None:
    """Others may hold all the room for good: then each item is begun when its turn has come."""
    batches, room = Batches(), Semaphore(0)
    with closing(begin_ahead(room, "abc", batches.begin)) as begun:
        seen = [(name, "".join(batches.futures)) for name, _ in begun]
    assert seen == [("a", "a"), ("b", "ab"), ("c", "abc")]


def test_what_is_no_longer_wanted_is_dropped() -> None:
    """After an error with one batch those behind it are not done, and the room is given back."""
    batches, room = Batches(), Semaphore(2)
    with closing(begin_ahead(room, "abc", batches.begin)) as begun:
        _, work = next(begun)
        assert work is not None
        batches.futures["a"].set_exception(OSError("gone"))
        with pytest.raises(OSError, match="gone"):
            work.results()
    assert [one.cancelled() for one in batches.futures.values()] == [False, True, True]
    assert free(room) == 2


def test_room_is_given_back_when_beginning_fails() -> None:
    """A run that is stopped while a batch is begun early leaves all room to the others."""
    batches, room = Batches(), Semaphore(3)

    def begin(name: str) -> Begun[str] | None:
        if name == "c":
            raise KeyboardInterrupt
        return batches.begin(name)

    with (
        pytest.raises(KeyboardInterrupt),
        closing(begin_ahead(room, "abcd", begin)) as begun,
    ):
        next(begun)
    assert [one.cancelled() for one in batches.futures.values()] == [True, True]
    assert free(room) == 3


def test_results_are_given_once_and_not_kept() -> None:
    """A batch's bytes are let go of when they are packed, not when the next batch is asked for."""
    begun: Begun[str] = Begun(go_on, [Future(), Future()])
    for number, future in enumerate(begun.futures):
        future.set_result(f"piece {number}")
    assert begun.results() == ["piece 0", "piece 1"]
    assert begun.futures == []


def test_a_wrong_set_up_is_the_reason_even_if_a_budget_is_spent(tmp_path: Path) -> None:
    """Who reads that a month's budget is spent waits for weeks for what no month will change."""
    ledger = Ledger(open_store(str(tmp_path)), 400, lambda: datetime(2025, 1, 1, tzinfo=UTC))
    wrong = SetupError("Earth Engine", "band B99 is not there.")
    mine = services(memory_store(), load_catalogue(SHIPPED), World(1))
    limits: Any = SimpleNamespace(ledger=ledger, close=ledger.close)

    mine.limits = limits

    def work(_item: int) -> None:
        for _ in range(200):
            ledger.spend()
        raise wrong

    with mine.pixel_pool, pytest.raises(SetupError) as caught:
        mine.in_order(mine.pixel_pool, work, [1, 2])
    assert caught.value is wrong
    with pytest.raises(BudgetSpent):
        mine.keep_going()


def test_a_stopped_run_is_the_reason_before_what_its_threads_say() -> None:
    """Of a connection that was cut because the run was stopped nothing is told."""

    class Stopped(Exception):  # noqa: N818
        pass

    def stop() -> None:
        raise Stopped

    begun: Begun[str] = Begun(stop, [Future(), Future()])
    cut, waiting = begun.futures
    cut.set_exception(OSError("cut"))
    with pytest.raises(Stopped):
        begun.results()
    assert waiting.cancelled()
