"""Pictures for the eye: stretches bands to 8 bits and writes PNG and JPEG.

Follows `VisualizationOptions` of the Earth Engine REST reference: `ranges` (one for all bands or
one for each) and, for a single band, `paletteColors`.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

JPEG_QUALITY: Final = 85
_COLOUR: Final = re.compile(r"#?[0-9A-Fa-f]{6}")
_KNOWN: Final = frozenset({"ranges", "paletteColors"})


def stretch(
    planes: Sequence[NDArray[np.generic]], options: Mapping[str, Any]
) -> list[NDArray[np.uint8]]:
    """Return the three planes red, green, blue of bands stretched to 8 bits.

    Args:
        planes: Values of one band or of three, each (rows, columns).
        options: The request's `visualizationOptions`.

    Raises:
        EarthEngineError: There are other than one or three bands, or an option is wrong.
    """
    unknown = set(options) - _KNOWN
    if unknown:
        what = f"the visualizationOptions {', '.join(sorted(unknown))}"
        raise not_implemented(what)
    if len(planes) not in (1, 3):
        message = f"Image must have 1 or 3 bands to be visualized; it has {len(planes)}."
        raise EarthEngineError(message)
    ranges = options.get("ranges") or [{"min": 0, "max": 255}]
    if len(ranges) not in (1, len(planes)):
        message = f"There must be 1 or {len(planes)} ranges, not {len(ranges)}."
        raise EarthEngineError(message)
    ranges = list(ranges) * (len(planes) if len(ranges) == 1 else 1)
    shares = [_share(plane, limits) for plane, limits in zip(planes, ranges, strict=True)]
    palette = options.get("paletteColors")
    if palette:
        if len(planes) != 1:
            message = "A palette goes with a single band."
            raise EarthEngineError(message)
        return _coloured(shares[0], palette)
    grey = [np.round(255.0 * share).astype(np.uint8) for share in shares]
    return grey * (3 if len(grey) == 1 else 1)


def encode_picture(
    planes: Sequence[NDArray[np.uint8]], valid: NDArray[np.bool_], file_format: str
) -> bytes:
    """Return a PNG, whose masked pixels are transparent, or a JPEG, where they are black.

    Args:
        planes: Red, green and blue, each (rows, columns).
        valid: Mask, (rows, columns).
        file_format: "PNG" or "JPEG".
    """
    from PIL import Image  # noqa: PLC0415 - most requests want no picture

    layers = [np.where(valid, plane, np.uint8(0)) for plane in planes]
    if file_format == "PNG":
        layers.append(np.where(valid, np.uint8(255), np.uint8(0)))
    picture = Image.fromarray(np.stack(layers, axis=-1))
    file = io.BytesIO()
    if file_format == "PNG":
        picture.save(file, "PNG")
    else:
        picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _share(plane: NDArray[np.generic], limits: Mapping[str, Any]) -> NDArray[np.float64]:
    low, high = float(limits.get("min", 0.0)), float(limits.get("max", 0.0))
    if not low < high:
        message = f"The range's min ({low}) must be less than its max ({high})."
        raise EarthEngineError(message)
    share: NDArray[np.float64] = (plane.astype(np.float64) - low) / (high - low)
    return np.clip(share, 0.0, 1.0)


def _coloured(share: NDArray[np.float64], palette: Sequence[Any]) -> list[NDArray[np.uint8]]:
    """Return red, green and blue: colours at equal steps, linear in between."""
    for colour in palette:
        if not isinstance(colour, str) or _COLOUR.fullmatch(colour) is None:
            message = f"Not a colour of the form RRGGBB: {colour!r}"
            raise EarthEngineError(message)
    table = np.array([list(bytes.fromhex(colour.lstrip("#"))) for colour in palette])
    steps = np.linspace(0.0, 1.0, len(table))
    return [
        np.round(np.interp(share, steps, table[:, channel])).astype(np.uint8)
        for channel in range(3)
    ]
