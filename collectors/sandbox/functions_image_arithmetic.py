"""Earth Engine's functions that compute an image's pixels from those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.bands import CastBand, ConstantBand, MaskedBand, PairBand, UnmaskedBand
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.registry import IMPLEMENTATIONS, function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.values import Image

_CASTS: Final[Mapping[str, type[np.generic]]] = {
    "toByte": np.uint8,
    "toUint8": np.uint8,
    "toInt8": np.int8,
    "toUint16": np.uint16,
    "toInt16": np.int16,
    "toShort": np.int16,
    "toUint32": np.uint32,
    "toInt": np.int32,
    "toInt32": np.int32,
    "toFloat": np.float32,
    "toDouble": np.float64,
}
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": np.equal,
    "neq": np.not_equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}


@function("Image.unmask")
def _unmask(image: Image, value: Image | None, same_footprint: object) -> Image:
    # Pixels outside the footprint are zero on the wire either way, but with sameFootprint they
    # stay masked, which a later mosaic would notice.
    if (
        same_footprint
        and value is not None
        and any(isinstance(band, ConstantBand) and band.value for band in value.bands)
    ):
        what = "Image.unmask with a value other than 0 and sameFootprint"
        raise not_implemented(what)
    filling = (ConstantBand("constant", 0),) if value is None else value.bands
    pairs = _pair(image.bands, filling, "unmask")
    return image.with_bands([UnmaskedBand(left, right) for left, right in pairs])


@function("Image.updateMask", "Image.mask")
def _update_mask(image: Image, mask: Image | None) -> Image:
    if mask is None:
        what = "Image.mask without a mask"
        raise not_implemented(what)
    pairs = _pair(image.bands, mask.bands, "updateMask")
    return image.with_bands([MaskedBand(left, right) for left, right in pairs])


def _pair(
    left: tuple[ImageBand, ...], right: tuple[ImageBand, ...], name: str
) -> list[tuple[ImageBand, ImageBand]]:
    """Return bands to be taken together: one band goes with every band of the other image."""
    if len(right) == 1:
        return [(band, right[0]) for band in left]
    if len(left) == 1:
        return [(left[0], band) for band in right]
    by_name = {band.name: band for band in right}
    if set(by_name) == {band.name for band in left}:
        return [(band, by_name[band.name]) for band in left]
    if len(left) == len(right):
        return list(zip(left, right, strict=True))
    message = f"Image.{name}: the images have {len(left)} and {len(right)} bands."
    raise EarthEngineError(message)


def _combine(
    name: str, operation: Callable[[Any, Any], Any], dtype_of: Callable[[Any, Any], Any]
) -> Callable[[Image, Image], Image]:
    def run(left: Image, right: Image) -> Image:
        pairs = _pair(left.bands, right.bands, name)
        return left.with_bands(
            [PairBand(a, b, operation, np.dtype(dtype_of(a.dtype, b.dtype))) for a, b in pairs]
        )

    return run


def _wide(left: np.dtype[np.generic], right: np.dtype[np.generic]) -> np.dtype[np.generic]:
    # Wide enough that sums and products of pixels do not overflow.
    common = np.promote_types(left, right)
    if np.issubdtype(common, np.integer):
        return np.dtype(np.int32 if common.itemsize < 4 else np.int64)
    return np.dtype(np.float64) if common.itemsize == 8 else np.dtype(np.float32)


def _floating(left: np.dtype[np.generic], right: np.dtype[np.generic]) -> np.dtype[np.generic]:
    return np.promote_types(np.promote_types(left, right), np.float32)


for _name, _operation in _ARITHMETIC.items():
    IMPLEMENTATIONS[f"Image.{_name}"] = _combine(
        _name, _operation, _floating if _name == "divide" else _wide
    )
for _name, _operation in _COMPARISONS.items():
    IMPLEMENTATIONS[f"Image.{_name}"] = _combine(_name, _operation, _wide)


def _cast(dtype: type[np.generic]) -> Callable[[Image], Image]:
    def run(image: Image) -> Image:
        return image.with_bands([CastBand(band, np.dtype(dtype)) for band in image.bands])

    return run


for _name, _dtype in _CASTS.items():
    IMPLEMENTATIONS[f"Image.{_name}"] = _cast(_dtype)
