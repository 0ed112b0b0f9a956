"""Placement, against the rules written out plainly, and the promises it makes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from math import hypot
from random import Random  # noqa: TC003 - read by Hypothesis
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.cells import Cell
from collectors.chips import Chip
from collectors.geo import Box, ChipGrid, Zone, transformer
from collectors.sensors import Datum
from filters.chip_shares import lower_median
from filters.placement import Centre, Placement, chip_id, place, position
from filters.spots import Spot
from filters.time_bins import time_bin
from tests.sensors import NAIP, SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.sensors import Sensor

SMALL = replace(SENTINEL2, size_px=16, area_px=8)
"""Chips of 160 m with an area of 80 m: a few photos are enough for everything to happen."""

PLACES = {
    "inside a zone": (-122.3, 37.8),
    "zone edge": (-120.0, 37.8),
    "zone edge far north": (18.0, 70.0),
    "Norway's edge": (3.0, 60.0),
    "southern zone edge": (150.0, -33.0),
}
FIRST = date(2020, 5, 1)


def spots_around(lon: float, lat: float, random: Random, count: int, reach_m: float) -> list[Spot]:
    """Returns photos within a square around a place, on quarters of a pixel, in two quarters."""
    zone = Zone.at(lon, lat).crs(SENTINEL2.datum)
    x, y = transformer("EPSG:4326", zone).transform(lon, lat)
    spots = []
    for number in range(count):
        step = 2.5
        px = round(random.uniform(x - reach_m, x + reach_m) / step) * step
        py = round(random.uniform(y - reach_m, y + reach_m) / step) * step
        at = transformer(zone, "EPSG:4326").transform(px, py)
        day = FIRST + timedelta(days=random.randrange(80))
        spots.append(Spot(f"p{number}", *at, day, random.randrange(count), random.choice("abc")))
    return spots


def cell_around(lon: float, lat: float) -> Box:
    """Returns a box a little larger than the places of the tests."""
    return Box(lon - 0.02, lat - 0.008, lon + 0.02, lat + 0.008)


def own_chip(spot: Spot, sensor: Sensor) -> Chip:
    """Returns the chip that a photo would make."""
    zone = Zone.at(spot.lon, spot.lat)
    crs = zone.crs(sensor.datum)
    x, y = transformer("EPSG:4326", crs).transform(spot.lon, spot.lat)
    grid = ChipGrid.around(x, y, crs, sensor.scale_m, sensor.size_px)
    name = time_bin(spot.taken_on, sensor.bin_months)
    return Chip(chip_id(sensor, zone, grid, name), sensor.name, name, grid, spot.taken_on)


def centre_of(chip: Chip) -> tuple[float, float]:
    """Returns a chip's centre in degrees."""
    lon, lat = transformer(chip.grid.crs, "EPSG:4326").transform(*chip.grid.centre)
    return float(lon), float(lat)


def holds(chip: Chip, lon: float, lat: float, sensor: Sensor) -> bool:
    """Says whether a chip's area of interest holds a point in degrees."""
    return chip.grid.area_holds(*chip.grid.locate(lon, lat), sensor.area_px)


def holds_centre(chip: Chip, other: Chip, sensor: Sensor) -> bool:
    """Says whether a chip's area of interest holds another chip's centre."""
    if chip.grid.crs == other.grid.crs:
        return chip.grid.area_holds(*chip.grid.pixel_of(*other.grid.centre), sensor.area_px)
    return holds(chip, *centre_of(other), sensor)


def area_inside(chip: Chip, box: Box, sensor: Sensor) -> bool:
    """Says whether corners and middles of edges of a chip's area lie in a box."""
    x, y = chip.grid.centre
    half = sensor.scale_m * sensor.area_px / 2
    back = transformer(chip.grid.crs, "EPSG:4326")
    return all(
        box.holds(*back.transform(x + i * half, y + j * half))
        for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
    )  # fmt: skip


