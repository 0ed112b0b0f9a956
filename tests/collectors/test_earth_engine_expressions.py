"""The constants that are sent for a chip, and the rows that come back."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.earth_engine_expressions import constants, parse_row, parse_transform
from tests.sensors import NAIP, SENTINEL2, chip_at

ROW = {
    "chip": 0, "index": "20200803T184921_20200803T185918_T10SEG", "time": 1596481800123,
    "bands": "B1,B2,SCL", "crs": "EPSG:32610", "scale": 10,
    "transform": 'PARAM_MT["Affine", \n  PARAMETER["num_row", 3], \n  PARAMETER["num_col", 3], \n'
    '  PARAMETER["elt_0_0", 10.0], \n  PARAMETER["elt_0_2", 499980.0], \n'
    '  PARAMETER["elt_1_1", -10.0], \n  PARAMETER["elt_1_2", 4200000.0]]',
    "cloud": 0.25, "processing": "02.14", "generated": 1596500000000,
}  # fmt: skip


def test_a_chips_constants_are_its_rectangle_zone_day_and_window() -> None:
    """The window is whole UTC days, both ends included: the end is the midnight after."""
    chip = chip_at(550000, 4180000, "EPSG:32610", SENTINEL2, date(1970, 3, 2))
    day = 86_400_000
    assert constants(7, chip, SENTINEL2) == [
        7, 547760, 4177760, 552240, 4182240, "EPSG:32610", "10", 60, 15 * day, 106 * day,
    ]  # fmt: skip
    flight = chip_at(550000, 4180000, "EPSG:26910", NAIP, date(1970, 3, 2))
    assert constants(0, flight, NAIP)[5:] == ["EPSG:26910", "10", 60, -1040 * day, 1161 * day]


def test_a_row_becomes_a_scene() -> None:
    """Times are UTC, the id is the whole asset's, the grid is rasterio's."""
    scene = parse_row(ROW, "COPERNICUS/S2_SR_HARMONIZED")
    assert scene.scene_id == f"COPERNICUS/S2_SR_HARMONIZED/{ROW['index']}"
    assert scene.acquired_at == datetime(2020, 8, 3, 19, 10, 0, 123000, tzinfo=UTC)
    assert scene.generated_at == datetime(2020, 8, 4, 0, 13, 20, tzinfo=UTC)
    assert (scene.cloud_scene_pct, scene.processing, scene.gsd_m) == (0.25, "02.14", 10.0)
    assert scene.transform == (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
    assert scene.bands == ("B1", "B2", "SCL")


def test_properties_that_a_sensor_does_not_have_are_empty() -> None:
    """A flight has neither cloud nor processing nor a time of making."""
    bare = {name: ROW[name] for name in ROW if name not in {"cloud", "processing", "generated"}}
    scene = parse_row(bare, "USDA/NAIP/DOQQ")
    assert (scene.cloud_scene_pct, scene.processing, scene.generated_at) == (None, "", None)


@pytest.mark.parametrize("missing", ["index", "time", "bands", "crs", "scale", "transform"])
def test_a_row_without_what_every_scene_has_is_an_error(missing: str) -> None:
    """Nothing is made up for a property that changed its name."""
    with pytest.raises(KeyError, match=missing):
        parse_row({name: ROW[name] for name in ROW if name != missing}, "x")


numbers = st.floats(-1e7, 1e7).map(lambda value: round(value, 3))


@given(st.tuples(numbers, numbers, numbers, numbers, numbers, numbers))
def test_any_affine_transform_is_read(elements: tuple[float, ...]) -> None:
    """Elements that are those of the identity may be left out."""
    identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    parameters = ["num_row", "num_col"]
    text = ", ".join(f'PARAMETER["{name}", 3]' for name in parameters)
    for number, value in enumerate(elements):
        if value != identity[number]:
            text += f', PARAMETER["elt_{number // 3}_{number % 3}", {value!r}]'
    assert parse_transform(f'PARAM_MT["Affine", {text}]') == elements


def test_other_text_is_no_transform() -> None:
    """A projection that is not affine is told, not read as the identity."""
    with pytest.raises(ValueError, match="not the text of an affine transform"):
        parse_transform('PROJCS["WGS 84 / UTM zone 10N"]')
