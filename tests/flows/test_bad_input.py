"""Input that makes no sense: refused or repaired, with a reason, and never a wrong pair."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from collectors.cells import Cell, Ground
from collectors.flickr_rows import UnreadableRow, read_row
from collectors.geo import Zone
from filters.metadata import Rules, screen
from filters.placement import place
from filters.spots import Spot, Spots
from flows.catalogue.blocks import checked_box
from flows.catalogue.regions import read_polygons
from flows.catalogue.text import CatalogueError
from tests.sensors import NAIP, SENTINEL2

if TYPE_CHECKING:
    from pathlib import Path

NOW = date(2024, 6, 1)
RULES = Rules(16, frozenset({4}), date(2015, 1, 1), NOW + timedelta(days=1))
CELL = Cell.at(-122.3, 37.8)
GROUND = Ground(CELL, CELL.box.polygon(), 1.0)

ROW: dict[str, Any] = {
    "id": "49000000001", "owner": "7000000@N06", "media": "photo", "license": "4",
    "dateupload": "1581319011", "datetaken": "2019-11-05 15:54:37",
    "datetakengranularity": "0", "datetakenunknown": "0", "latitude": "37.8",
    "longitude": "-122.3", "accuracy": "16", "geo_is_public": 1,
}  # fmt: skip

BAD: list[tuple[dict[str, Any], str]] = [
    ({"latitude": float("nan")}, "latitude nan"),
    ({"latitude": "NaN"}, "latitude 'NaN'"),
    ({"longitude": "inf"}, "longitude 'inf'"),
    ({"longitude": 1e309}, "longitude inf"),
    ({"latitude": "90.01"}, "latitude '90.01'"),
    ({"latitude": -91}, "latitude -91"),
    ({"longitude": "-180.5"}, "longitude '-180.5'"),
    ({"longitude": 237.7}, "longitude 237.7"),
    ({"latitude": ""}, "could not convert"),
    ({"latitude": "37,8"}, "could not convert"),
    ({"longitude": None}, "float"),
    ({"latitude": "0", "longitude": "0", "accuracy": "0"}, "no_location"),
    ({"latitude": "-37.8"}, "outside_region"),
    ({"latitude": "-122.3", "longitude": "37.8"}, "latitude '-122.3'"),
    ({"accuracy": 17}, "accuracy 17"),
    ({"datetaken": "0000-00-00 00:00:00"}, "unknown_date"),
    ({"datetaken": "0000-01-01 00:00:00"}, "unknown_date"),
    ({"datetaken": "0001-01-01 00:00:00"}, "bad_date"),
    ({"datetaken": "1066-10-14 09:00:00"}, "bad_date"),
    ({"datetaken": "2019-02-30 12:00:00"}, "unknown_date"),
    ({"datetaken": "2100-01-01 00:00:00"}, "bad_date"),
    ({"datetaken": "9999-12-31 23:59:59"}, "bad_date"),
    ({"datetaken": "10000-01-01 00:00:00"}, "unknown_date"),
    ({"datetaken": "2100-01-01 00:00:00", "dateupload": "4102531200"}, "outside_window"),
    ({"dateupload": "-62135596801"}, "year"),
    ({"dateupload": "0"}, "bad_date"),
    ({"dateupload": "99999999999999"}, "year"),
    ({"owner": ""}, "owner ''"),
    ({"owner": "  "}, "owner ''"),
    ({"owner": None}, "owner ''"),
    ({"id": ""}, "id ''"),
    ({"id": "-5"}, "id '-5'"),
]


@pytest.mark.parametrize(("changes", "said"), BAD, ids=[str(one[0]) for one in BAD])
def test_a_bad_row_ends_with_its_reason(changes: dict[str, Any], said: str) -> None:
    """It cannot be read, or is screened out: what it never does is reach a placement."""
    seen = read_row(ROW | changes)
    if isinstance(seen, UnreadableRow):
        assert said in seen.detail
    else:
        assert screen(seen, GROUND, RULES) == said


@pytest.mark.parametrize("field", [name for name in ROW if name != "geo_is_public"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    """Nothing is made up in its place."""
    seen = read_row({name: value for name, value in ROW.items() if name != field})
    assert isinstance(seen, UnreadableRow)
    assert field in seen.detail


def test_a_good_row_is_good() -> None:
    """What the bad ones are made of has nothing against it; 180° east is 180° west."""
    seen = read_row(ROW)
    assert not isinstance(seen, UnreadableRow)
    assert screen(seen, GROUND, RULES) is None
    edge = read_row(ROW | {"longitude": "180"})
    assert not isinstance(edge, UnreadableRow)
    assert edge.lon == -180.0


NOWHERE = [
    (float("nan"), 37.8), (-122.3, float("nan")), (float("inf"), 37.8), (-122.3, float("-inf")),
    (180.5, 37.8), (-122.3, 90.5), (-122.3, -91.0),
]  # fmt: skip


@pytest.mark.parametrize(("lon", "lat"), NOWHERE)
def test_placement_refuses_a_place_that_is_none(lon: float, lat: float) -> None:
    """Also when it comes past the screen: with the photo's id, beside photos that are good."""
    good = Spot("good", -122.3, 37.8, date(2020, 5, 1), 1, "o")
    bad = Spot("bad", lon, lat, date(2020, 5, 1), 0, "o")
    with pytest.raises(ValueError, match=r"photo bad: .* is no place on Earth"):
        place([good, bad], [], CELL.box, SENTINEL2, cap=25)


