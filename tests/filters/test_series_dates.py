"""Which scenes become the dates of a series."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.chips import Scene
from collectors.sensors import Quality
from collectors.series_records import DatedScene, DatePixels, Stack
from filters.series_dates import (
    Offer,
    Window,
    choose_dates,
    choose_groups,
    fits,
    lattice_shift,
    measure_date,
    refusal_of_date,
)

FIRST = date(2020, 1, 1)
STACK = Stack(
    name="sentinel2", collection="COPERNICUS/S2_SR_HARMONIZED", bands=("B2", "B3"), pixel="uint16",
    quality=Quality.SCL, scale_m=10, resampled=False, dates=4, spares=1, equal=(), contains=(),
    cloud_property=None, scene_cloud_limit_pct=None, cloud_limit_pct=25, missing_limit_pct=0,
    zone_property=None, processing_property=None, generated_property=None, product_property=None,
    group_property=None, groups=(), grid_band=None,
)  # fmt: skip


def dated(day: int, name: str = "", group: str = "", **changes: Any) -> DatedScene:
    """A scene so many days after the first."""
    moment = datetime(2020, 1, 1, 18, tzinfo=UTC) + timedelta(days=day)
    values = {
        "scene_id": f"S2/{name or day}", "acquired_at": moment, "cloud_scene_pct": 0.0,
        "processing": "", "generated_at": None, "crs": "EPSG:32610",
        "transform": (10.0, 0.0, 600000.0, 0.0, -10.0, 4200000.0), "bands": ("B2", "B3", "SCL"),
        "gsd_m": 10.0,
    }  # fmt: skip
    return DatedScene(Scene(**(values | changes)), name, group)


def window(days: int) -> Window:
    """So many days from the first on."""
    return Window(FIRST, FIRST + timedelta(days=days - 1))


OFFERS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 5)), min_size=0, max_size=9
)  # days and cloud, many alike
GROUPS = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["UP", "DOWN"])), min_size=0, max_size=12
)


def offers_of(drawn: list[tuple[int, int]]) -> list[Offer]:
    """Scenes of different names."""
    return [
        Offer(dated(day, f"{number}"), float(cloud)) for number, (day, cloud) in enumerate(drawn)
    ]


@given(OFFERS, st.integers(1, 6), st.randoms())
def test_no_other_choice_covers_more_slots_or_is_clearer(drawn, count, chance):
    """Against all choices of different days: most slots first, then least cloud; in any order."""
    offers, span = offers_of(drawn), window(12)
    chosen = choose_dates(offers, span, count)
    cloud = {one.dated.scene.scene_id: one.cloud_pct for one in offers}
    size = min(count, len({day for day, _ in drawn}))

    def worth(choice):
        slots = {(one.day - FIRST).days * count // 12 for one in choice}
        return (-len(slots), sum(cloud[one.scene.scene_id] for one in choice))

    possible = [
        choice
        for choice in combinations([one.dated for one in offers], size)
        if len({one.day for one in choice}) == size
    ]
    assert len(chosen) == size
    assert worth(chosen) == min(map(worth, possible))
    shuffled = offers[:]
    chance.shuffle(shuffled)
    assert choose_dates(shuffled, span, count) == chosen


@given(GROUPS, st.sampled_from([2, 4, 6]))
def test_dates_are_sorted_distinct_and_shared_out(drawn, count):
    """Each group has its share where it has so many days, and no day is taken twice."""
    offers = [Offer(dated(day, f"{n}", group), 0.0) for n, (day, group) in enumerate(drawn)]
    chosen = choose_groups(offers, window(12), count, ("UP", "DOWN"))
    days = [one.day for one in chosen]
    assert days == sorted(set(days))
    up = {day for day, group in drawn if group == "UP"}
    assert sum(one.group == "UP" for one in chosen) == min(count // 2, len(up))
    taken = {(one.day - FIRST).days for one in chosen if one.group == "UP"}
    down = {day for day, group in drawn if group == "DOWN"} - taken
    assert sum(one.group == "DOWN" for one in chosen) == min(count // 2, len(down))


def test_alike_scenes_the_middle_of_the_slot_then_the_later_made_then_the_name():
    """What decides where cloud does not."""
    span = window(30)  # slots of 10 days: middles at 4.5, 14.5, 24.5
    offers = [Offer(dated(day), None) for day in (0, 3, 9, 10, 16, 29)]
    assert [(one.day - FIRST).days for one in choose_dates(offers, span, 3)] == [3, 16, 29]
    made = [datetime(2021, month, 1, tzinfo=UTC) for month in (3, 5, 5)]
    twins = [
        Offer(dated(7, name, generated_at=moment), 1.0)
        for name, moment in zip("cba", made, strict=True)
    ]
    assert [one.product for one in choose_dates(twins, span, 3)] == ["a"]


def test_scenes_outside_the_window_and_no_dates_wanted():
    """Neither is anything."""
    offers = [Offer(dated(day), 0.0) for day in (-1, 12)]
    assert choose_dates(offers, window(12), 4) == []
    assert choose_dates([Offer(dated(3), 0.0)], window(12), 0) == []


@pytest.mark.parametrize(
    ("changes", "fit"),
    [
        ({}, True),
        ({"bands": ("B2", "SCL")}, False),
        ({"crs": "EPSG:32611"}, False),
        ({"transform": (10.0, 0.0, 600000.0, 0.0, 10.0, 4000000.0)}, True),
        ({"transform": (10.0, 0.0, 600004.0, 0.0, -10.0, 4200000.0)}, False),
        ({"transform": (20.0, 0.0, 600000.0, 0.0, -20.0, 4200000.0)}, False),
        ({"transform": (10.0, 1.0, 600000.0, 0.0, -10.0, 4200000.0)}, False),
    ],
)
def test_a_scene_fits_where_its_pixels_are_the_footprint_s(changes, fit):
    """Upside down is as good; half a pixel aside is not."""
    scene = dated(0, **changes)
    assert fits(scene, STACK, "EPSG:32610", (614400.0, 3871360.0)) is fit


def test_resampled_stacks_take_any_lattice_and_zone_but_not_missing_bands():
    """Sentinel-1 has lattices of its own."""
    from dataclasses import replace

    stack = replace(STACK, resampled=True)
    odd = dated(0, crs="EPSG:32611", transform=(10.0, 0.0, 3.7, 0.0, -10.0, 8.2))
    assert fits(odd, stack, "EPSG:32610", (0.0, 0.0))
    assert not fits(dated(0, bands=("B2",)), stack, "EPSG:32610", (0.0, 0.0))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_shift_is_at_most_half_a_pixel_and_leads_onto_the_lattice(west, north):
    """Origin plus shift is a whole number of pixels from the corner."""
    east_m, north_m = lattice_shift((west, north), (640.0, 1280.0), 10.0)
    for shift, start, corner in ((east_m, west, 640.0), (north_m, north, 1280.0)):
        assert abs(shift) <= 5.0 + 1e-9
        assert (corner - start - shift) / 10 == pytest.approx(
            round((corner - start) / 10), abs=1e-6
        )


def pixels(quality: list[int]) -> DatePixels:
    """A date of four pixels by their classes."""
    classes = np.array([quality], np.uint8)
    return DatePixels(dated(0), np.ones((2, 1, 4), np.uint16), classes, classes != 0)


@pytest.mark.parametrize(
    ("classes", "cloud", "shadow", "missing", "reason"),
    [
        ([4, 5, 6, 11], 0.0, 0.0, 0.0, None),
        ([8, 4, 3, 4], 25.0, 25.0, 0.0, None),
        ([9, 10, 4, 4], 50.0, 0.0, 0.0, "cloudy"),
        ([0, 8, 4, 4], 100 / 3, 0.0, 25.0, "missing"),
        ([0, 0, 0, 0], None, None, 100.0, "missing"),
    ],
)
def test_a_date_is_measured_in_the_footprint(classes, cloud, shadow, missing, reason):
    """Cloud over the pixels that hold data; the limit itself is allowed."""
    measured = measure_date(pixels(classes))
    assert (measured.cloud_pct, measured.shadow_pct) == (cloud, shadow)
    assert measured.missing_pct == missing
    assert refusal_of_date(measured, STACK) == reason
