"""A world in which the densest 1 % of the cells hold half of the photos, as a table of photos."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collectors.cells import Cell

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CELLS: Final = [Cell(row, column) for row in range(112, 132) for column in range(170, 220)]
"""1,000 cells next to each other: 31° to 52° north, 4° west to 47° east."""

PHOTOS: Final = 300_000
DENSEST: Final = 10
"""One cell in a hundred."""

ALLOWED: Final = (1, 2, 4, 5, 7, 8, 9)
BARRED: Final = (0, 3, 6)
TOWNS: Final = 15
METRES_PER_DEGREE: Final = 111_195.0
FIRST_DAY: Final = datetime(2017, 4, 1)  # noqa: DTZ001 - capture times have no zone
DAYS: Final = 3300


@dataclass(frozen=True, slots=True)
class World:
    """The photos, one array of shape (n,) for each column; what an all-knowing sampler knows."""

    photo_id: NDArray[np.str_]
    owner: NDArray[np.str_]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    cell: NDArray[np.int64]
    accuracy: NDArray[np.int64]
    licence: NDArray[np.int64]
    taken: list[datetime | None]
    indoor: NDArray[np.bool_]

    @property
    def eligible(self) -> NDArray[np.bool_]:
        """Which photos no rule speaks against, seen one by one."""
        dated = np.array([moment is not None for moment in self.taken])
        return (self.accuracy == 16) & np.isin(self.licence, ALLOWED) & dated & ~self.indoor

    def write(self, path: Path) -> Path:
        """Writes the table that the sandbox serves."""
        taken = ["" if one is None else one.isoformat(" ") for one in self.taken]
        pq.write_table(
            pa.table({
                "photo_id": self.photo_id, "owner": self.owner, "lat": self.lat, "lon": self.lon,
                "date_taken": taken, "accuracy": self.accuracy, "licence": self.licence,
                "indoor": self.indoor,
            }),
            path,
        )  # fmt: skip
        return path


def cell_sizes(rng: np.random.Generator) -> NDArray[np.int64]:
    """Draws how many photos each cell has: a power law whose ten largest of 1,000 hold half."""
    ranks = np.arange(1, len(CELLS) + 1)
    low, high = 0.5, 3.0
    for _ in range(60):  # bisection for the power
        weights = ranks ** -((low + high) / 2)
        if weights[:DENSEST].sum() < weights.sum() / 2:
            low = (low + high) / 2
        else:
            high = (low + high) / 2
    return rng.permutation(np.maximum(1, np.round(PHOTOS * weights / weights.sum()))).astype(int)


def make_world(seed: int) -> World:
    """Makes the world: towns by a power law in each cell, owners by a power law in each town."""
    rng = np.random.default_rng(seed)
    lon, lat, owner, cell_number = [], [], [], []
    for number, size in enumerate(cell_sizes(rng).tolist()):
        box = CELLS[number].box
        metres = METRES_PER_DEGREE * np.array(
            [math.cos(math.radians((box.south + box.north) / 2)), 1.0]
        )
        corner, side = np.array([box.west, box.south]), np.array(
            [box.east - box.west, box.north - box.south]
        )  # fmt: skip
        towns = corner + side * rng.uniform(0.05, 0.95, (TOWNS, 2))
        chance = np.arange(1, TOWNS + 1) ** -1.3
        town = rng.choice(TOWNS, size, p=chance / chance.sum())
        place = towns[town] + rng.normal(0, 1500, (size, 2)) / metres
        country = rng.random(size) < 0.15
        place[country] = corner + side * rng.random((int(country.sum()), 2))
        place = np.clip(place, corner + side * 1e-6, corner + side * (1 - 1e-6))
        lon.append(place[:, 0])
        lat.append(place[:, 1])
        owner += [f"{number}-{who}@N00" for who in np.minimum(rng.zipf(1.5, size), size)]
        cell_number += [number] * size
    count = len(owner)
    recent = FIRST_DAY + np.array([timedelta(days=DAYS * float(x)) for x in rng.random(count)])
    licensed = np.where(
        rng.random(count) < 0.4, rng.choice(ALLOWED, count), rng.choice(BARRED, count)
    )
    return World(
        photo_id=np.array([f"5{number:09d}" for number in rng.permutation(count)]),
        owner=np.array(owner),
        lon=np.concatenate(lon).round(6),
        lat=np.concatenate(lat).round(6),
        cell=np.array(cell_number),
        accuracy=np.where(rng.random(count) < 0.7, 16, rng.integers(1, 16, count)),
        licence=licensed,
        taken=[
            None if unknown else moment.replace(microsecond=0)
            for moment, unknown in zip(recent, rng.random(count) < 0.14, strict=True)
        ],
        indoor=rng.random(count) < 0.35,
    )
