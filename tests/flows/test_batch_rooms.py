"""Where the images and masks of a batch are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from flows.training.batch_memory import BatchMemory
from flows.training.batch_rooms import BatchRooms
from tests.flows.product_rows import chip

WIDE = replace(chip("a", "r118c055", 0), sensor="sentinel2", bands=("B4", "SCL"), width=8, height=8)
AERIAL = replace(WIDE, sensor="naip", bands=("R", "G"))
THERMAL = replace(WIDE, sensor="landsat89", bands=("SR_B4", "QA_PIXEL"))


@pytest.mark.parametrize(
    ("row", "dtype", "image", "mask"),
    [(WIDE, None, torch.uint16, torch.uint8), (WIDE, torch.float32, torch.float32, torch.int64),
     (AERIAL, None, torch.uint8, None), (AERIAL, torch.float16, torch.float16, None),
     (THERMAL, torch.float32, torch.float32, torch.int64)],
)  # fmt: skip
def test_rooms_of_a_batch_lie_side_by_side(row, dtype, image, mask) -> None:
    """One memory for all images, and one for all masks, where there are any."""
    rooms = BatchRooms(BatchMemory(), 3, dtype)
    found = [rooms.room(place, row, 1) for place in (1, 0, 2)]
    images = [one for one, _ in found]
    assert {(tuple(one.shape), one.dtype) for one in images} == {((1, 8, 8), image)}
    begin, size = images[1].data_ptr(), images[1].nbytes
    assert [one.data_ptr() - begin for one in images] == [size, 0, 2 * size]
    masks = [one for _, one in found]
    if mask is None:
        assert masks == [None] * 3
    else:
        assert {(tuple(one.shape), one.dtype) for one in masks} == {((8, 8), mask)}
        assert len({one.data_ptr() for one in masks}) == 3


@pytest.mark.parametrize(
    "other", [AERIAL, replace(WIDE, width=9), replace(WIDE, bands=("B4",)), THERMAL]
)
def test_chips_unlike_the_first_have_no_room(other) -> None:
    """They get tensors of their own; the others' rooms stay."""
    rooms = BatchRooms(BatchMemory(), 2, None)
    first, _ = rooms.room(0, WIDE, 1)
    assert first is not None
    assert rooms.room(1, other, 1) == (None, None)
    again, mask = rooms.room(1, WIDE, 1)
    assert again is not None
    assert mask is not None


def test_a_sensor_of_a_type_not_known_has_no_room() -> None:
    """Unless the type is asked for."""
    assert BatchRooms(BatchMemory(), 1, None).room(0, THERMAL, 1) == (None, None)
