"""Real scenes, served by the sandbox and resolved by the client, against a plain search."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
import shapely
from shapely.geometry import box

from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.geo import transformer
from collectors.sandbox import Sandbox
from collectors.transport import Patience, Throttle
from filters.scenes import delta_days, rank
from tests.sensors import NAIP, SENTINEL2, chip_at

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.chips import Chip, Scene
    from collectors.sensors import Sensor

WIDE = replace(SENTINEL2, scene_cloud_limit_pct=30.0)
"""With 30 % cloud allowed there are scenes enough among 698 to be wrong about."""


def resolve(
    folder: Path, chips: list[Chip], sensors: dict[str, Sensor]
) -> dict[str, tuple[Scene, ...]]:
    """Returns what the client finds when the sandbox serves the tables of a folder."""
    with Sandbox(scenes=folder) as sandbox:
        client = EarthEngine.connect(
            project=sandbox.project, url=sandbox.earth_engine_url,
            credentials=ServiceAccount(json.dumps(sandbox.service_account)),
            throttle=Throttle(1000, 1, 40), patience=Patience(3, 0.01, 0.02),
        )  # fmt: skip
        return client.resolve(chips, sensors)


@cache
def in_zone(wkt: str, crs: str) -> shapely.Geometry:
    """Returns a footprint in metres of a zone; all of these lie away from the antimeridian."""
    project = transformer("EPSG:4326", crs)
    shape = shapely.segmentize(shapely.from_wkt(wkt), 0.05)
    return shapely.transform(shape, lambda xy: pd.DataFrame(project.transform(*xy.T)).T.to_numpy())


def test_real_products_are_found_as_a_plain_search_finds_them(shared_data: Path) -> None:
    """Footprint, window, cloud, zone, order: Sentinel-2 and NAIP chips over real products."""
    folder = shared_data / "scenes"
    table = pd.read_parquet(folder / "sentinel2_items.parquet")
    table = table[table["collection"].isin(["sentinel-2-l2a", "sentinel-2-c1-l2a"])]
    tile = table["mgrs_tile"].str.zfill(5)
    code = tile.str[:2].astype(int) + 32700 - 100 * (tile.str[2] >= "N")
    table = table.assign(crs="EPSG:" + code.astype(str), zone=tile.str[:2])
    flights = pd.read_parquet(folder / "naip_items.parquet")
    flights = flights.assign(crs="EPSG:" + flights["epsg"].astype(str), cloud_cover=0.0)

    chips: list[Chip] = []
    for number, row in enumerate(table.iloc[::9].itertuples()):
        at = in_zone(row.wkt, row.crs).representative_point()
        target = row.datetime.date() + timedelta(days=number % 9 - 4)
        chips.append(chip_at(at.x, at.y, row.crs, WIDE, target, f"s{number}"))
    for number, row in enumerate(flights.iloc[::23].itertuples()):
        at = in_zone(row.wkt, row.crs).representative_point()
        target = row.datetime.date() + timedelta(days=number % 300)
        chips.append(chip_at(at.x, at.y, row.crs, NAIP, target, f"n{number}"))
    sensors = {"sentinel2": WIDE, "naip": NAIP}
    found = resolve(folder, chips, sensors)

    several = 0
    for chip in chips:
        sensor = sensors[chip.sensor]
        scenes = table if sensor is WIDE else flights
        days = (scenes["datetime"].dt.floor("D").dt.tz_localize(None)
                - pd.Timestamp(chip.target_date)).dt.days.abs()  # fmt: skip
        near = scenes.assign(days=days)[
            (days <= sensor.window_days) & (scenes["crs"] == chip.grid.crs)
            & (scenes["cloud_cover"] < (sensor.scene_cloud_limit_pct or 1))
        ]  # fmt: skip
        rectangle = box(*chip.grid.bounds)
        near = near[[in_zone(wkt, chip.grid.crs).contains(rectangle) for wkt in near["wkt"]]]
        best = near.sort_values(["days", "cloud_cover"]).head(sensor.candidates)
        ranked = rank(found[chip.chip_id], chip, sensor)
        expected = best[["days", "cloud_cover"]].round(6).to_numpy().tolist()
        seen = [
            [abs(delta_days(one, chip.target_date)), round(one.cloud_scene_pct or 0, 6)]
            for one in ranked
        ]  # fmt: skip
        assert seen == expected, chip
        names = [one.scene_id.rsplit("/", 1)[1] for one in ranked]
        assert set(names) <= set(near["id"])
        several += len(ranked) > 1
    assert several > 20