def plain_rules(
    photos: Sequence[Spot], existing: Sequence[Centre], box: Box, sensor: Sensor, cap: int,
    owner_cap: int, blocked: Sequence[Chip],
) -> Placement:  # fmt: skip
    """The rules as their text says them, comparing all with all."""
    ordered = sorted(photos, key=lambda one: (one.hash, one.photo_id))
    old = [one.chip for one in existing] + list(blocked)
    made: list[Chip] = []
    for spot in ordered:
        own = own_chip(spot, sensor)
        others = [chip for chip in old + made if chip.time_bin == own.time_bin]
        if area_inside(own, box, sensor) and not any(
            holds(chip, spot.lon, spot.lat, sensor) or holds_centre(chip, own, sensor)
            or holds_centre(own, chip, sensor)
            for chip in others
        ):  # fmt: skip
            made.append(own)
    room = {one.chip.chip_id: cap - one.members for one in existing}
    room |= {chip.chip_id: cap for chip in made}
    held = {(one.chip.chip_id, owner): count for one in existing
            for owner, count in one.owners.items()}  # fmt: skip
    shut = {chip.chip_id for chip in blocked}
    members: dict[str, str] = {}
    unplaced: dict[str, str] = {}
    days: dict[str, list[date]] = {}
    beside: dict[str, tuple[Chip, list[Chip]]] = {}
    for spot in ordered:
        own = own_chip(spot, sensor)
        around = [
            chip for chip in old + made
            if chip.time_bin == own.time_bin and holds(chip, spot.lon, spot.lat, sensor)
        ]  # fmt: skip
        around.sort(
            key=lambda chip: (position(chip.grid, spot.lon, spot.lat).distance_m, chip.chip_id)
        )
        with_room = [chip.chip_id for chip in around if room.get(chip.chip_id, 0) > 0]
        free = [name for name in with_room if held.get((name, spot.owner), 0) < owner_cap]
        if free:
            members[spot.photo_id] = free[0]
            room[free[0]] -= 1
            held[free[0], spot.owner] = held.get((free[0], spot.owner), 0) + 1
            days.setdefault(free[0], []).append(spot.taken_on)
        else:
            beside[spot.photo_id] = own, around
    for photo_id, (own, around) in beside.items():
        if any(room.get(chip.chip_id, 0) > 0 for chip in around):
            unplaced[photo_id] = "owner_share"
        elif any(chip.chip_id not in shut for chip in around):
            unplaced[photo_id] = "chip_full"
        elif around:
            unplaced[photo_id] = "chip_without_scene"
        elif not area_inside(own, box, sensor):
            unplaced[photo_id] = "border"
        else:
            unplaced[photo_id] = "between_chips"
    chips = tuple(
        replace(chip, target_date=lower_median(days[chip.chip_id]))
        for chip in sorted(made, key=lambda one: one.chip_id)
    )
    return Placement(chips, members, unplaced)


