"""Memory of batches that is written again, and never while somebody holds it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flows.training.batch_memory import BatchMemory

SHAPE = (3, 2, 8, 8)


def test_what_nobody_holds_is_written_again() -> None:
    """The next tensor of the same size, of whatever shape and type, lies in the same place."""
    memory = BatchMemory()
    first = memory.empty(SHAPE, torch.float32)
    place = first.data_ptr()
    assert first.shape == SHAPE
    assert first.dtype == torch.float32
    del first
    second = memory.empty((2, 3, 64), torch.int32)
    assert second.data_ptr() == place
    assert (second.shape, second.dtype) == ((2, 3, 64), torch.int32)


@pytest.mark.parametrize(
    "hold",
    [lambda whole: whole, lambda whole: whole[1], lambda whole: whole.view(-1)[5:9],
     lambda whole: whole.numpy(), lambda whole: whole[0].numpy()[0], torch.Tensor.detach,
     torch.Tensor.untyped_storage, list],
)  # fmt: skip
def test_what_is_held_in_any_way_stays(hold) -> None:
    """A part, a view, an array of it, or its storage alone keep it."""
    memory = BatchMemory()
    held = hold(memory.empty(SHAPE, torch.float32))
    other = memory.empty(SHAPE, torch.float32)
    third = memory.empty(SHAPE, torch.float32)
    assert len({other.data_ptr(), third.data_ptr()}) == 2
    place = other.data_ptr()
    del other
    assert memory.empty(SHAPE, torch.float32).data_ptr() == place
    del held


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=30))
def test_tensors_that_live_never_share(taken: list[tuple[int, int]]) -> None:
    """Whatever is asked for and let go, those that live hold what was written into them."""
    memory = BatchMemory()
    living: list[tuple[torch.Tensor, int]] = []
    for number, (size, gone) in enumerate(taken):
        tensor = memory.empty((size, 4), torch.int64).fill_(number)
        living.append((tensor, number))
        del tensor
        if gone < len(living):
            living.pop(gone)
        assert all(bool((one == value).all()) for one, value in living)
