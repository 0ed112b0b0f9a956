"""Answers requests for pixels: the grid that is asked for, the limits, the file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.bands import PixelReader
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.functions_images import select_bands
from collectors.sandbox.geometry import UnknownCrsError, working_crs
from collectors.sandbox.pixels import PixelGrid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.values import Image

MAX_PIXEL_BYTES: Final = 50_331_648
"""Largest uncompressed answer (Earth Engine's guide to data extraction: 48 MB)."""

MAX_SIDE: Final = 32_768
"""Longest side of a request, pixels (the same guide)."""

MAX_BANDS: Final = 1_024
"""Most bands of a request (the same guide)."""

MEDIA_TYPES: Final = {"NPY": "application/octet-stream", "GEO_TIFF": "image/tiff"}
"""File formats that can be asked for, with the type of the answer."""

_AFFINE: Final = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")


def read_pixels(
    image: Image, request: Mapping[str, Any], landcover: Landcover
) -> tuple[bytes, str]:
    """Return a file of pixels and its media type.

    Args:
        image: What to read.
        request: Body of the request: bandIds, grid, fileFormat.
        landcover: The ground.

    Raises:
        EarthEngineError: A part of the request is wrong, or too much is asked for.
    """
    file_format = request.get("fileFormat", "")
    if file_format not in MEDIA_TYPES:
        what = f"the fileFormat {file_format!r} (it does {', '.join(MEDIA_TYPES)})"
        raise not_implemented(what)
    for key in ("region", "visualizationOptions"):
        if request.get(key):
            what = f"{key!r} of a request for pixels"
            raise not_implemented(what)
    names = request.get("bandIds")
    bands = list(image.bands) if not names else select_bands(image, list(names))
    if not bands:
        message = "The image has no bands."
        raise EarthEngineError(message)
    grid = parse_grid(request.get("grid"), bands[0])
    check_size(grid, bands)
    reader = PixelReader(grid, landcover)
    planes = [_plane(band, reader) for band in bands]
    if file_format == "NPY":
        return _npy(bands, planes), MEDIA_TYPES[file_format]
    return _geotiff(bands, planes, grid), MEDIA_TYPES[file_format]


def parse_grid(wire: object, band: ImageBand) -> PixelGrid:
    """Return the pixels that a request's `grid` describes.

    Args:
        wire: {"dimensions": {"width", "height"}, "affineTransform": {…}, "crsCode"}.
        band: Gives the CRS and the transform where the request leaves them out.

    Raises:
        EarthEngineError: It is malformed.
    """
    if not isinstance(wire, dict) or "dimensions" not in wire:
        message = "The request must have a 'grid' with 'dimensions'."
        raise EarthEngineError(message)
    unknown = set(wire) - {"dimensions", "affineTransform", "crsCode"}
    if unknown:
        what = f"the grid's {', '.join(sorted(unknown))}"
        raise not_implemented(what)
    size = wire["dimensions"]
    width, height = size.get("width"), size.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
        message = "Pixel grid dimensions must be positive."
        raise EarthEngineError(message)
    crs = wire.get("crsCode", band.projection.crs)
    try:
        working_crs(crs)
    except UnknownCrsError:
        message = f"The CRS of a map projection could not be parsed: '{crs}'."
        raise EarthEngineError(message) from None
    transform = band.projection.transform
    if "affineTransform" in wire:
        affine = wire["affineTransform"]
        a, b, c, d, e, f = (float(affine.get(key, 0.0)) for key in _AFFINE)
        transform = (a, b, c, d, e, f)
    if transform[0] * transform[4] - transform[1] * transform[3] == 0.0:
        message = "The affine transform of the grid cannot be inverted."
        raise EarthEngineError(message)
    return PixelGrid(crs, transform, width, height)


def check_size(grid: PixelGrid, bands: Sequence[ImageBand]) -> None:
    """Check a request against the service's limits.

    Raises:
        EarthEngineError: It is over one of them.
    """
    if max(grid.width, grid.height) > MAX_SIDE:
        message = (
            f"Pixel grid dimensions ({grid.width}x{grid.height}) must be less than or equal to "
            f"{MAX_SIDE}."
        )
        raise EarthEngineError(message)
    if len(bands) > MAX_BANDS:
        message = f"Number of bands ({len(bands)}) must be less than or equal to {MAX_BANDS}."
        raise EarthEngineError(message)
    size = grid.width * grid.height * sum(band.dtype.itemsize for band in bands)
    if size > MAX_PIXEL_BYTES:
        message = (
            f"Total request size ({size} bytes) must be less than or equal to "
            f"{MAX_PIXEL_BYTES} bytes."
        )
        raise EarthEngineError(message)


def _plane(band: ImageBand, reader: PixelReader) -> NDArray[np.generic]:
    """Return a band's pixels; masked ones are zero, as on the wire."""
    values, valid = band.read(reader)
    return values if bool(valid.all()) else np.where(valid, values, np.zeros((), values.dtype))


def _npy(bands: Sequence[ImageBand], planes: Sequence[NDArray[np.generic]]) -> bytes:
    fields = [
        (band.name, plane.dtype.newbyteorder("<"))
        for band, plane in zip(bands, planes, strict=True)
    ]
    table = np.empty(planes[0].shape, dtype=fields)
    for band, plane in zip(bands, planes, strict=True):
        table[band.name] = plane
    file = io.BytesIO()
    np.save(file, table, allow_pickle=False)
    return file.getvalue()


def _geotiff(
    bands: Sequence[ImageBand], planes: Sequence[NDArray[np.generic]], grid: PixelGrid
) -> bytes:
    # rasterio takes a while to import, and most requests want NumPy files.
    import rasterio  # noqa: PLC0415
    from rasterio.io import MemoryFile  # noqa: PLC0415

    dtype = np.result_type(*(plane.dtype for plane in planes))
    scale_x, shear_x, left, shear_y, scale_y, top = grid.transform
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=len(planes),
            dtype=dtype,
            crs=grid.crs,
            transform=rasterio.Affine(scale_x, shear_x, left, shear_y, scale_y, top),
            compress="deflate",
        ) as file:
            for number, (band, plane) in enumerate(zip(bands, planes, strict=True), start=1):
                file.write(plane.astype(dtype), number)
                file.set_band_description(number, band.name)
        content: bytes = memory.read()
    return content
