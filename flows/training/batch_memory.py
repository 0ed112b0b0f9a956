"""Memory for the images of batches, written again when nobody holds what was there."""

from __future__ import annotations

import math
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_KEPT: Final = 6
"""Pieces of memory that are kept: images and masks of the batch in use, of the one that is ready,
and of the one that is being read."""

_LARGER: Final = 4
"""How many times as large a piece may be as what lies in it: the last batch of a round has fewer
chips, and shall neither need memory of its own nor take what was for many more."""


def _references(pieces: Sequence[NDArray[np.uint8]], at: int) -> int:
    return sys.getrefcount(pieces[at])


_FREE: Final = _references([np.empty(1, np.uint8)], 0)
"""References to a piece that nobody but the list holds, counted in the same way: how many of its
own Python adds differs from version to version."""


class BatchMemory:
    """Gives out tensors, and takes their memory back when they are gone.

    A batch of Sentinel-2 is 80 MB. Given back to the kernel and asked for anew, it has to be
    cleared, page by page, each time: as much work as decompressing half of it.
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self._pieces: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return (BatchMemory, ())

    def empty(self, shape: Sequence[int], kind: torch.dtype) -> torch.Tensor:
        """Returns a tensor whose values are still to be written.

        The memory comes from NumPy, which asks the kernel for huge pages where there are 4 MB or
        more (its documentation, `NUMPY_MADVISE_HUGEPAGE`); PyTorch does not. A tensor made of it,
        and whatever shares its memory, holds a reference to it.

        Args:
            shape: Its shape.
            kind: Its type.
        """
        size = math.prod(shape) * kind.itemsize
        piece: Any = self._piece(size)[:size]
        return torch.from_numpy(piece).view(kind).reshape(*shape)

    def _piece(self, size: int) -> NDArray[np.uint8]:
        """Returns a free piece of at least this size, and not a much larger one."""
        with self._lock:
            fitting = [
                at for at in range(len(self._pieces))
                if size <= self._pieces[at].nbytes <= _LARGER * size
                and _references(self._pieces, at) == _FREE
            ]  # fmt: skip
            if fitting:
                return self._pieces[min(fitting, key=lambda at: self._pieces[at].nbytes)]
            made = np.empty(size, np.uint8)
            self._pieces = [*self._pieces, made][-_KEPT:]
            return made
