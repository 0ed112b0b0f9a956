"""Chips as Cloud Optimized GeoTIFFs that carry, in their tags, what they are and whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rasterio.shutil
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from collectors.records import SCL_BAND, SCORE_BAND

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK_PX: Final = 224
"""Width and height of a tile: a quarter of a chip of 448 px. GeoTIFF asks for multiples of 16."""

_CREATION: Final = {
    "driver": "COG", "blocksize": BLOCK_PX, "compress": "deflate", "level": 6, "predictor": "yes",
    "bigtiff": "no",
}  # fmt: skip
"""DEFLATE is what every GIS reads; ZSTD, which the shards have, needs a libtiff built with it."""

_CLASSES: Final = frozenset({SCL_BAND, SCORE_BAND})
"""Bands of classes or scores: their overviews take a pixel, not a mean that no class stands for."""

_INTERPRETATIONS: Final = {
    **dict.fromkeys(("B4", "R"), ColorInterp.red),
    **dict.fromkeys(("B3", "G"), ColorInterp.green),
    **dict.fromkeys(("B2", "B"), ColorInterp.blue),
}


def cloud_optimized(
    data: bytes, tags: Mapping[str, str], *, scale: float | None = None, unit: str = ""
) -> bytes:
    """Writes a chip's file as a Cloud Optimized GeoTIFF with overviews; the pixels are the same.

    Overviews average, but where a band holds classes: then they take the nearest pixel in all
    bands, for one file has one way.

    Args:
        data: The chip's GeoTIFF.
        tags: Text to keep in the file, besides the tags that it has.
        scale: What a number of a measured band is multiplied by; None if it is plain brightness.
        unit: What it is then.

    Raises:
        rasterio.errors.RasterioIOError: If it is not an image file.
    """
    with MemoryFile(data) as file, file.open() as source, MemoryFile() as between:
        names = source.descriptions
        profile = source.profile | {"driver": "GTiff", "compress": "none", "interleave": "band"}
        for word in ("predictor", "zstd_level"):
            profile.pop(word, None)
        with between.open(**profile) as target:
            target.write(source.read())
            target.descriptions = names
            measured = [name not in _CLASSES for name in names]
            if scale is not None:
                target.scales = tuple(scale if one else 1.0 for one in measured)
                target.units = tuple(unit if one else "" for one in measured)
            target.colorinterp = _interpretations(names)
            kept = source.tags() | dict(tags)
            target.update_tags(**{name: kept[name] for name in sorted(kept)})
        with between.open() as whole, MemoryFile() as optimized:
            rasterio.shutil.copy(
                whole, optimized.name,
                overview_resampling="average" if all(measured) else "nearest", **_CREATION,
            )  # fmt: skip
            return bytes(optimized.getbuffer())


def _interpretations(names: tuple[str, ...]) -> list[ColorInterp]:
    """Returns what each band is to a viewer: red, green, blue, or grey for the others."""
    return [_INTERPRETATIONS.get(name, ColorInterp.gray) for name in names]
