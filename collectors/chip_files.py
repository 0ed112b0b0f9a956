"""Chips as GeoTIFF files: the same pixels always give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from collectors.chips import ChipPixels, holds_data
from collectors.sensors import QA_PIXEL_BAND, QUALITY_BANDS, SCL_BAND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.geo import ChipGrid

TILE_PX: Final = 224
"""Width and height of a tile: a quarter of a chip of 448 px. GeoTIFF asks for multiples of 16."""

COMPRESSION_LEVEL: Final = 2
"""ZSTD's: 6 takes three times as long and saves 1 to 3 % (docs/decisions/0017)."""

ZERO_IS_MISSING: Final = frozenset({SCL_BAND, QA_PIXEL_BAND})
"""Quality bands of chips in which 0 stands for no data in every band."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedChip:
    """What a chip's file holds.

    Attributes:
        bands: Names of all bands in file order, the quality band last where there is one.
        data: (bands, rows, columns).
        crs: `EPSG:…`.
        transform: (a, b, c, d, e, f) in rasterio's order, metres.
        tags: The tags given when it was made.
    """

    bands: tuple[str, ...]
    data: NDArray[np.uint8] | NDArray[np.uint16]
    crs: str
    transform: tuple[float, float, float, float, float, float]
    tags: Mapping[str, str]

    @property
    def pixels(self) -> ChipPixels:
        """The chip as it was before it was written, with the quality band apart."""
        *bands, last = self.bands
        if last not in QUALITY_BANDS:
            return ChipPixels.of(self.bands, self.data, None)
        quality = self.data[-1] if last == QA_PIXEL_BAND else self.data[-1].astype(np.uint8)
        return ChipPixels.of(tuple(bands), self.data[:-1], quality, last)


def encode_chip(pixels: ChipPixels, grid: ChipGrid, *, tags: Mapping[str, str]) -> bytes:
    """Writes a chip as a GeoTIFF: tiled, ZSTD with differencing, bands named in their descriptions.

    Where there is a quality band it is the last one, brought to the type of the others. With a
    scene classification 0 is declared as no data: Earth Engine encodes masked pixels as zeros; and
    with Landsat's pixel quality, for no reflectance that it stores is 0. Without either, 0 can be
    a real value of a single band, so nothing is declared.

    Args:
        pixels: The pixels.
        grid: Their grid.
        tags: Text to keep in the file. It is part of the bytes.

    Raises:
        ValueError: If the pixels do not fit the grid.
    """
    layers = pixels.data
    names = pixels.bands
    if pixels.quality is not None and pixels.quality_band is not None:
        layers = np.concatenate([layers, pixels.quality[None].astype(layers.dtype)])
        names = (*names, pixels.quality_band)
    if layers.shape != (len(names), grid.size_px, grid.size_px):
        raise ValueError(
            f"{layers.shape} pixels do not fit {len(names)} bands of {grid.size_px} px squared"
        )
    profile = {
        "driver": "GTiff", "dtype": layers.dtype.name, "count": len(names),
        "height": grid.size_px, "width": grid.size_px,
        "crs": grid.crs, "transform": Affine(*grid.transform),
        "nodata": 0 if pixels.quality_band in ZERO_IS_MISSING else None,
        "tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX, "interleave": "band",
        "compress": "zstd", "predictor": 2, "zstd_level": COMPRESSION_LEVEL,
    }  # fmt: skip
    with MemoryFile() as file:
        with file.open(**profile) as target:
            target.write(layers)
            target.descriptions = names
            target.update_tags(**{name: tags[name] for name in sorted(tags)})
        return bytes(file.getbuffer())


def decode_chip(data: bytes) -> DecodedChip:
    """Reads what `encode_chip` wrote.

    Raises:
        rasterio.errors.RasterioIOError: If it is not an image file.
        ValueError: If the image has no CRS of its own EPSG code or its bands have no names.
    """
    with MemoryFile(data) as file, file.open() as source:
        code = source.crs.to_epsg() if source.crs else None
        names = source.descriptions
        if code is None or not all(names):
            raise ValueError(f"not the file of a chip: CRS {source.crs}, bands {names}")
        tags = {name: text for name, text in source.tags().items() if name != "AREA_OR_POINT"}
        return DecodedChip(
            bands=tuple(names),
            data=source.read(),
            crs=f"EPSG:{code}",
            transform=tuple(source.transform)[:6],
            tags=tags,
        )


def decode_bands(
    data: bytes, names: Sequence[str]
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], NDArray[np.bool_]]:
    """Reads some bands of what `encode_chip` wrote; the others are not decompressed.

    Args:
        data: The file.
        names: Bands that it has, such as `("B4", "B3", "B2")`.

    Returns:
        The bands, (bands, rows, columns), and where they hold data, (rows, columns): where the
        scene classification is not 0, or, without one, where any of these bands is not 0 (and
        Landsat's pixel quality does not say fill).

    Raises:
        rasterio.errors.RasterioIOError: If it is not an image file.
        ValueError: If it has no band of such a name.
    """
    with MemoryFile(data) as file, file.open() as source:
        places = {name: number for number, name in enumerate(source.descriptions, start=1)}
        unknown = [name for name in names if name not in places]
        if unknown:
            raise ValueError(f"the chip has no bands {unknown}; it has {list(places)}")
        found = source.read([places[name] for name in names])
        last = next((name for name in sorted(ZERO_IS_MISSING) if name in places), None)
        quality = None if last is None else source.read(places[last])
        return found, holds_data(found, quality, last)
