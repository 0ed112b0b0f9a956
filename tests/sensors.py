"""The two sensors as the shipped catalogue has them, and chips and scenes for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from collectors.chips import Chip, Scene
from collectors.geo import Box, ChipGrid
from collectors.sensors import Datum, Quality, Sensor

SENTINEL2 = Sensor(
    name="sentinel2", collection="COPERNICUS/S2_SR_HARMONIZED",
    bands=("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"),
    optional_bands=(), quality=Quality.SCL, datum=Datum.WGS84,
    scale_m=10, size_px=448, area_px=224, bin_months=3, window_days=45, candidates=4,
    scene_cloud_limit_pct=1.0, cloud_property="CLOUDY_PIXEL_PERCENTAGE",
    zone_property="MGRS_TILE", processing_property="PROCESSING_BASELINE",
    generated_property="GENERATION_TIME", chip_cloud_limit_pct=1.0, missing_limit_pct=1.0,
    area_average=False, extent=None, since=date(2017, 3, 28), settle_days=60, grid_band="B2",
)  # fmt: skip

NAIP = Sensor(
    name="naip", collection="USDA/NAIP/DOQQ", bands=("R", "G", "B", "N"), optional_bands=("N",),
    quality=Quality.ALL_ZERO, datum=Datum.NAD83,
    scale_m=1, size_px=448, area_px=224, bin_months=36, window_days=1100, candidates=4,
    scene_cloud_limit_pct=None, cloud_property=None, zone_property=None,
    processing_property=None, generated_property=None, chip_cloud_limit_pct=None,
    missing_limit_pct=1.0, area_average=True, extent=Box(-124.9, 24.4, -66.9, 49.5),
    since=date(2002, 6, 15), settle_days=0,
)  # fmt: skip

SENSORS = {sensor.name: sensor for sensor in (SENTINEL2, NAIP)}

SCENE = Scene(
    scene_id="COPERNICUS/S2_SR_HARMONIZED/20200803T184921_20200803T185918_T10SEG",
    acquired_at=datetime(2020, 8, 3, 18, 58, tzinfo=UTC), cloud_scene_pct=0.5, processing="02.14",
    generated_at=datetime(2020, 8, 4, 1, tzinfo=UTC), crs="EPSG:32610",
    transform=(10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0), bands=(*SENTINEL2.bands, "SCL"),
    gsd_m=10.0,
)  # fmt: skip


def scene(**changes: Any) -> Scene:
    """Returns a scene that differs from `SCENE` in what is given."""
    return replace(SCENE, **changes)


def chip_at(x: float, y: float, crs: str, sensor: Sensor, target: date, name: str = "chip") -> Chip:
    """Returns a chip centred on a point in metres of its zone."""
    grid = ChipGrid.around(x, y, crs, sensor.scale_m, sensor.size_px)
    return Chip(name, sensor.name, "any", grid, target)
