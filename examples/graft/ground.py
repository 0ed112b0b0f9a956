"""Chips and photos of one split as tensors, small enough to lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

from collectors.records import SCL_BAND, SCORE_BAND
from examples.graft.encoders import SHRINK
from flows.samples.decoding import read_chip, read_photo
from flows.samples.members import read_members
from flows.samples.opening import open_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from filters.splits import Split

PHOTO_PX: Final = (48, 36)
"""Width and height that every photo is brought to: colours and shapes, not detail."""

_REFLECTANCE: Final = {"uint16": 10_000.0, "uint8": 255.0}
"""What 1.0 is stored as: Sentinel-2 surface reflectance, aerial digital numbers."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Chips with their photos.

    Attributes:
        chips: (N, bands, rows, columns), reflectance, each value the mean of `SHRINK` by `SHRINK`
            pixels.
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
    store = samples.open_store()
    chips, photos, points, chip_of_photo, cells = [], [], [], [], []
    for number, sample in enumerate(samples):
        chip, *pictures = read_members(store, sample.places)
        keep = [at for at, band in enumerate(sample.chip.bands or ()) if band not in _QUALITY]
        chips.append(_shrink(read_chip(chip)[keep]))
        cells.append(sample.chip.cell)
        for one, picture in zip(sample.photos, pictures, strict=True):
            photos.append(_small(read_photo(picture)))
            points.append((one.pair.row, one.pair.col))
            chip_of_photo.append(number)
    return Ground(
        chips=torch.from_numpy(np.stack(chips)),
        photos=torch.from_numpy(np.stack(photos)),
        points=torch.tensor(points),
        chip_of_photo=torch.tensor(chip_of_photo),
        cell_of_chip=tuple(cells),
    )


_QUALITY: Final = frozenset({SCL_BAND, SCORE_BAND})


def _shrink(chip: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.float32]:
    bands, rows, columns = chip.shape
    blocks = chip.reshape(bands, rows // SHRINK, SHRINK, columns // SHRINK, SHRINK)
    mean: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32)
    return mean / np.float32(_REFLECTANCE[chip.dtype.name])


def _small(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = Image.fromarray(photo).resize(PHOTO_PX, Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / np.float32(255.0)
