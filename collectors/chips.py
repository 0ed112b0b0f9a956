"""What a chip is: where it was placed, the scenes that may serve it, and its pixels.

Each value is parsed once, where it comes in, and is frozen from there on. Lengths carry their unit
in the name, and arrays are (bands, rows, columns).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from collectors.sensors import QA_PIXEL_BAND, QA_PIXEL_FILL, SCL_BAND

if TYPE_CHECKING:
    from datetime import date, datetime

    from numpy.typing import NDArray

    from collectors.geo import ChipGrid


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that was placed: where, when and for which sensor; no pixels yet.

    Attributes:
        chip_id: Sensor, zone, grid origin and time bin: the same chip is named alike in every run.
        sensor: Name of the sensor.
        time_bin: `2020Q3` for quarters, else `2019-2021` for years.
        grid: The pixel grid.
        target_date: The local date that its scene should be nearest to.
    """

    chip_id: str
    sensor: str
    time_bin: str
    grid: ChipGrid
    target_date: date


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene that may serve a chip, as Earth Engine describes it.

    Attributes:
        scene_id: Full asset id, such as `COPERNICUS/S2_SR_HARMONIZED/20200803T…_T10SEG`.
        acquired_at: Start of the acquisition, UTC, aware.
        cloud_scene_pct: Cloud share of the whole scene; None where the collection has none.
        processing: Processing baseline or the like; empty where the collection has none.
        generated_at: When the product was made, UTC, aware; None where unknown.
        crs: `EPSG:…` of the scene's own pixel grid.
        transform: (a, b, c, d, e, f) of that grid in rasterio's order, metres.
        bands: Names of all bands that the scene has.
        gsd_m: Size of the scene's own pixels in metres.
    """

    scene_id: str
    acquired_at: datetime
    cloud_scene_pct: float | None
    processing: str
    generated_at: datetime | None
    crs: str
    transform: tuple[float, float, float, float, float, float]
    bands: tuple[str, ...]
    gsd_m: float


@dataclass(frozen=True, slots=True, eq=False)
class ChipPixels:
    """The pixels of a chip as they came from a scene.

    Attributes:
        bands: Names of the bands of `data`, in order, without the quality band.
        data: (bands, rows, columns), the first row in the north.
        quality: (rows, columns) scene classification, Cloud Score+ in whole percent, or Landsat's
            bits; None where the sensor has none of them.
        valid: (rows, columns), True where the chip holds data.
        quality_band: Name of the band `quality`; None where there is none.
    """

    bands: tuple[str, ...]
    data: NDArray[np.uint8] | NDArray[np.uint16]
    quality: NDArray[np.uint8] | NDArray[np.uint16] | None
    valid: NDArray[np.bool_]
    quality_band: str | None

    @classmethod
    def of(
        cls,
        bands: tuple[str, ...],
        data: NDArray[np.uint8] | NDArray[np.uint16],
        quality: NDArray[np.uint8] | NDArray[np.uint16] | None,
        quality_band: str = SCL_BAND,
    ) -> ChipPixels:
        """Makes the record and says which pixels hold data.

        See `holds_data`.
        """
        name = None if quality is None else quality_band
        return cls(bands, data, quality, holds_data(data, quality, name), name)


def holds_data(
    data: NDArray[np.uint8] | NDArray[np.uint16],
    quality: NDArray[np.uint8] | NDArray[np.uint16] | None,
    quality_band: str | None,
) -> NDArray[np.bool_]:
    """Says which pixels hold data, (rows, columns).

    A pixel is missing where the scene classification is 0, and, where there is none, where every
    band is 0: Earth Engine encodes masked pixels as zeros. Landsat's pixel quality is 0 where it
    is masked, and has a bit for fill; a surface reflectance of 0 is one that could not be made.

    Args:
        data: (bands, rows, columns).
        quality: (rows, columns); None where there is no quality band.
        quality_band: Its name; None likewise.
    """
    if quality is not None and quality_band == SCL_BAND:
        return np.asarray(quality != 0)
    seen = np.asarray(data.any(axis=0))
    if quality is not None and quality_band == QA_PIXEL_BAND:
        seen &= (quality != 0) & (quality & QA_PIXEL_FILL == 0)
    return seen


@dataclass(frozen=True, slots=True)
class SceneGone:
    """A scene that Earth Engine no longer has, or has no Cloud Score+ of: a value, no exception.

    Attributes:
        scene_id: Full asset id.
        detail: What Earth Engine said.
        reason: `gone`, or `no_cloud_score` where only that is missing.
    """

    scene_id: str
    detail: str
    reason: Literal["gone", "no_cloud_score"] = "gone"
