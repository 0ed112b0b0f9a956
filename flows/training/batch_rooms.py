"""Where the images and masks of one batch are written: side by side, so that none is copied."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import torch

from collectors.sensors import QA_PIXEL_BAND, SCL_BAND

if TYPE_CHECKING:
    from flows.products.rows import ChipRow
    from flows.training.batch_memory import BatchMemory

CLASSES: Final = (SCL_BAND, QA_PIXEL_BAND)
"""Bands that become `mask`; a chip has one of them, or none."""

_KINDS: Final = {"sentinel2": torch.uint16, "naip": torch.uint8}
"""Types of the sensors' pixels; an image of another sensor gets its own tensor."""

Room = tuple[torch.Tensor | None, torch.Tensor | None]
"""Where an image and a mask are to be written; None where they need tensors of their own."""


class BatchRooms:
    """The memory of one batch, shaped as the first of its chips that asks.

    Chips of another shape or type, with which there is no batch anyway, have none.
    """

    def __init__(self, memory: BatchMemory, count: int, dtype: torch.dtype | None) -> None:
        """Takes where the memory comes from.

        Args:
            memory: Gives it.
            count: Chips of the batch.
            dtype: Type of the images; None for the chips' own.
        """
        self._memory, self._count, self._dtype = memory, count, dtype
        self._lock = threading.Lock()
        self._shape: tuple[object, ...] | None = None
        self._images: torch.Tensor | None = None
        self._masks: torch.Tensor | None = None

    def room(self, place: int, chip: ChipRow, bands: int) -> Room:
        """Returns where a chip's image and mask are to be written.

        Args:
            place: The chip's place in the batch.
            chip: The chip.
            bands: Bands of its image.
        """
        kind = _KINDS.get(chip.sensor) if self._dtype is None else self._dtype
        if kind is None:
            return None, None
        classes, square = mask_kind(chip, self._dtype), (chip.height, chip.width)
        shape = (bands, *square, kind, classes)
        with self._lock:
            if self._shape is None:
                self._shape = shape
                self._images = self._memory.empty((self._count, bands, *square), kind)
                if classes is not None:
                    self._masks = self._memory.empty((self._count, *square), classes)
        if shape != self._shape or self._images is None:
            return None, None
        return self._images[place], None if self._masks is None else self._masks[place]


def mask_kind(chip: ChipRow, dtype: torch.dtype | None) -> torch.dtype | None:
    """Returns the type of a chip's mask: its own, or what losses take as classes; None for none.

    Args:
        chip: The chip.
        dtype: Type of the image; None for the chip's own.
    """
    if not any(one in chip.bands for one in CLASSES):
        return None
    if dtype is not None:
        return torch.int64
    return torch.uint16 if QA_PIXEL_BAND in chip.bands else torch.uint8