worlds = st.tuples(
    st.sampled_from(sorted(PLACES)), st.randoms(use_true_random=False), st.integers(1, 60),
    st.sampled_from([60.0, 250.0, 900.0]), st.integers(1, 4),
)  # fmt: skip
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(worlds)
def test_placement_is_what_the_plain_rules_say(
    world: tuple[str, Random, int, float, int],
) -> None:
    """New photos, what is left of them again, and more beside open and shut chips."""
    place_name, random, count, reach, cap = world
    owner_cap = random.randint(1, cap)
    lon, lat = PLACES[place_name]
    box = cell_around(lon, lat)
    spots = spots_around(lon, lat, random, count, reach)
    earlier, later = spots[: count // 2], spots[count // 2 :]
    first = place(earlier, [], box, SMALL, cap=cap, owner_cap=owner_cap)
    assert first == plain_rules(earlier, [], box, SMALL, cap, owner_cap, [])
    owner_of = {one.photo_id: one.owner for one in earlier}
    owners = {
        chip.chip_id: Counter(owner_of[name] for name, at in first.members.items()
                              if at == chip.chip_id)
        for chip in first.chips
    }  # fmt: skip
    left = [spot for spot in earlier if spot.photo_id in first.unplaced]
    again = place(
        left, [Centre(chip, owners[chip.chip_id]) for chip in first.chips], box, SMALL, cap=cap,
        owner_cap=owner_cap,
    )  # fmt: skip
    assert again == Placement((), {}, first.unplaced)
    shut = [chip for number, chip in enumerate(first.chips) if number % 3 == 0]
    open_ones = [Centre(chip, owners[chip.chip_id]) for chip in first.chips if chip not in shut]
    second = place(later, open_ones, box, SMALL, cap=cap, owner_cap=owner_cap, blocked=shut)
    assert second == plain_rules(later, open_ones, box, SMALL, cap, owner_cap, shut)


@often
@given(worlds)
def test_the_promises_hold(world: tuple[str, Random, int, float, int]) -> None:
    """Any order gives the same; no chip is over its number; no centre lies in another's area."""
    place_name, random, count, reach, cap = world
    lon, lat = PLACES[place_name]
    box = cell_around(lon, lat)
    spots = spots_around(lon, lat, random, count, reach)
    placed = place(spots, [], box, SMALL, cap=cap)
    mixed = list(spots)
    random.shuffle(mixed)
    assert place(mixed, [], box, SMALL, cap=cap) == placed

    by_id = {chip.chip_id: chip for chip in placed.chips}
    assert len(by_id) == len(placed.chips)
    assert placed.members.keys() | placed.unplaced.keys() == {one.photo_id for one in spots}
    assert not placed.members.keys() & placed.unplaced.keys()
    taken = list(placed.members.values())
    assert set(taken) == set(by_id)
    assert all(taken.count(name) <= cap for name in by_id)
    for chip in placed.chips:
        assert area_inside(chip, box, SMALL)
        for other in placed.chips:
            if other is not chip and other.time_bin == chip.time_bin:
                assert not holds_centre(chip, other, SMALL)
    for spot in spots:
        if spot.photo_id in placed.members:
            chip = by_id[placed.members[spot.photo_id]]
            assert holds(chip, spot.lon, spot.lat, SMALL)
            assert chip.time_bin == time_bin(spot.taken_on, 3)


def at_metres(x: float, y: float, number: int, day: date = FIRST, owner: str | None = None) -> Spot:
    """Returns a photo at metres from a corner of the grid near San Francisco."""
    lon, lat = transformer("EPSG:32610", "EPSG:4326").transform(550000 + x, 4180000 + y)
    return Spot(f"p{number}", lon, lat, day, number, owner or f"o{number}")


WIDE = Box(-123.0, 37.0, -121.0, 38.5)


def test_a_new_chip_is_named_by_its_grid_and_quarter_and_dated_by_its_photos() -> None:
    """The grid is snapped to whole pixels, and the date is the lower median of the members'."""
    days = [date(2020, 4, 3), date(2020, 6, 9), date(2020, 5, 1), date(2020, 5, 30)]
    spots = [at_metres(4 + i, -3, i, day) for i, day in enumerate(days)]
    placed = place(spots, [], WIDE, SENTINEL2, cap=25)
    (chip,) = placed.chips
    assert chip.chip_id == "sentinel2_10N_547760_4182240_2020Q2"
    assert chip.grid == ChipGrid("EPSG:32610", 547760, 4182240, 10, 448)
    assert chip.target_date == date(2020, 5, 1)
    assert set(placed.members.values()) == {chip.chip_id}
    assert place(spots[:2], [], WIDE, SENTINEL2, cap=25).chips[0].target_date == days[0]


def test_half_metre_corners_have_names_of_their_own() -> None:
    """Two grids half a metre apart are two chips with two names, without a dot."""
    fine = replace(NAIP, scale_m=0.5)
    grids = [ChipGrid("EPSG:26910", 550000 + step, 4180000, 0.5, 448) for step in (0, 0.5)]
    names = [chip_id(fine, Zone(10, north=True), grid, "2019-2021") for grid in grids]
    assert names == ["naip_10N_550000_4180000_2019-2021", "naip_10N_550000p5_4180000_2019-2021"]


def test_the_photos_of_smallest_hash_are_taken_and_the_rest_is_full() -> None:
    """Of 30 photos in one place that arrive together the 25 of smallest hash are paired."""
    spots = [at_metres(i, i, i) for i in range(30)]
    placed = place(spots[::-1], [], WIDE, SENTINEL2, cap=25)
    assert sorted(placed.members) == sorted(one.photo_id for one in spots[:25])
    assert placed.unplaced == {one.photo_id: "chip_full" for one in spots[25:]}


def test_one_owner_fills_no_chip() -> None:
    """Of 10 photos of one owner and 5 of others the chip takes 4 and 5; the rest have a reason."""
    spots = [at_metres(i, i, i, owner="busy" if i < 10 else None) for i in range(15)]
    placed = place(spots, [], WIDE, SENTINEL2, cap=10, owner_cap=4)
    assert sorted(placed.members) == sorted(f"p{i}" for i in (0, 1, 2, 3, 10, 11, 12, 13, 14))
    assert placed.unplaced == {f"p{i}": "owner_share" for i in range(4, 10)}


def test_a_photo_overflows_into_the_next_nearest_chip() -> None:
    """A photo whose nearest chip is full goes to another one whose area holds it."""
    spots = [at_metres(0, 0, 0), at_metres(1200, 0, 1), at_metres(100, 0, 2), at_metres(500, 0, 3)]
    placed = place(spots, [], WIDE, SENTINEL2, cap=2)
    first, second = placed.members["p0"], placed.members["p1"]
    assert first != second
    assert placed.members["p2"] == first
    assert placed.members["p3"] == second


def test_of_two_chips_equally_near_the_one_with_the_smaller_id_takes_the_photo() -> None:
    """The order in which chips are given settles nothing."""
    chip = place([at_metres(0, 0, 0)], [], WIDE, SENTINEL2, cap=25).chips[0]
    twins = [Centre(replace(chip, chip_id=name), {}) for name in ("c", "a", "b")]
    placed = place([at_metres(50, 70, 1)], twins, WIDE, SENTINEL2, cap=25)
    assert placed.members == {"p1": "a"}


def test_a_photo_inside_an_area_makes_no_chip_though_its_grid_is_snapped_outside() -> None:
    """At the north-east corner of an area the photo counts, not only the centre it would make."""
    spots = [at_metres(0, 0, 0), at_metres(1117, 1117, 1)]
    placed = place(spots, [], WIDE, SENTINEL2, cap=25)
    assert [chip.chip_id for chip in placed.chips] == ["sentinel2_10N_547760_4182240_2020Q2"]
    assert len(set(placed.members.values())) == 1


def test_what_was_paired_before_stays_and_only_the_room_left_is_filled() -> None:
    """A later photo with a smaller hash neither moves a chip nor takes a place that is taken."""
    first = place([at_metres(0, 0, 5)], [], WIDE, SENTINEL2, cap=2)
    later = [at_metres(300, 0, 1), at_metres(350, 0, 2)]
    second = place(later, [Centre(first.chips[0], {"somebody": 1})], WIDE, SENTINEL2, cap=2)
    assert second.chips == ()
    assert second.members == {"p1": first.chips[0].chip_id}
    assert second.unplaced == {"p2": "chip_full"}


def test_reasons_for_having_no_chip() -> None:
    """Border, extent, age, and a chip without a scene, each for its own photo."""
    shut = place([at_metres(0, 0, 0)], [], WIDE, SENTINEL2, cap=25).chips
    x, y = transformer("EPSG:4326", "EPSG:32610").transform(-121.0, 37.8)
    spots = [
        at_metres(100, 100, 1),
        at_metres(x - 550000 - 900, y - 4180000, 2),
        at_metres(5000, 0, 3, date(2017, 2, 10)),
        at_metres(5000, 0, 4, date(2017, 2, 11)),
    ]
    sensor = replace(SENTINEL2, extent=Box(-123.0, 37.0, -121.0, 37.79))
    placed = place([*spots, at_metres(0, 9000, 5)], [], WIDE, sensor, cap=25, blocked=shut)
    assert placed.unplaced["p5"] == "outside_extent"
    placed = place(spots, [], WIDE, SENTINEL2, cap=25, blocked=shut)
    assert placed.unplaced == {
        "p1": "chip_without_scene", "p2": "border", "p3": "before_sensor",
    }  # fmt: skip
    assert [chip.time_bin for chip in placed.chips] == ["2017Q1"]


def test_a_sensor_may_end() -> None:
    """A photo of the last day is placed, one of the day after has its reason."""
    sensor = replace(SENTINEL2, until=date(2020, 5, 2))
    spots = [at_metres(0, 0, 1, date(2020, 5, 2)), at_metres(9000, 0, 2, date(2020, 5, 3))]
    placed = place(spots, [], WIDE, sensor, cap=25)
    assert set(placed.members) == {"p1"}
    assert placed.unplaced == {"p2": "after_sensor"}


def test_a_photo_near_the_border_is_paired_when_a_chip_of_its_cell_covers_it() -> None:
    """It may not become a centre, but another photo's chip takes it."""
    x, y = transformer("EPSG:4326", "EPSG:32610").transform(-121.0, 37.8)
    near = at_metres(x - 550000 - 200, y - 4180000, 1)
    inner = at_metres(x - 550000 - 1300, y - 4180000, 2)
    assert place([near], [], WIDE, SENTINEL2, cap=25).unplaced == {"p1": "border"}
    placed = place([near, inner], [], WIDE, SENTINEL2, cap=25)
    assert placed.members["p1"] == placed.members["p2"]


def test_a_chip_of_the_next_zone_takes_photos_across_the_edge() -> None:
    """Two photos 100 m apart on either side of longitude −120° share the chip of the first."""
    west, east = (Spot(name, -120 + step, 37.8, FIRST, number, name)
                  for number, (name, step) in enumerate([("w", -5e-4), ("e", 6e-4)]))  # fmt: skip
    box = Box(-120.5, 37.3, -119.5, 38.3)
    placed = place([west, east], [], box, SENTINEL2, cap=25)
    assert [chip.grid.crs for chip in placed.chips] == ["EPSG:32610"]
    assert placed.members["w"] == placed.members["e"]
    turned = place([replace(west, hash=9), east], [], box, SENTINEL2, cap=25)
    assert [chip.grid.crs for chip in turned.chips] == ["EPSG:32611"]


@pytest.mark.parametrize("lon", [179.9999, -179.9999])
def test_the_antimeridian_is_a_border_like_any_other(lon: float) -> None:
    """An area across longitude 180° lies in no single cell."""
    spot = Spot("p", lon, -17.0, FIRST, 1, "o")
    placed = place([spot], [], Cell.at(lon, -17.0).box, SENTINEL2, cap=25)
    assert placed.unplaced == {"p": "border"}


def test_the_position_is_the_geotags_own_pixel() -> None:
    """Row and column come from the chip's transform, and the distance is to its centre."""
    spot = at_metres(1000, -250, 1)
    grid = ChipGrid("EPSG:32610", 547760, 4182240, 10, 448)
    seen = position(grid, spot.lon, spot.lat)
    assert (seen.row, seen.column) == pytest.approx((249.0, 324.0), abs=1e-6)
    assert seen.distance_m == pytest.approx(hypot(1000, 250), abs=1e-5)


def test_zones_that_are_turned_against_each_other_see_each_others_centres() -> None:
    """At 78° north two zones meet at 12°: a corner of an area reaches past the other's neighbours.

    The later photo lies outside of the earlier one's area, but that one's centre lies in its own.
    """
    to_33 = transformer("EPSG:4326", "EPSG:32633")
    box = Box(8.0, 77.5, 10.0, 78.5)
    for step in range(60):
        earlier = Spot("west", 9 - 1e-4, 77.8 + 0.01 * step, FIRST, 0, "o")
        x, y = to_33.transform(earlier.lon, earlier.lat)
        lon, lat = to_33.transform(x + 1100, y + 1100, direction="INVERSE")
        later = Spot("east", lon, lat, FIRST, 1, "o")
        west, east = own_chip(earlier, SENTINEL2), own_chip(later, SENTINEL2)
        assert (west.grid.crs, east.grid.crs) == ("EPSG:32631", "EPSG:32633")
        assert not holds(west, later.lon, later.lat, SENTINEL2)
        assert holds_centre(east, west, SENTINEL2)
        placed = place([earlier, later], [], box, SENTINEL2, cap=25)
        assert [chip.chip_id for chip in placed.chips] == [west.chip_id]
        assert placed.unplaced == {"east": "between_chips"}


def test_in_northern_zones_the_equator_is_no_border() -> None:
    """Photos on both sides share a chip on the sensor's own pixels, named by the CRS's zone.

    The zones are those of a sensor whose scenes are northern everywhere, one beside another.
    """
    sensor = replace(
        SENTINEL2, name="l", datum=Datum.WGS84_NORTH, scale_m=30, lattice_offset_m=15, size_px=16,
        area_px=8,
    )  # fmt: skip
    spots = [
        Spot("south", 20.9995, -0.0004, FIRST, 1, "a"),
        Spot("north", 20.9995, 0.0004, FIRST, 2, "b"),
        Spot("far", 20.99, -0.01, FIRST, 3, "c"), Spot("next", 24.003, -0.01, FIRST, 4, "d"),
    ]  # fmt: skip
    placed = place(spots, [], Box(20, -1, 25, 1), sensor, cap=25)
    assert placed.members["south"] == placed.members["north"]
    assert len(placed.chips) == 3
    for chip in placed.chips:
        zone = "35N" if chip.grid.crs == "EPSG:32635" else "34N"
        assert chip.grid.crs in {"EPSG:32634", "EPSG:32635"}
        assert chip.chip_id.startswith(f"l_{zone}_")
        assert (chip.grid.west_m % 30, chip.grid.north_m % 30) == (15, 15)
    for spot in spots:
        chip = next(one for one in placed.chips if one.chip_id == placed.members[spot.photo_id])
        at = position(chip.grid, spot.lon, spot.lat)
        assert chip.grid.area_holds(at.row, at.column, 8)
    grid = next(one.grid for one in placed.chips if one.chip_id == placed.members["far"])
    x, y = transformer("EPSG:4326", grid.crs).transform(20.99, -0.01)
    assert grid == ChipGrid.around(x, y, grid.crs, 30, 16, offset_m=15)
