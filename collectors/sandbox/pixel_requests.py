"""Answers requests for pixels: the grid that is asked for, the limits, the file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.bands import PixelReader
from collectors.sandbox.earth_engine_bodies import refuse_unknown
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.functions_images import select_bands
from collectors.sandbox.geometry import UnknownCrsError, working_crs
from collectors.sandbox.limits import REAL_LIMITS, Limits
from collectors.sandbox.pixels import PixelGrid
from collectors.sandbox.previews import encode_picture, stretch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.sandbox.answer_cache import AnswerCache
    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.compute_meter import Work
    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.prerendered import Prerendered
    from collectors.sandbox.values import Image

MEDIA_TYPES: Final = {
    "NPY": "application/octet-stream",
    "GEO_TIFF": "image/tiff",
    "PNG": "image/png",
    "JPEG": "image/jpeg",
}
"""File formats that can be asked for, with the type of the answer."""

_EYE_BANDS: Final = ("vis-red", "vis-green", "vis-blue")
_GRID: Final = frozenset({"dimensions", "affineTransform", "crsCode"})
_DIMENSIONS: Final = frozenset({"width", "height"})
_AFFINE: Final = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")


def read_pixels(
    image: Image,
    request: Mapping[str, Any],
    landcover: Landcover,
    *,
    limits: Limits = REAL_LIMITS,
    work: Work | None = None,
    prerendered: Prerendered | None = None,
    kept: AnswerCache | None = None,
) -> tuple[bytes, str]:
    """Return a file of pixels and its media type.

    Args:
        image: What to read.
        request: Body of the request: bandIds, grid, fileFormat, visualizationOptions.
        landcover: The ground.
        limits: How much may be asked for.
        work: Is told how many pixels were sent.
        prerendered: Gives NPY files of stored bands in place of the world's pixels.
        kept: Keeps NPY files of stored bands.

    Raises:
        EarthEngineError: A part of the request is wrong, or too much is asked for.
    """
    file_format = request.get("fileFormat", "")
    if file_format not in MEDIA_TYPES:
        what = f"the fileFormat {file_format!r} (it does {', '.join(MEDIA_TYPES)})"
        raise not_implemented(what)
    if request.get("region"):
        what = "'region' of a request for pixels"
        raise not_implemented(what)
    names = request.get("bandIds")
    bands = list(image.bands) if not names else select_bands(image, list(names))
    if not bands:
        message = "The image has no bands."
        raise EarthEngineError(message)
    grid = parse_grid(request.get("grid"), bands[0])
    options = request.get("visualizationOptions")
    size = len(_EYE_BANDS) if options else sum(band.dtype.itemsize for band in bands)
    check_size(grid, len(bands), size, limits)
    if work is not None:
        work.pixels += grid.width * grid.height * len(bands)
    if prerendered is not None and file_format == "NPY" and not options:
        answer = prerendered.answer(bands, grid)
        if answer is not None:
            return answer, MEDIA_TYPES["NPY"]
    if kept is not None and image.scene is not None and file_format == "NPY" and not options:
        key = (image.asset_id, tuple(band.name for band in bands), grid)
        return kept.get(key, lambda: _npy(bands, grid, landcover)), MEDIA_TYPES["NPY"]
    reader = PixelReader(grid, landcover)
    planes, masks = zip(*(_plane(band, reader) for band in bands), strict=True)
    fields = [band.name for band in bands]
    if options:
        planes, fields = tuple(stretch(planes, options)), list(_EYE_BANDS)
    if file_format == "NPY":
        content = write_npy(fields, planes)
    elif file_format == "GEO_TIFF":
        content = _geotiff(fields, planes, grid)
    else:
        content = _picture(planes, np.logical_and.reduce(masks), file_format)
    return content, MEDIA_TYPES[file_format]


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
    refuse_unknown(wire, _GRID, "grid")
    refuse_unknown(wire["dimensions"], _DIMENSIONS, "grid.dimensions")
    refuse_unknown(wire.get("affineTransform") or {}, _AFFINE, "grid.affine_transform")
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


def check_size(grid: PixelGrid, bands: int, pixel_bytes: int, limits: Limits) -> None:
    """Check a request against the service's limits.

    Args:
        grid: The pixels asked for.
        bands: How many bands.
        pixel_bytes: Bytes of a pixel in all bands together.
        limits: What is allowed.

    Raises:
        EarthEngineError: It is over one of them.
    """
    if max(grid.width, grid.height) > limits.side:
        message = (
            f"Pixel grid dimensions ({grid.width}x{grid.height}) must be less than or equal to "
            f"{limits.side}."
        )
        raise EarthEngineError(message)
    if bands > limits.bands:
        message = f"Number of bands ({bands}) must be less than or equal to {limits.bands}."
        raise EarthEngineError(message)
    size = grid.width * grid.height * pixel_bytes
    if size > limits.pixel_bytes:
        message = (
            f"Total request size ({size} bytes) must be less than or equal to "
            f"{limits.pixel_bytes} bytes."
        )
        raise EarthEngineError(message)


def _plane(band: ImageBand, reader: PixelReader) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return a band's pixels, the masked ones zero as on the wire, and its mask."""
    values, valid = band.read(reader)
    if not bool(valid.all()):
        values = np.where(valid, values, np.zeros((), values.dtype))
    return values, valid


def _picture(
    planes: Sequence[NDArray[np.generic]], valid: NDArray[np.bool_], file_format: str
) -> bytes:
    if len(planes) not in (1, 3):
        message = f"Image must have 1 or 3 bands to be written as {file_format}."
        raise EarthEngineError(message)
    if any(plane.dtype != np.uint8 for plane in planes):
        what = f"{file_format} of other than 8-bit bands without visualizationOptions"
        raise not_implemented(what)
    layers = [plane.astype(np.uint8) for plane in planes]
    return encode_picture(layers * (3 if len(layers) == 1 else 1), valid, file_format)


def _npy(bands: Sequence[ImageBand], grid: PixelGrid, landcover: Landcover) -> bytes:
    reader = PixelReader(grid, landcover)
    return write_npy([band.name for band in bands], [_plane(band, reader)[0] for band in bands])


def write_npy(names: Sequence[str], planes: Sequence[NDArray[np.generic]]) -> bytes:
    """Return an NPY file of records, one field for each plane (height, width)."""
    fields = [
        (name, plane.dtype.newbyteorder("<")) for name, plane in zip(names, planes, strict=True)
    ]
    table = np.empty(planes[0].shape, dtype=fields)
    for name, plane in zip(names, planes, strict=True):
        table[name] = plane
    file = io.BytesIO()
    np.save(file, table, allow_pickle=False)
    return file.getvalue()


def _geotiff(names: Sequence[str], planes: Sequence[NDArray[np.generic]], grid: PixelGrid) -> bytes:
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
            for number, (name, plane) in enumerate(zip(names, planes, strict=True), start=1):
                file.write(plane.astype(dtype), number)
                file.set_band_description(number, name)
        content: bytes = memory.read()
    return content
