"""The pictures of one chip, and what each of them says."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from collectors.chip_files import decode_bands
from flows.catalogue.rendering_blocks import Composite
from flows.renderings.colours import NO_DATA, composite, normalised_difference, ramp, stop_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from flows.catalogue.rendering_blocks import Rendering

FORMULA: Final = "({0} - {1}) / ({0} + {1})"


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """A picture of a chip.

    Attributes:
        name: Of the rendering, such as `ndvi`.
        rendering: How it was made.
        png: The file.
        no_data_pct: Share of the pixels that have no value, percent.
    """

    name: str
    rendering: Rendering
    png: bytes
    no_data_pct: float

    def recipe(self) -> dict[str, Any]:
        """Returns for JSON all that leads from the chip's numbers to the colours."""
        return recipe(self.rendering) | {"no_data_pct": self.no_data_pct}


def recipe(rendering: Rendering) -> dict[str, Any]:
    """Returns for JSON how numbers become colours."""
    common: dict[str, Any] = {
        "title": rendering.title, "kind": rendering.kind, "bands": list(rendering.bands),
        "range": list(rendering.range), "outside_of_range": "clipped", "no_data": list(NO_DATA),
        "shows": rendering.shows,
    }  # fmt: skip
    if isinstance(rendering, Composite):
        return common | {"stretch": "linear, the same in every chip", "unit": "stored value"}
    stops = stop_values(*rendering.range, len(rendering.ramp))
    if rendering.zero:
        common["zero"] = rendering.zero  # taken from both bands first
    return common | {
        "formula": FORMULA.format(*rendering.bands),
        "unit": "1",
        "colours": [
            {"value": value, "rgb": list(colour)}
            for value, colour in zip(stops, rendering.ramp, strict=True)
        ],
        "between": "linear in red, green and blue",
    }


def draw_pictures(data: bytes, renderings: Mapping[str, Rendering]) -> list[RenderedPicture]:
    """Draws the pictures of a chip; each band is decompressed once.

    Args:
        data: The chip's file.
        renderings: How, by name.

    Returns:
        In the order of `renderings`; the same bytes for the same chip, each time.

    Raises:
        rasterio.errors.RasterioIOError: If the file is no image.
        ValueError: If the chip lacks a band.
    """
    names = sorted({band for one in renderings.values() for band in one.bands})
    pixels, valid = decode_bands(data, names)
    place = {name: number for number, name in enumerate(names)}
    found = []
    for name, rendering in renderings.items():
        bands = pixels[[place[band] for band in rendering.bands]]
        if isinstance(rendering, Composite):
            has_value = valid
            colours = composite(bands, valid, *rendering.range)
        else:
            index = normalised_difference(bands[0], bands[1], valid, rendering.zero)
            has_value = index == index  # noqa: PLR0124 - NaN differs from itself
            colours = ramp(index, *rendering.range, rendering.ramp)
        share = round(100.0 * float((~has_value).mean()), 4)
        found.append(RenderedPicture(name, rendering, _png(colours), share))
    return found


def _png(colours: NDArray[np.uint8]) -> bytes:
    sink = BytesIO()
    Image.fromarray(colours).save(sink, "PNG", optimize=False, compress_level=6)
    return sink.getvalue()
