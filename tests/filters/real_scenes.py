"""Random chips among real scenes, and a choice of scenes by pandas that knows nothing of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from pyproj import Transformer

from collectors.chips import Chip
from collectors.geo import ChipGrid, Zone, transformer
from collectors.sensors import SceneRule
from filters.scenes import rank
from tests.sensors import NAIP, SENTINEL2, scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.chips import Scene
    from collectors.sensors import Sensor

SENSORS = {
    "sentinel2": SENTINEL2,
    "naip": NAIP,
    "naip, latest flight": replace(NAIP, scene_rule=SceneRule.LATEST, window_days=9000),
}
"""All with the shipped catalogue's limits; the last with the other rule."""


@lru_cache(maxsize=120)
def _back(code: int) -> Transformer:
    return Transformer.from_crs(code, 4326, always_xy=True)


def real_table(shared_data: Path, sensor: Sensor) -> pd.DataFrame:
    """Returns real products of a sensor, with the EPSG code of their grid and their outline.

    Left out are Level-1C, which the sensor's collection does not hold, and outlines across the
    antimeridian, which the tables have in plain degrees.
    """
    name = "naip" if sensor.name == "naip" else "sentinel2"
    table = pd.read_parquet(shared_data / "scenes" / f"{name}_items.parquet")
    table = table[(table.maxx - table.minx).between(0, 90)].reset_index(drop=True)
    if name == "sentinel2":
        table = table[table.collection != "sentinel-2-l1c"].reset_index(drop=True)
        tile = table.mgrs_tile.str.zfill(5)
        south = np.where(tile.str[2] >= "N", 0, 100)
        stated = pd.to_numeric(table.epsg.astype("string").str.removeprefix("EPSG:"))
        table["epsg"] = stated.fillna(32600 + tile.str[:2].astype(int) + south)
    table["outline"] = shapely.from_wkt(table.wkt)
    return table


def scenes_of(table: pd.DataFrame) -> list[Scene]:
    """Returns the rows as the collectors would."""
    scenes = []
    for row in table.to_dict("records"):
        cloud, made, baseline = (
            row.get(name) for name in ("cloud_cover", "generation_time", "baseline")
        )
        scenes.append(
            scene(
                scene_id=row["id"], acquired_at=row["datetime"].to_pydatetime(),
                crs=f"EPSG:{int(row['epsg'])}", bands=(*SENTINEL2.bands, "SCL", *NAIP.bands),
                cloud_scene_pct=None if cloud is None or pd.isna(cloud) else float(cloud),
                processing="" if baseline is None or pd.isna(baseline) else str(baseline),
                generated_at=pd.Timestamp(made).to_pydatetime() if isinstance(made, str) else None,
            )
        )  # fmt: skip
    return scenes


def chips_among(
    table: pd.DataFrame, sensor: Sensor, count: int, rng: np.random.Generator
) -> Iterator[Chip]:
    """Draws chips around points in the boxes of real products, dated around their dates."""
    spread = 1.3 * min(sensor.window_days, 2000)
    for number, index in enumerate(rng.integers(0, len(table), count).tolist()):
        row = table.iloc[index]
        lon, lat = rng.uniform(row.minx, row.maxx), rng.uniform(row.miny, row.maxy)
        crs = Zone.at(lon, lat).crs(sensor.datum)
        x, y = transformer("EPSG:4326", crs).transform(lon, lat)
        grid = ChipGrid.around(x, y, crs, sensor.scale_m, sensor.size_px)
        target = row.datetime.date() + timedelta(days=round(rng.uniform(-spread, spread)))
        yield Chip(f"chip{number}", sensor.name, "any", grid, target)


def ours(chip: Chip, scenes: list[Scene], table: pd.DataFrame, sensor: Sensor) -> list[str]:
    """Ranks the scenes that Earth Engine would answer with: those whose outline holds the chip."""
    held = np.flatnonzero(shapely.covers(table.outline.to_numpy(), chip.grid.footprint()))
    return [one.scene_id for one in rank([scenes[i] for i in held.tolist()], chip, sensor)]


def brute_force(chip: Chip, table: pd.DataFrame, sensor: Sensor) -> list[str]:
    """Looks for the scenes of a chip with pandas, from the rules as they are written down."""
    west, south, east, north = chip.grid.bounds
    code = int(chip.grid.crs.split(":")[1])
    back = _back(code)
    outline = shapely.transform(
        shapely.segmentize(shapely.box(west, south, east, north), (east - west) / 4),
        lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])),
    )
    days = (table.datetime.dt.tz_localize(None).dt.floor("D") - pd.Timestamp(chip.target_date)).dt
    found: Any = table.assign(days=days.days)
    found = found[(found.epsg == code) & (found.days.abs() <= sensor.window_days)]
    found = found[shapely.covers(found.outline.to_numpy(), outline)]
    found = found.assign(first=-found.days if "latest" in sensor.scene_rule else found.days.abs())
    if sensor.name == "naip":
        return found.sort_values(["first", "id"]).id.head(4).tolist()
    found = found[found.cloud_cover < 1.0]
    found = found.assign(
        newer=-pd.to_numeric(found.baseline).fillna(0),
        later=found.generation_time.map(
            lambda one: -pd.Timestamp(one).timestamp() if isinstance(one, str) else np.inf
        ).astype(float),
    )  # fmt: skip
    order = ["first", "cloud_cover", "newer", "later", "id"]
    return found.sort_values(order).id.head(4).tolist()


def compare(shared_data: Path, name: str, count: int, seed: int) -> dict[str, int]:
    """Compares both choices for random chips and returns what was met."""
    sensor = SENSORS[name]
    table = real_table(shared_data, sensor)
    scenes = scenes_of(table)
    met = {"chips": 0, "with a scene": 0, "with a choice": 0}
    for chip in chips_among(table, sensor, count, np.random.default_rng(seed)):
        expected = brute_force(chip, table, sensor)
        assert ours(chip, scenes, table, sensor) == expected, chip
        met["chips"] += 1
        met["with a scene"] += bool(expected)
        met["with a choice"] += len(expected) > 1
    return met
