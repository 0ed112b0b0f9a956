"""The files of a place: pictures, time-major stacks and lists of products; same pixels, same bytes.

A stack of (dates, bands, rows, columns) becomes a GeoTIFF of dates × bands, date after date: read
and reshaped to the number of dates, it is the stack again.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.geo import ChipGrid

TILE_PX: Final = 64
"""Width and height of a tile in a GeoTIFF, pixels; multiples of 16 are allowed."""

_MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}


def write_stack(data: NDArray[Any], grid: ChipGrid, names: Sequence[str]) -> bytes:
    """Writes a stack as a GeoTIFF, ZSTD with differencing, each band named in its description.

    Args:
        data: (dates, bands, rows, columns).
        grid: Its pixels.
        names: Of every band of every date, in the order of the file.

    Raises:
        ValueError: If the pixels do not fit the grid or the names.
    """
    layers = data.reshape(-1, *data.shape[2:])
    if layers.shape != (len(names), grid.size_px, grid.size_px):
        raise ValueError(f"{data.shape} pixels do not fit {len(names)} names and {grid}")
    floating = layers.dtype.kind == "f"
    profile = {
        "driver": "GTiff", "dtype": layers.dtype.name, "count": len(layers),
        "height": grid.size_px, "width": grid.size_px, "crs": grid.crs,
        "transform": Affine(*grid.transform), "nodata": float("nan") if floating else None,
        "interleave": "band", "compress": "zstd", "zstd_level": 2,
        "predictor": 3 if floating else 2,
    }  # fmt: skip
    if grid.size_px >= TILE_PX:
        profile |= {"tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX}
    with MemoryFile() as file:
        with file.open(**profile) as target:
            target.write(layers)
            target.descriptions = tuple(names)
        return bytes(file.getbuffer())


def write_picture(data: NDArray[Any]) -> bytes:
    """Writes a picture of one, three or four bands of 8 bits as a PNG; the fourth lies in alpha.

    Args:
        data: (bands, rows, columns).

    Raises:
        ValueError: If it is anything else.
    """
    mode = _MODES.get(len(data))
    if mode is None or data.dtype != np.uint8:
        raise ValueError(f"{len(data)} bands of {data.dtype} are no PNG; let `file` end in .tif")
    pixels = np.ascontiguousarray(data[0] if mode == "L" else data.transpose(1, 2, 0))
    sink = BytesIO()
    Image.fromarray(pixels, mode).save(sink, "PNG")
    return sink.getvalue()


def write_lines(lines: Sequence[str]) -> bytes:
    """Writes a text of one line each."""
    return "".join(f"{line}\n" for line in lines).encode()
