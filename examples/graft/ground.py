"""Chips and photos of one split as tensors, small enough to lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d
from torch.utils.data import DataLoader

from collectors.transport import SetupError
from examples.graft.encoders import SHRINK
from flows.samples.opening import open_samples
from flows.training.chip_dataset import ChipDataset
from flows.training.collation import collate_chips

if TYPE_CHECKING:
    from torch import Tensor

    from filters.splits import Split
    from flows.training.chip_dataset import Item

PHOTO_PX: Final = (36, 48)
"""Rows and columns that every photo is brought to: colours and shapes, not detail."""

CHIPS_AT_ONCE: Final = 16

_STORED: Final = {"sentinel2": 10_000.0, "sentinel2-l1c": 10_000.0, "naip": 255.0}
"""What a reflectance of 1 is stored as, and the brightest of an aerial flight."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Chips with their photos.

    Attributes:
        chips: (N, bands, rows, columns), 0 to about 1, each value the mean of `SHRINK` by
            `SHRINK` pixels.
        photos: (P, 3, rows, columns), red, green and blue from 0 to 1.
        points: (row, col) of each photo in pixels of the whole chip, (P, 2); (0, 0) is the outer
            corner of its top left pixel.
        chip_of_photo: Place in `chips` of each photo's chip, (P,).
        cell_of_chip: Name of the cell that each chip lies in.
    """

    chips: Tensor
    photos: Tensor
    points: Tensor
    chip_of_photo: Tensor
    cell_of_chip: tuple[str, ...]


def read_ground(root: str, split: Split, sensor: str, version: str | None = None) -> Ground:
    """Reads all samples of a split.

    Args:
        root: The dataset: a local path, `s3://…` or `gs://…`.
        split: Which pairs.
        sensor: Of the chips, such as `sentinel2`.
        version: The newest by default.

    Raises:
        SetupError: If there is no such version, or it has no samples of this split and sensor.
    """
    samples = open_samples(root, version, split=split, sensor=sensor)
    if not len(samples):
        raise SetupError(
            root, f"{samples.version} has no samples of {sensor} in {split}.",
            "Take a dataset of more cells, or other shares under `splits` in its catalogue.",
        )  # fmt: skip
    dataset = ChipDataset(samples, photo_transform=_make_small, transforms=_shrink_chip)
    # All of it is kept, so it is read once; what does not fit in memory is read anew each epoch.
    batches = list(DataLoader(dataset, CHIPS_AT_ONCE, collate_fn=collate_chips))
    before = torch.tensor([0, *(len(batch["image"]) for batch in batches[:-1])]).cumsum(0)
    return Ground(
        chips=torch.cat([batch["image"] for batch in batches]),
        photos=torch.cat([batch["photos"] for batch in batches]),
        points=torch.cat([batch["points"] for batch in batches]),
        chip_of_photo=torch.cat(
            [batch["chip_index"] + first for batch, first in zip(batches, before, strict=True)]
        ),
        cell_of_chip=tuple(cell for batch in batches for cell in batch["cell"]),
    )


def _shrink_chip(item: Item) -> Item:
    stored = _STORED[item["sensor"]]
    return item | {"image": avg_pool2d(item["image"] / stored, SHRINK)}


def _make_small(photo: Tensor) -> Tensor:
    return adaptive_avg_pool2d(photo / 255.0, PHOTO_PX)
