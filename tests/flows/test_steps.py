"""What was decided on the way, when several decide at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.storage import Store
from flows.cells.steps import Steps
from tests.flows.made_up_services import memory_store

if TYPE_CHECKING:
    import pytest


def test_who_comes_second_goes_on_with_what_the_first_decided() -> None:
    """Also if the first decided while the second was at it."""
    store = memory_store()
    first, second = (Steps.of(store, "r001c001", 1, "order") for _ in range(2))

    def late() -> int:
        first.remember("begin", int, lambda: 1)
        return 2

    assert second.remember("begin", int, late) == 1


def test_a_decision_that_was_tidied_up_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is done with the cell between the second's write and its look at what is there."""
    store = memory_store()
    steps = Steps.of(store, "r001c001", 1, "order")
    create = Store.create

    def taken(self: Store, path: str, data: bytes) -> bool:
        monkeypatch.setattr(Store, "create", create)
        return False

    monkeypatch.setattr(Store, "create", taken)
    assert steps.remember("begin", int, lambda: 2) == 2
    assert steps.remember("begin", int, lambda: 3) == 2