def test_placement_refuses_a_photo_without_a_date() -> None:
    """Not-a-time sorts before every date, and would be a photo from before the sensor."""
    days = np.array(["2020-05-01", "NaT"], dtype="datetime64[D]")
    with pytest.raises(ValueError, match="photo bad has no date"):
        Spots(np.array(["good", "bad"], dtype=object), np.full(2, -122.3), np.full(2, 37.8), days,
              np.zeros(2, dtype=np.uint64), np.array(["o", "o"], dtype=object))  # fmt: skip


def test_placement_refuses_columns_that_do_not_belong_together() -> None:
    """A photo too few in one column would move every date by one."""
    one = np.zeros(1, dtype=np.uint64)
    with pytest.raises(ValueError, match="unlike lengths"):
        Spots(np.array(["a", "b"], dtype=object), np.zeros(2), np.zeros(2),
              np.array(["2020-05-01"] * 2, dtype="datetime64[D]"), one,
              np.array(["o", "o"], dtype=object))  # fmt: skip


@pytest.mark.parametrize("day", [date.min, date(1066, 10, 14), date(2100, 1, 1), date.max])
def test_days_far_off_never_share_a_chip_with_others(day: date) -> None:
    """The first day of the calendar and its last are before the sensor, or a bin of their own."""
    good = Spot("good", -122.3, 37.8, date(2020, 5, 1), 0, "o")
    far = Spot("far", -122.3, 37.8, day, 1, "o")
    for sensor in (SENTINEL2, NAIP):
        placed = place([good, far], [], CELL.box, sensor, cap=25)
        if day.year < 2000:
            assert placed.unplaced == {"far": "before_sensor"}
        else:
            assert placed.members["far"] != placed.members["good"]
            assert {one.target_date for one in placed.chips} == {good.taken_on, day}


@pytest.mark.parametrize(("lon", "lat"), NOWHERE[:4] + NOWHERE[5:])
def test_there_is_no_zone_where_there_is_no_place(lon: float, lat: float) -> None:
    """Longitudes are wrapped around; anything else is refused."""
    with pytest.raises(ValueError, match="no place on Earth"):
        Zone.at(lon, lat)
    assert Zone.at(180.5, 37.8).name == "01N"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_box_with_a_number_that_is_none_is_refused(number: float) -> None:
    """Every comparison with NaN is false, so a check must not pass for that."""
    for place_in_box in range(4):
        box = [5.3, 45.3, 8.2, 47.3]
        box[place_in_box] = number
        with pytest.raises(ValueError, match="a box is"):
            checked_box((box[0], box[1], box[2], box[3]))


COLLECTION = '{"type": "FeatureCollection", "features": [%s]}'
FEATURE = """{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon",
 "coordinates": [%s]}}"""
SQUARE = "[[4, 4], [5, 4], [5, 5], [4, 5], [4, 4]]"


def polygons(tmp_path: Path, *rings: str) -> tuple[Any, list[str]]:
    """Reads a file of polygons; returns the ground and what was told."""
    path = tmp_path / "ground.geojson"
    features = ", ".join(FEATURE % ring for ring in rings)
    path.write_text(COLLECTION % features, encoding="utf-8")
    told: list[str] = []
    return read_polygons(path, told.append), told


def test_parts_that_touch_lose_no_ground(tmp_path: Path) -> None:
    """Nine squares side by side as one shape are a square of nine, the one in the middle too."""
    squares = shapely.MultiPolygon(
        [shapely.box(x, y, x + 1, y + 1) for x in range(3) for y in range(3)]
    )
    path = tmp_path / "squares.geojson"
    path.write_text(shapely.to_geojson(squares), encoding="utf-8")
    ground = read_polygons(path)
    assert ground.equals(shapely.box(0, 0, 3, 3))


def test_a_polygon_that_crosses_itself_is_repaired_and_it_is_said(tmp_path: Path) -> None:
    """Both halves of a bow tie are kept, and the line names the shape, the reason and the area."""
    ground, told = polygons(tmp_path, SQUARE, "[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]")
    assert ground.is_valid
    assert ground.area == pytest.approx(3.0)
    (line,) = told
    assert "shape 2 is not valid (Self-intersection[1 1])" in line
    assert "2 parts, 2 square degrees" in line


def test_a_polygon_that_is_sound_is_taken_without_a_word(tmp_path: Path) -> None:
    """Nothing is repaired that is whole."""
    ground, told = polygons(tmp_path, SQUARE)
    assert ground.area == pytest.approx(1.0)
    assert told == []


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        ("[[0, 0], [1, 1], [2, 2], [0, 0]]", "no polygon with area"),
        ("[[0, 0], [200, 0], [200, 50], [0, 50], [0, 0]]", "not longitude"),
        ("[[0, 0], [1, 0], [1, 95], [0, 95], [0, 0]]", "not longitude"),
        ("[[0, 0], [1, 0], [1, NaN], [0, 1], [0, 0]]", "no finite number|cannot be read"),
        ("[[0, 0], [1, 0], [1, 1e999], [0, 1], [0, 0]]", "no finite number|cannot be read"),
    ],
)
def test_a_polygon_that_cannot_be_meant_is_refused(tmp_path: Path, ring: str, said: str) -> None:
    """A line, ground beyond the globe, and numbers that are none."""
    with pytest.raises(CatalogueError, match=said):
        polygons(tmp_path, ring)
