"""Chips as Cloud Optimized GeoTIFFs that carry, in their tags, what they are and whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rasterio.shutil
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from collectors.sensors import QUALITY_BANDS
from flows.description.bands import TRUE_COLOUR

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

BLOCK_PX: Final = 224
"""Width and height of a tile: a quarter of a chip of 448 px. GeoTIFF asks for multiples of 16."""

_CREATION: Final = {
    "driver": "COG", "blocksize": BLOCK_PX, "compress": "deflate", "level": 6, "predictor": "yes",
    "bigtiff": "no",
}  # fmt: skip
"""DEFLATE is what every GIS reads; ZSTD, which the shards have, needs a libtiff built with it."""

_INTERPRETATIONS: Final = {
    **dict.fromkeys((red for red, _, _ in TRUE_COLOUR), ColorInterp.red),
    **dict.fromkeys((green for _, green, _ in TRUE_COLOUR), ColorInterp.green),
    **dict.fromkeys((blue for _, _, blue in TRUE_COLOUR), ColorInterp.blue),
}


def cloud_optimized(
    data: bytes,
    tags: Mapping[str, str],
    *,
    scale: float | None = None,
    offset: float = 0,
    unit: str = "",
    unscaled: Container[str] = QUALITY_BANDS,
) -> bytes:
    """Writes a chip's file as a Cloud Optimized GeoTIFF with overviews; the pixels are the same.

    Overviews average, but where a band holds classes, scores or bits, whose mean none of them
    stands for: then they take the nearest pixel in all bands, for one file has one way.

    Args:
        data: The chip's GeoTIFF.
        tags: Text to keep in the file, besides the tags that it has.
        scale: What a number of a measured band is multiplied by; None if it is plain brightness.
        offset: What is added to it then.
        unit: What it is then.
        unscaled: Bands that this is not true of.

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
            if scale is not None:
                scaled = [name not in unscaled for name in names]
                target.scales = tuple(scale if one else 1.0 for one in scaled)
                if offset:
                    target.offsets = tuple(offset if one else 0.0 for one in scaled)
                target.units = tuple(unit if one else "" for one in scaled)
            target.colorinterp = _interpretations(names)
            kept = source.tags() | dict(tags)
            target.update_tags(**{name: kept[name] for name in sorted(kept)})
        with between.open() as whole, MemoryFile() as optimized:
            rasterio.shutil.copy(
                whole, optimized.name,
                overview_resampling="nearest" if QUALITY_BANDS & set(names) else "average",
                **_CREATION,
            )  # fmt: skip
            return bytes(optimized.getbuffer())


def _interpretations(names: tuple[str, ...]) -> list[ColorInterp]:
    """Returns what each band is to a viewer: red, green, blue, or grey for the others."""
    return [_INTERPRETATIONS.get(name, ColorInterp.gray) for name in names]
