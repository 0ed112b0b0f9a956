"""What the rows of a chip and its photos say, as tensors and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from flows.products.rows import ChipRow
    from flows.samples.samples import Sample


def of_pairs(sample: Sample) -> dict[str, Any]:
    """Returns what the rows say of the photos of a chip, in their order."""
    pairs = [one.pair for one in sample.photos]
    photos = [one.photo for one in sample.photos]
    return {
        "points": _tensor([[one.row, one.col] for one in pairs], np.float64),
        "delta_days": _tensor([one.delta_days for one in pairs], np.int64),
        "distance_m": _tensor([one.distance_m for one in pairs], np.float64),
        "uncertainty_px": _tensor([one.uncertainty_px for one in pairs], np.float64),
        "photo_id": [one.photo_id for one in photos],
        "taken_at": [one.taken_at_utc.isoformat() for one in photos],
        "title": [one.title for one in photos], "tags": [one.tags for one in photos],
        "licence": [one.licence for one in photos],
        "attribution": [one.attribution for one in photos],
        "page_url": [one.page_url for one in photos],
        "split": [one.split for one in pairs],
    }  # fmt: skip


def transform_of(chip: ChipRow) -> torch.Tensor:
    """Returns a chip's transform, 9 numbers, float64, in metres of its CRS."""
    return _tensor([*chip.transform, 0.0, 0.0, 1.0], np.float64)


def bounds_of(chip: ChipRow) -> torch.Tensor:
    """Returns a chip's bounds as TorchGeo has them; see `ChipDataset`."""
    a, _, west, _, e, north = chip.transform
    seen = chip.acquired_at.timestamp() if chip.acquired_at else 0.0
    return _tensor(
        [west, west + a * chip.width, a, north + e * chip.height, north, -e, seen, seen, 1.0],
        np.float64,
    )


def _tensor(values: list[Any], kind: type[np.number[Any]]) -> torch.Tensor:
    """Returns numbers as a tensor; by way of NumPy, which takes a third of the time."""
    return torch.from_numpy(np.array(values, kind))
