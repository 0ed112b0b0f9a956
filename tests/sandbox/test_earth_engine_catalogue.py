"""The made-up archive has the shape that Earth Engine's own catalogue describes."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
import shapely

from collectors.sandbox.encoding import describe_asset
from collectors.sandbox.geometry import LONLAT, Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.scenes import SENSORS, Scene, SceneWorld, Sensor

if TYPE_CHECKING:
    from pathlib import Path

WORLD = SceneWorld(2, Landcover(2))
PLACES = ((-122.4, 37.7), (-100.03, 40.03), (-80.6, 35.2))
FILES = {
    Sensor.S2_L2A: "COPERNICUS/COPERNICUS_S2_SR_HARMONIZED",
    Sensor.S2_L1C: "COPERNICUS/COPERNICUS_S2_HARMONIZED",
    Sensor.CLOUD_SCORE: "GOOGLE/GOOGLE_CLOUD_SCORE_PLUS_V1_S2_HARMONIZED",
    Sensor.NAIP: "USDA/USDA_NAIP_DOQQ",
}


def source(shared_data: Path, sensor: Sensor) -> str:
    """The catalogue's description of a collection."""
    file = shared_data / "ee_catalog" / "catalog" / f"{FILES[sensor]}.jsonnet"
    return file.read_text(encoding="utf-8")


def section(text: str, name: str) -> str:
    """The list that a field of the description holds."""
    start = text.index(f"'{name}': [")
    return text[start : text.index("\n    ],", start)]


def scenes_of(sensor: Sensor) -> list[Scene]:
    """Every scene over a few places."""
    return [
        scene for place in PLACES for scene in WORLD.search(sensor, Geometry(shapely.Point(*place)))
    ]


@pytest.mark.parametrize("sensor", list(FILES))
def test_collections_have_the_catalogue_s_ids(shared_data: Path, sensor: Sensor) -> None:
    """The id is the one that the description states."""
    (name,) = re.findall(r"^local id = '(.+)';", source(shared_data, sensor), re.MULTILINE)
    assert SENSORS[name] is sensor


@pytest.mark.parametrize("sensor", [Sensor.CLOUD_SCORE, Sensor.NAIP])
def test_bands_are_named_and_ordered_as_described(shared_data: Path, sensor: Sensor) -> None:
    """A complete scene has the bands of the description, in its order."""
    names = re.findall(r"name: '(\w+)'", section(source(shared_data, sensor), "eo:bands"))
    longest = max((scene.bands for scene in scenes_of(sensor)), key=len)
    assert [band.name for band in longest] == names


def test_cloud_score_has_the_schema_s_properties(shared_data: Path) -> None:
    """Each property of the schema is there with its type, and no other is."""
    schema = section(source(shared_data, Sensor.CLOUD_SCORE), "gee:schema")
    names = re.findall(r"name: '(\w+)'", schema)
    kinds = re.findall(r"type: ee_const.var_type.(\w+)", schema)
    described = dict(zip(names, kinds, strict=True))
    types = {"string": str, "double": float}
    for scene in scenes_of(Sensor.CLOUD_SCORE)[:50]:
        own = {k: v for k, v in scene.properties.items() if not k.startswith("system:")}
        assert set(own) == set(described)
        assert all(isinstance(own[name], types[kind]) for name, kind in described.items())
        assert str(own["SOURCE_ASSET_ID"]).endswith(scene.index)


def test_cloud_score_has_the_stated_pixel_size_and_range(shared_data: Path) -> None:
    """Pixels of 10 m with floating-point values between 0 and 1."""
    text = source(shared_data, Sensor.CLOUD_SCORE)
    (gsd,) = re.findall(r"gsd: \[\s*(\d+),?\s*\]", re.sub(r"//.*", "", text))
    asset = describe_asset(scenes_of(Sensor.CLOUD_SCORE)[0])
    for band in asset["bands"]:
        assert band["grid"]["affineTransform"]["scaleX"] == float(gsd)
        assert band["dataType"] == {"precision": "FLOAT"}
    assert "cs_cdf: { minimum: 0, maximum: 1" in text


def test_aerial_prefixes_mean_what_the_catalogue_says(shared_data: Path) -> None:
    """RGB ids begin with n_, NRG ids with c_, RGBN ids with m_."""
    text = " ".join(source(shared_data, Sensor.NAIP).split())
    stated = {
        letter: bands for bands, letter in re.findall(r"(\w+) asset ids begin with '(\w)_'", text)
    }
    assert stated == {"n": "RGB", "c": "NRG", "m": "RGBN"}
    for scene in scenes_of(Sensor.NAIP):
        assert "".join(band.name for band in scene.bands) == stated[scene.index[0]]


def test_nothing_lies_outside_the_stated_extent(shared_data: Path) -> None:
    """Aerial scenes keep to the extent and begin no earlier than it says."""
    text = source(shared_data, Sensor.NAIP)
    numbers = r"extent: ee.extent\(([-\d.]+), ([-\d.]+), ([-\d.]+), ([-\d.]+),\s*'(\d{4}-\d\d-\d\d)"
    (found,) = re.findall(numbers, text)
    west, south, east, north = (float(number) for number in found[:4])
    first = dt.datetime.fromisoformat(found[4]).replace(tzinfo=dt.UTC).timestamp() * 1000
    for scene in scenes_of(Sensor.NAIP):
        box = scene.footprint.shape_in(LONLAT).bounds
        assert west <= box[0]
        assert south <= box[1]
        assert box[2] <= east
        assert box[3] <= north
        assert scene.time_ms >= first
    for edge in ((west - 0.5, 42), (east + 0.5, 45), (-98, south - 0.5), (-98, north + 0.5)):
        assert WORLD.search(Sensor.NAIP, Geometry(shapely.Point(*edge))) == []


def test_satellite_scenes_begin_when_the_score_s_source_does(shared_data: Path) -> None:
    """Cloud Score+ begins with L1C, on the day that its description states."""
    (day,) = re.findall(
        r"extent_global\('(\d{4}-\d\d-\d\d)", source(shared_data, Sensor.CLOUD_SCORE)
    )
    first = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp() * 1000
    for sensor in (Sensor.CLOUD_SCORE, Sensor.S2_L1C):
        times = [scene.time_ms for scene in scenes_of(sensor)]
        assert first <= min(times) < first + 30 * 86_400_000
