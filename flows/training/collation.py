"""Batches of chips that have different numbers of photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.training.chip_dataset import Item

STACKED: Final = ("image", "mask", "transform", "bounds")
"""Keys whose tensors get a first axis of chips."""

JOINED: Final = (
    "photos", "points", "delta_days", "distance_m", "uncertainty_px", "photo_id", "taken_at",
    "title", "tags", "licence", "attribution", "page_url", "split",
)  # fmt: skip
"""Keys that hold something for each photo: one after the other, for all chips."""


def collate_chips(items: Sequence[Item]) -> Item:
    """Joins items of `ChipDataset` to a batch of b chips with n photos in all.

    Chips are stacked: `image` (b, bands, rows, columns), `mask` (b, rows, columns), `transform` and
    `bounds` (b, 9). Photos of all chips follow one another: `photos` (n, 3, rows, columns), or a
    list of n tensors where their shapes differ; `points` (n, 2), and the others likewise; texts are
    lists of n. `chip_index` (n,), int64, says for each photo which chip of the batch it is of,
    as a loss with several positives for a chip needs it. All other keys are lists of b.

    Args:
        items: One or more, with the same keys; their chips have the same shape.

    Raises:
        ValueError: If chips do not fit together, such as those of two sensors.
    """
    shapes = {(tuple(one["image"].shape), "mask" in one) for one in items}
    if len(shapes) != 1:
        raise ValueError(
            f"chips of different shapes are no batch: {sorted(shapes)}; open the samples of one"
            " sensor, or name the bands that all have"
        )
    batch: Item = {}
    for key in items[0]:
        values = [one[key] for one in items]
        if key in STACKED:
            batch[key] = _stacked(values)
        elif key in JOINED:
            batch[key] = _joined(values)
        else:
            batch[key] = values
    counts = [len(one["points"]) for one in items]
    # By NumPy: PyTorch's own wakes the threads of other cores for these few numbers.
    batch["chip_index"] = torch.from_numpy(np.repeat(np.arange(len(items)), counts))
    return batch


def _stacked(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Returns tensors stacked; those that lie side by side in memory already are not copied."""
    first = values[0]
    step = first.numel()
    held = first.untyped_storage()
    begin, size = first.data_ptr(), first.nbytes
    lie = begin + len(values) * size <= held.data_ptr() + held.nbytes() and all(
        one.data_ptr() == begin + number * size and one.is_contiguous()
        for number, one in enumerate(values)
    )
    if not lie:
        return torch.stack(list(values))
    return first.as_strided((len(values), *first.shape), (step, *first.stride()))


def _joined(values: Sequence[object]) -> object:
    """Returns tensors joined along the first axis if their other axes agree, else a list."""
    tensors = [one for one in values if isinstance(one, torch.Tensor)]
    if len(tensors) == len(values) and len({one.shape[1:] for one in tensors}) == 1:
        return torch.cat(tensors)
    return [part for one in values for part in one]  # type: ignore[attr-defined]
