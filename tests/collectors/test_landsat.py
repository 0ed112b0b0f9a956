"""A sensor of two satellites, always in northern zones, whose pixels lie off the multiples."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import ee
import numpy as np
import pytest

from collectors.chip_files import decode_bands, decode_chip, encode_chip
from collectors.chips import Chip, ChipPixels
from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.earth_engine_expressions import parse_row
from collectors.geo import ChipGrid, Zone, transformer
from collectors.sensors import QA_PIXEL_BAND, Datum
from collectors.transport import Patience, SetupError, Throttle
from filters.scenes import delta_days, rank
from tests.landsat import LANDSAT

if TYPE_CHECKING:
    from collectors.chips import Scene
    from collectors.sandbox import Sandbox
    from collectors.sensors import Sensor

SMALL = replace(LANDSAT, size_px=64, area_px=32)
QUICK = Patience(budget_s=3, first_wait_s=0.01, longest_wait_s=0.02)


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> EarthEngine:
    """A client of the sandbox."""
    return EarthEngine.connect(
        project=sandbox.project, credentials=ServiceAccount(json.dumps(sandbox.service_account)),
        url=sandbox.earth_engine_url, throttle=Throttle(1000, 1, 40), patience=QUICK,
    )  # fmt: skip


def chip_on(lon: float, lat: float, day: date, sensor: Sensor = SMALL, name: str = "c") -> Chip:
    """Returns a chip on a place, as it is placed."""
    crs = Zone.at(lon, lat).crs(sensor.datum)
    x, y = transformer("EPSG:4326", crs).transform(lon, lat)
    grid = ChipGrid.around(
        x, y, crs, sensor.scale_m, sensor.size_px, offset_m=sensor.lattice_offset_m
    )
    return Chip(name, sensor.name, "any", grid, day)


def found_for(client: EarthEngine, chip: Chip, sensor: Sensor = SMALL) -> tuple[Scene, ...]:
    """Returns the scenes of a chip, as they come."""
    return client.resolve([chip], {"landsat": sensor})[chip.chip_id]


def test_the_nearest_date_of_either_satellite_is_taken(client: EarthEngine) -> None:
    """The same scenes as by asking for each collection alone, in one request."""
    generous = replace(SMALL, scene_cloud_limit_pct=101.0, candidates=20)
    chips = [chip_on(-121.9, 37.6, date(2023, month, 9), name=str(month)) for month in (2, 6, 9)]
    before = client.requests.resolve
    both = client.resolve(chips, {"landsat": generous})
    assert client.requests.resolve == before + 1
    apart: dict[str, list[Scene]] = {chip.chip_id: [] for chip in chips}
    for collection in LANDSAT.collections:
        alone = client.resolve(chips, {"landsat": replace(generous, collection=collection)})
        for name, scenes in alone.items():
            assert {one.scene_id.rpartition("/")[0] for one in scenes} == {collection}
            apart[name] += scenes
    for chip in chips:
        assert rank(both[chip.chip_id], chip, generous) == rank(apart[chip.chip_id], chip, generous)
        gaps = [abs(delta_days(one, chip.target_date)) for one in both[chip.chip_id]]
        nearest = rank(both[chip.chip_id], chip, generous)[0]
        assert abs(delta_days(nearest, chip.target_date)) == min(gaps) <= 4


def test_a_chip_is_the_scenes_own_pixels(client: EarthEngine) -> None:
    """Bit for bit what the scene holds from a whole row and column on; QA_PIXEL comes last."""
    chip = chip_on(-121.9, 37.6, date(2022, 7, 1))
    scene = rank(found_for(client, chip), chip, SMALL)[0]
    pixels = client.read(chip, scene, SMALL)
    assert isinstance(pixels, ChipPixels)
    column = (chip.grid.west_m - scene.transform[2]) / 30
    row = (scene.transform[5] - chip.grid.north_m) / 30
    assert (column % 1, row % 1) == (0, 0)
    # A larger window of the scene, in its own rows and columns.
    first_row, first_column, size = int(row) - 7, int(column) - 5, 90
    a, _, west, _, e, north = scene.transform
    window = ee.data.getPixels({
        "assetId": scene.scene_id, "fileFormat": "NUMPY_NDARRAY",
        "bandIds": [*SMALL.bands, QA_PIXEL_BAND],
        "grid": {
            "dimensions": {"width": size, "height": size}, "crsCode": scene.crs,
            "affineTransform": {
                "scaleX": a, "shearX": 0, "translateX": west + a * first_column,
                "shearY": 0, "scaleY": e, "translateY": north + e * first_row,
            },
        },
    })  # fmt: skip
    inner = window[7 : 7 + 64, 5 : 5 + 64]
    for band, layer in zip(pixels.bands, pixels.data, strict=True):
        assert layer.dtype == np.uint16
        assert np.array_equal(layer, inner[band])
    assert pixels.quality is not None
    assert pixels.quality.dtype == np.uint16
    assert np.array_equal(pixels.quality, inner[QA_PIXEL_BAND])
    data = encode_chip(pixels, chip.grid, tags={})
    again = decode_chip(data)
    assert again.bands == (*SMALL.bands, QA_PIXEL_BAND)
    assert again.pixels.quality is not None
    assert np.array_equal(again.pixels.quality, pixels.quality)
    assert np.array_equal(again.pixels.valid, pixels.valid)
    assert np.array_equal(decode_bands(data, ("SR_B4",))[1], pixels.valid)


def test_south_of_the_equator_scenes_are_in_northern_zones(client: EarthEngine) -> None:
    """Sydney: EPSG:32656, and a negative y; with the southern zone nothing would be found."""
    chip = chip_on(151.0, -33.8, date(2022, 7, 1))
    assert chip.grid.crs == "EPSG:32656"
    assert chip.grid.north_m < 0
    best = rank(found_for(client, chip), chip, SMALL)[0]
    assert best.crs == "EPSG:32656"
    pixels = client.read(chip, best, SMALL)
    assert isinstance(pixels, ChipPixels)
    assert pixels.valid.all()
    south = replace(SMALL, datum=Datum.WGS84)
    assert found_for(client, chip_on(151.0, -33.8, date(2022, 7, 1), south), south) == ()


def test_scenes_of_the_next_zone_take_no_places(client: EarthEngine) -> None:
    """At a zone's edge some overpasses are stored in the other zone; only the chip's are asked."""
    chip = chip_on(-120.02, 37.6, date(2022, 7, 1))
    everything = replace(SMALL, scene_cloud_limit_pct=101.0, candidates=20)
    asked = found_for(client, chip, everything)
    mixed = found_for(client, chip, replace(everything, zone_from_grid=False))
    assert {one.crs for one in asked} == {"EPSG:32610"}
    assert {one.crs for one in mixed} == {"EPSG:32610", "EPSG:32611"}
    assert set(asked) <= set(mixed)


def test_a_wrong_lattice_stops_the_run_and_says_which_is_right(client: EarthEngine) -> None:
    """Half a pixel would be lost without a word."""
    wrong = replace(SMALL, lattice_offset_m=0)
    with pytest.raises(SetupError, match=r"15 m east and 15 m north") as caught:
        found_for(client, chip_on(-121.9, 37.6, date(2022, 7, 1), wrong), wrong)
    assert "`lattice_offset_m: 15`" in str(caught.value)
    chip = chip_on(-121.9, 37.6, date(2022, 7, 1))
    scene = rank(found_for(client, chip), chip, SMALL)[0]
    a, b, west, d, e, north = scene.transform
    single = replace(scene, transform=(a, b, west + 15, d, e, north))
    assert rank([single, scene], chip, SMALL) == [scene]


def test_a_cloud_cover_that_was_not_calculated_is_none() -> None:
    """Landsat says -1; such a scene must not pass for a clear one."""
    row: dict[str, Any] = {
        "index": "LC08_044034_20200809", "time": 1, "crs": "EPSG:32610", "bands": "SR_B1,QA_PIXEL",
        "transform": 'PARAM_MT["Affine"]', "scale": 30, "cloud": -1,
    }  # fmt: skip
    assert parse_row(row, "LANDSAT/LC08/C02/T1_L2").cloud_scene_pct is None
