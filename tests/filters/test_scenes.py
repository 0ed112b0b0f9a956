"""Which scene is nearest: rules one by one, and real scenes against a plain search."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.geo import Zone
from collectors.sensors import SceneRule
from filters.scenes import delta_days, qualifies, rank
from tests.sensors import NAIP, SENTINEL2, chip_at, scene

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.chips import Chip, Scene

EVERYTHING = replace(SENTINEL2, candidates=1000)
CHIP = chip_at(550000, 4180000, "EPSG:32610", SENTINEL2, date(2020, 8, 1))


def at(day: str, **changes: Any) -> Scene:
    """Returns a scene acquired at noon UTC of a day."""
    return scene(acquired_at=datetime.fromisoformat(f"{day}T12:00+00:00"), **changes)


@pytest.mark.parametrize(
    ("time", "days"),
    [("2020-08-01T00:00", 0), ("2020-08-01T23:59", 0), ("2020-07-31T23:59", -1),
     ("2020-08-02T00:00", 1), ("2021-08-01T12:00", 365)],
)  # fmt: skip
def test_days_are_whole_dates_in_utc(time: str, days: int) -> None:
    """The difference is one of dates: a minute before midnight is the day before."""
    seen = scene(acquired_at=datetime.fromisoformat(f"{time}+00:00"))
    assert delta_days(seen, date(2020, 8, 1)) == days


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"crs": "EPSG:32611"}, False),
        ({"cloud_scene_pct": 1.0}, False),
        ({"cloud_scene_pct": 0.999}, True),
        ({"cloud_scene_pct": None}, False),
        ({"bands": SENTINEL2.bands}, False),
        ({"bands": (*SENTINEL2.bands[1:], "SCL")}, False),
        ({"acquired_at": datetime(2020, 6, 17, tzinfo=UTC)}, True),
        ({"acquired_at": datetime(2020, 6, 16, 23, tzinfo=UTC)}, False),
        ({"acquired_at": datetime(2020, 9, 15, 23, tzinfo=UTC)}, True),
        ({"acquired_at": datetime(2020, 9, 16, tzinfo=UTC)}, False),
    ],
)
def test_what_qualifies(changes: dict[str, Any], fits: bool) -> None:
    """Own CRS, all bands with SCL, strictly under the cloud limit, at most 45 days away."""
    assert qualifies(scene(**changes), CHIP, SENTINEL2) is fits


def test_a_sensor_without_cloud_figure_needs_none_and_may_lack_optional_bands() -> None:
    """NAIP's early flights have no near infrared and no scene has a cloud share."""
    chip = chip_at(550000, 4180000, "EPSG:26910", NAIP, date(2020, 8, 1))
    flight = scene(crs="EPSG:26910", cloud_scene_pct=None, bands=("R", "G", "B"))
    assert qualifies(flight, chip, NAIP)
    assert not qualifies(replace(flight, bands=("N", "R", "G")), chip, NAIP)


def test_no_more_scenes_are_ranked_than_are_tried() -> None:
    """The sensor's number of candidates is the end of the list."""
    scenes = [at(f"2020-08-{day:02d}", scene_id=str(day)) for day in range(9, 1, -1)]
    assert [one.scene_id for one in rank(scenes, CHIP, SENTINEL2)] == ["2", "3", "4", "5"]


def test_the_latest_flight_is_first_where_the_rule_says_so() -> None:
    """The nearest is last then; days still count as whole, and the window still holds."""
    sensor = replace(EVERYTHING, scene_rule=SceneRule.LATEST)
    scenes = [
        at("2020-08-01", scene_id="nearest"),
        at("2020-09-10", scene_id="late, cloudier", cloud_scene_pct=0.9),
        scene(acquired_at=datetime(2020, 9, 10, 1, tzinfo=UTC), scene_id="late",
              cloud_scene_pct=0.1),
        at("2020-06-20", scene_id="early"),
        at("2020-09-20", scene_id="too late"),
        at("2020-09-14", scene_id="latest, too cloudy", cloud_scene_pct=2.0),
    ]  # fmt: skip
    names = [one.scene_id for one in rank(scenes, CHIP, sensor)]
    assert names == ["late", "late, cloudier", "nearest", "early"]
    assert rank(scenes, CHIP, EVERYTHING)[0].scene_id == "nearest"


@pytest.mark.parametrize("rule", list(SceneRule))
def test_nothing_relaxes_when_nothing_qualifies(rule: SceneRule) -> None:
    """A day beyond the window, cloud at the limit, another zone: none is taken instead."""
    sensor = replace(SENTINEL2, scene_rule=rule)
    nearly = [
        at("2020-06-16"), at("2020-09-16"), at("2020-08-01", cloud_scene_pct=1.0),
        at("2020-08-01", crs="EPSG:32611"), at("2020-08-01", bands=SENTINEL2.bands),
    ]  # fmt: skip
    assert rank(nearly, CHIP, sensor) == []


