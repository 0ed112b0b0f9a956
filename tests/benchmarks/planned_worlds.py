"""Five worlds of very different density, in which plans are held against what is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from shapely import union_all
from shapely.geometry import mapping

from collectors.cells import Cell
from tests.benchmarks.uneven_world import ALLOWED, BARRED, METRES_PER_DEGREE
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

ROW, COLUMN, ACROSS = 115, 55, 5
"""The south-western cell of the tables' worlds, and how many lie side by side: in California."""

QUOTA: Final = 14
FIRST: Final = datetime(2017, 4, 1)  # noqa: DTZ001 - capture times have no zone
DAYS: Final = 3400
SMALL: Final = {"size_px": 160, "area_px": 80}


@dataclass(frozen=True)
class PlannedWorld:
    """A world and a question about it.

    Attributes:
        name: What is special about it.
        seed: Of the world.
        sizes: Photos of each cell of a table; empty for the sandbox's own world.
        cells: Cells of each region (the sandbox's own world).
        probes: Groups that the plan looks at.
    """

    name: str
    seed: int
    sizes: tuple[int, ...] = ()
    cells: int = 0
    probes: int = 6

    def catalogue(self, path: Path) -> Path:
        """Writes its catalogue: chips of 160 px, a quota of `QUOTA`."""

        def change(document: Any) -> None:
            for sensor in ("sentinel2", "naip"):
                document["sources"][sensor] |= SMALL
            if self.sizes:
                document["regions"] = {"block": {"geojson": "block.geojson"}}
            else:
                document["regions"] = {
                    "west": {"box": [-123.1, 36.0, -118.0, 39.6]},
                    "alps": {"box": [5.3, 45.3, 8.2, 47.3], "sensors": ["sentinel2"]},
                }

        if self.sizes:
            ground = union_all([cell.box.polygon() for cell in self.block])
            feature = {"type": "Feature", "properties": {}, "geometry": mapping(ground)}
            collection = {"type": "FeatureCollection", "features": [feature]}
            (path.parent / "block.geojson").write_text(json.dumps(collection), encoding="utf-8")
        return small_catalogue(path, change, quota=QUOTA)

    @property
    def block(self) -> list[Cell]:
        """The cells of a table, row by row."""
        return [
            Cell(ROW + number // ACROSS, COLUMN + number % ACROSS)
            for number in range(len(self.sizes))
        ]

    def table(self, path: Path) -> Path | None:
        """Writes its photos: towns and owners by a power law, a sixth in the country."""
        if not self.sizes:
            return None
        rng = np.random.default_rng(self.seed)
        parts: dict[str, list[Any]] = {"lon": [], "lat": [], "owner": []}
        for cell, size in zip(self.block, self.sizes, strict=True):
            box = cell.box
            corner = np.array([box.west, box.south])
            side = np.array([box.east - box.west, box.north - box.south])
            metres = METRES_PER_DEGREE * np.array([np.cos(np.radians(box.south)), 1.0])
            towns = corner + side * rng.uniform(0.05, 0.95, (12, 2))
            chance = np.arange(1, 13) ** -1.3
            place = towns[rng.choice(12, size, p=chance / chance.sum())]
            place = place + rng.normal(0, 1500, (size, 2)) / metres
            country = rng.random(size) < 1 / 6
            place[country] = corner + side * rng.random((int(country.sum()), 2))
            place = np.clip(place, corner + side * 1e-6, corner + side * (1 - 1e-6))
            parts["lon"] += place[:, 0].round(6).tolist()
            parts["lat"] += place[:, 1].round(6).tolist()
            parts["owner"] += [
                f"{cell.cell_id}-{who}@N00" for who in np.minimum(rng.zipf(1.5, size), size)
            ]
        count = len(parts["lon"])
        days = DAYS * rng.random(count) ** 0.7  # more of them in later years
        dates = [FIRST + timedelta(days=float(day)) for day in days]
        licences = np.where(
            rng.random(count) < 0.6, rng.choice(ALLOWED, count), rng.choice(BARRED, count)
        )
        pq.write_table(
            pa.table({
                **parts,
                "photo_id": [f"5{number:09d}" for number in rng.permutation(count).tolist()],
                "date_taken": [
                    "" if lost else str(day.replace(microsecond=0))
                    for day, lost in zip(dates, rng.random(count) < 0.14, strict=True)
                ],
                "accuracy": np.where(rng.random(count) < 0.7, 16, rng.integers(1, 16, count)),
                "licence": licences,
                "indoor": rng.random(count) < 0.35,
            }),
            path,
        )  # fmt: skip
        return path


def _uneven(seed: int, count: int, median: float, sigma: float) -> tuple[int, ...]:
    drawn = np.random.default_rng(seed).lognormal(np.log(median), sigma, count)
    return tuple(np.maximum(1, drawn).astype(int).tolist())


WORLDS: Final = (
    PlannedWorld("the sandbox's own, each cell looked at", 23, cells=3, probes=6),
    PlannedWorld("the sandbox's own, few of its cells looked at", 11, cells=9, probes=3),
    PlannedWorld("thin and even", 1, sizes=_uneven(1, 20, 60, 0.3), probes=5),
    PlannedWorld("uneven", 2, sizes=_uneven(2, 20, 250, 1.6), probes=6),
    PlannedWorld("a metropolis", 3, sizes=(30,) * 7 + (20_000,) + (30,) * 7, probes=4),
)
