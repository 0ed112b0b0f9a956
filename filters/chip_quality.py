"""Cloud, shadow and missing pixels, measured in the chip itself, and what is refused for them.

A scene's own cloud figure covers 110 km × 110 km: in a scene with 0.9 % cloud a chip of 4.5 km
can lie wholly under it, and a sliver at the edge of the swath easily has "0 %".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from collectors.sensors import Quality
from filters.qa_pixel import cloud_and_shadow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from collectors.chips import ChipPixels
    from collectors.sensors import Sensor

CLOUD: Final = (8, 9, 10)
"""Scene classification: cloud of medium probability, of high probability, thin cirrus.

Source: Sentinel-2 Level-2A Algorithm Theoretical Basis Document, scene classification; the same
table stands at band SCL of COPERNICUS/S2_SR_HARMONIZED in Earth Engine's catalogue.
"""

SHADOW: Final = 3
"""Scene classification: cloud shadow. Same source."""

COVER: Final[Mapping[int, str]] = MappingProxyType({
    1: "defective", 2: "dark", SHADOW: "cloud_shadow", 4: "vegetation", 5: "bare", 6: "water",
    7: "unclassified", 8: "cloud_medium", 9: "cloud_high", 10: "cirrus", 11: "snow",
})  # fmt: skip
"""Scene classification: what each class that holds data is called here. Same source.

`bare` is all ground without plants: soil, rock, sand and built-up ground alike, which the
classification does not tell apart. `dark` is shade of the land, and what is too dark to tell.
"""

Refusal = Literal["cloudy", "missing"]


@dataclass(frozen=True, slots=True)
class ChipMeasure:
    """What was measured in a chip, in percent, unrounded so that it can be computed again.

    Attributes:
        cloud_pct: Cloud over the pixels that hold data; None where the sensor has no
            classification or no pixel holds data.
        shadow_pct: Cloud shadow over the pixels that hold data; None likewise, and with Cloud
            Score+, which counts a shadow as not clear.
        missing_pct: Pixels without data over all pixels.
        valid_pct: Pixels with data over all pixels.
        cover: Of each class of the scene classification that occurs, by its name in `COVER`, its
            share of the pixels that hold data; None where the sensor has no such classification or
            no pixel holds data.
    """

    cloud_pct: float | None
    shadow_pct: float | None
    missing_pct: float
    valid_pct: float
    cover: Mapping[str, float] | None = None


def measure(pixels: ChipPixels, sensor: Sensor) -> ChipMeasure:
    """Measures a chip.

    Raises:
        ValueError: If the chip lacks the classification that its sensor has, or the other way
            round: then it is not a chip of this sensor.
    """
    if pixels.quality_band != sensor.quality_band:
        has = "has no" if pixels.quality is None else f"has a {pixels.quality_band}"
        raise ValueError(f"a chip of {sensor.name} (quality: {sensor.quality}) {has} quality band")
    total = pixels.valid.size
    valid = int(np.count_nonzero(pixels.valid))
    cloud = shadow = cover = None
    if pixels.quality is not None and valid and sensor.quality is Quality.CLOUD_SCORE_PLUS:
        # In percent on both sides: 0.6 is no number of binary fractions, and 60 is one.
        least = round(100 * (sensor.clear_above or 0))
        cloud = _share((pixels.quality < least) & pixels.valid, valid)
    elif pixels.quality is not None and valid and sensor.quality is Quality.QA_PIXEL:
        cloudy, shaded = cloud_and_shadow(pixels.quality)
        cloud, shadow = _share(cloudy & pixels.valid, valid), _share(shaded & pixels.valid, valid)
    elif pixels.quality is not None and valid:
        cloud = _share(np.isin(pixels.quality, CLOUD) & pixels.valid, valid)
        shadow = _share((pixels.quality == SHADOW) & pixels.valid, valid)
        cover = _cover(pixels.quality[pixels.valid])
    missing, held = 100.0 * (total - valid) / total, 100.0 * valid / total
    return ChipMeasure(cloud, shadow, missing, held, cover)


def _cover(classes: NDArray[np.uint8] | NDArray[np.uint16]) -> dict[str, float]:
    """Returns the share of each class among the pixels that hold data, in percent, by its name.

    A class that the scene classification did not have when this was written goes by its number.
    """
    counts = np.bincount(classes)
    return {
        COVER.get(one, f"class_{one}"): 100.0 * int(counts[one]) / classes.size
        for one in np.flatnonzero(counts).tolist()
    }


def _share(mask: NDArray[np.bool_], total: int) -> float:
    """Returns the true pixels of a mask in percent of a number of pixels."""
    return 100.0 * int(np.count_nonzero(mask)) / total


def refusal(measured: ChipMeasure, sensor: Sensor) -> Refusal | None:
    """Says why a chip is refused: None, `missing` or `cloudy`; a limit itself is still allowed.

    A chip without a single pixel of data is always `missing`.
    """
    if measured.missing_pct > sensor.missing_limit_pct or measured.valid_pct == 0:
        return "missing"
    limit = sensor.chip_cloud_limit_pct
    if limit is not None and measured.cloud_pct is not None and measured.cloud_pct > limit:
        return "cloudy"
    return None
