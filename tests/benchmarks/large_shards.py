"""Shards for `large_dataset`: a few real ones, under as many names as rows need."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from collectors.chip_files import encode_chip
from collectors.chips import ChipPixels
from collectors.geo import ChipGrid
from collectors.shards import pack
from tests.benchmarks.large_tables import IN_SHARD, MARKS, Template

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_DISTINCT: Final = 4
"""Chips that differ; a shard repeats them."""

_FOLDER: Final = "templates"
_BANDS: Final = {"sentinel2": 12, "naip": 4}
_GRID: Final = ChipGrid("EPSG:32610", 550_000.0, 4_182_240.0, 10.0, 448)


def write_templates(root: Path) -> dict[str, Template]:
    """Writes a shard of photos and one of chips for each sensor; gives where their members lie."""
    (root / _FOLDER).mkdir()
    found = {}
    for kind, count in IN_SHARD.items():
        if kind == "photos":
            members = [(f"{number}.jpg", _photo(number)) for number in range(count)]
        else:
            files = [_chip(kind, number) for number in range(_DISTINCT)]
            members = [(f"{number}.tif", files[number % _DISTINCT]) for number in range(count)]
        packed = pack(members, [])
        (root / _FOLDER / MARKS[kind]).write_bytes(packed.data)
        places = packed.places.values()
        found[kind] = Template(
            np.array([one.offset for one in places]), np.array([one.size for one in places])
        )
    return found


def link_shards(root: Path, paths: Iterable[str]) -> None:
    """Gives the shards all the names that rows have."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        mark = path.rsplit("/", 1)[1][0]
        os.link(root / _FOLDER / mark, root / path)


def remove_templates(root: Path) -> None:
    """Removes the names that no row has; the bytes stay."""
    shutil.rmtree(root / _FOLDER)


def _plane(number: int, side: int) -> NDArray[np.float64]:
    """Returns a smooth picture with some grain, 0 to 1, of shape (side, side)."""
    chance = np.random.default_rng(number)
    coarse = Image.fromarray(chance.random((12, 12)).astype(np.float32))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=float)
    return np.clip(smooth + chance.normal(0, 0.02, (side, side)), 0, 1)


def _photo(number: int) -> bytes:
    planes = np.stack([_plane(3 * number + band, 336) for band in range(3)], axis=2)
    file = io.BytesIO()
    Image.fromarray((255 * planes).astype(np.uint8)).resize((504, 336)).save(file, "JPEG")
    return file.getvalue()


def _chip(sensor: str, number: int) -> bytes:
    count = _BANDS[sensor]
    planes = np.stack([_plane(100 * number + band, 448) for band in range(count)])
    names = tuple(f"B{band}" for band in range(count))
    if sensor == "naip":
        return encode_chip(
            ChipPixels.of(names, (1 + 250 * planes).astype(np.uint8), None), _GRID, tags={}
        )
    scene = np.full((448, 448), 4, np.uint8)
    pixels = ChipPixels.of(names, (1 + 4000 * planes).astype(np.uint16), scene)
    return encode_chip(pixels, _GRID, tags={})