def test_ties_are_settled_in_the_order_that_is_stated() -> None:
    """Days first, before or after alike; then cloud, processing, time of making, id."""
    made = datetime(2020, 9, 1, tzinfo=UTC)
    ordered = [
        at("2020-08-02", scene_id="z", cloud_scene_pct=0.9),
        at("2020-07-30", scene_id="y", cloud_scene_pct=0.1, processing="02.14"),
        at("2020-08-03", scene_id="x", cloud_scene_pct=0.2, processing="05.00"),
        at("2020-08-03", scene_id="w", cloud_scene_pct=0.2, processing="02.14", generated_at=made),
        at("2020-08-03", scene_id="a", cloud_scene_pct=0.2, processing="02.14"),
        at("2020-08-03", scene_id="b", cloud_scene_pct=0.2, processing="02.14"),
        at("2020-08-03", scene_id="0", cloud_scene_pct=0.2, processing="02.14", generated_at=None),
        at("2020-08-20", scene_id="v", cloud_scene_pct=0.0),
    ]
    assert [one.scene_id for one in rank(ordered[::-1], CHIP, EVERYTHING)] == list("zyxwab0v")


@given(
    st.lists(
        st.builds(
            lambda number, day, cloud, processing, made: scene(
                scene_id=str(number),
                acquired_at=datetime(2020, 7, 20, tzinfo=UTC) + timedelta(hours=day),
                cloud_scene_pct=cloud, processing=processing,
                generated_at=None if made is None else datetime(2020 + made, 1, 1, tzinfo=UTC),
            ),
            st.integers(0, 99), st.integers(0, 500), st.sampled_from([0.0, 0.5, 1.0]),
            st.sampled_from(["", "02.14", "05.00"]), st.sampled_from([None, 1, 2]),
        ),
        max_size=12, unique_by=lambda one: one.scene_id,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_order_given_does_not_matter(scenes: list[Scene], random: Any) -> None:
    """Any order of the scenes gives the same ranking, and each is no better than the one before."""
    ranked = rank(scenes, CHIP, EVERYTHING)
    mixed = list(scenes)
    random.shuffle(mixed)
    assert rank(mixed, CHIP, EVERYTHING) == ranked
    days = [abs(delta_days(one, CHIP.target_date)) for one in ranked]
    assert days == sorted(days)
    assert {one.scene_id for one in ranked} == {
        one.scene_id for one in scenes if one.cloud_scene_pct in {0.0, 0.5}
    }


def real_scenes(table: pd.DataFrame) -> list[Scene]:
    """Reads the rows of the table of real Sentinel-2 products."""
    scenes = []
    for row in table.itertuples():
        tile = str(row.mgrs_tile).zfill(5)
        crs = f"EPSG:{(32600 if tile[2] >= 'N' else 32700) + int(tile[:2])}"
        scenes.append(
            scene(
                scene_id=row.id, acquired_at=row.datetime.to_pydatetime(), crs=crs,
                cloud_scene_pct=None if pd.isna(row.cloud_cover) else float(row.cloud_cover),
                processing="" if pd.isna(row.baseline) else str(row.baseline), generated_at=None,
            )
        )  # fmt: skip
    return scenes


def chips_over(table: pd.DataFrame) -> list[Chip]:
    """Returns a chip in the middle of every third product, a few days off its date."""
    chips = []
    for number, row in enumerate(table.iloc[::3].itertuples()):
        lon, lat = (row.minx + row.maxx) / 2, (row.miny + row.maxy) / 2
        crs = Zone.at(lon, lat).crs(SENTINEL2.datum)
        target = row.datetime.date() + timedelta(days=number % 11 - 5)
        chips.append(chip_at(500000, 4000000, crs, SENTINEL2, target))
    return chips


def test_real_scenes_are_ranked_as_a_plain_table_sorts_them(shared_data: Path) -> None:
    """A search with pandas over 698 real products finds the same scenes in the same order."""
    table = pd.read_parquet(shared_data / "scenes" / "sentinel2_items.parquet")
    scenes = real_scenes(table)
    tile = table["mgrs_tile"].str.zfill(5)
    north = tile.str[2] >= "N"
    table["crs"] = "EPSG:" + (tile.str[:2].astype(int) + 32700 - 100 * north).astype(str)
    table["day"] = table["datetime"].dt.floor("D").dt.tz_localize(None)
    table["processing"] = table["baseline"].fillna("").astype(str)
    ranked_any = 0
    for chip in chips_over(table):
        days = (table["day"] - pd.Timestamp(chip.target_date)).dt.days.abs()
        found = table.assign(days=days)[
            (days <= 45) & (table["cloud_cover"] < 1.0) & (table["crs"] == chip.grid.crs)
        ].sort_values(
            ["days", "cloud_cover", "processing", "id"], ascending=[True, True, False, True]
        )
        ranked = [one.scene_id for one in rank(scenes, chip, EVERYTHING)]
        assert ranked == found["id"].tolist()
        ranked_any += len(ranked) > 1
    assert ranked_any > 20
