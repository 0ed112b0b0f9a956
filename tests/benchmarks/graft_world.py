"""A dataset for the proof that pairs are right: many cells, several photos to each chip.

The demo has one cell in its test split, and a chip of it has one photo. Here places and dates of
the photos are a table; what they show, and everything else, is the sandbox's and the pipeline's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collectors.cells import Cell
from collectors.sandbox import Sandbox
from tests.flows.runs import Run, small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

CELLS: Final = [Cell(row, column) for row in range(120, 124) for column in range(176, 181)]
"""20 cells beside one another, 39° to 43° north."""

SPOTS: Final = 8
PHOTOS_OF_SPOT: Final = 6
SPREAD_M: Final = 520.0
"""Photos of a spot lie at most so far from its middle, north or east: whichever becomes the centre
of the chip, its area of interest, 1,120 m each way, holds the others."""

CELL_MARGIN: Final = 0.14
"""Spots keep this share of a cell from its edges, so that no chip ends in `none`."""

PHOTO_PX: Final = 160
"""Shortest side of the stored photos: the example looks at 36 rows of them."""

METRES_PER_DEGREE: Final = 111_195.0
FIRST_QUARTER: Final = datetime(2019, 1, 1, tzinfo=UTC)
QUARTERS: Final = 24
SEED: Final = 11


def write_photos(
    path: Path, cells: list[Cell], seed: int, *, spots: int = SPOTS, photos: int = PHOTOS_OF_SPOT,
    spread_m: float = SPREAD_M,
) -> Path:  # fmt: skip
    """Writes the table of photos that the sandbox serves.

    The photos of a spot are taken within 20 days, so that they share a chip.

    Args:
        path: Where it goes.
        cells: Where there are spots.
        seed: Of chance.
        spots: Spots of a cell.
        photos: Photos of a spot.
        spread_m: Metres from the middle of a spot, north or east, at most.
    """
    rng = np.random.default_rng(seed)
    lon, lat, taken = [], [], []
    for cell in cells:
        box = cell.box
        corner = np.array([box.west, box.south])
        side = np.array([box.east - box.west, box.north - box.south])
        for _ in range(spots):
            middle = corner + side * rng.uniform(CELL_MARGIN, 1 - CELL_MARGIN, 2)
            shrink = np.array([np.cos(np.radians(middle[1])), 1.0])
            places = middle + rng.uniform(-spread_m, spread_m, (photos, 2)) / (
                METRES_PER_DEGREE * shrink
            )
            quarter = int(rng.integers(QUARTERS))
            first = FIRST_QUARTER.replace(year=2019 + quarter // 4, month=1 + quarter % 4 * 3)
            first += timedelta(days=int(rng.integers(5, 60)))
            lon += places[:, 0].round(6).tolist()
            lat += places[:, 1].round(6).tolist()
            hours = 24.0 * rng.integers(0, 20, photos) + rng.uniform(8, 19, photos)
            taken += [first + timedelta(hours=float(hour)) for hour in hours]
    count = len(lon)
    pq.write_table(
        pa.table({
            "photo_id": [f"6{number:09d}" for number in rng.permutation(count)],
            "owner": [f"{number}@N00" for number in range(count)],
            "lat": lat, "lon": lon,
            "date_taken": [moment.strftime("%Y-%m-%d %H:%M:%S") for moment in taken],
            "accuracy": np.full(count, 16), "licence": np.full(count, 4),
        }),
        path,
    )  # fmt: skip
    return path


def build_world(folder: Path, weights: Path, *, cells: list[Cell], seed: int = SEED) -> Path:
    """Builds and publishes the dataset.

    Returns:
        Its root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos = write_photos(folder / "photos.parquet", cells, seed)
    quota = SPOTS * PHOTOS_OF_SPOT
    return build_ground(folder, weights, photos, cells=cells, quota=quota, seed=seed)


def build_ground(
    folder: Path, weights: Path, photos: Path, *, cells: list[Cell], quota: int, seed: int,
    sensors: tuple[str, ...] = ("sentinel2",),
) -> Path:  # fmt: skip
    """Builds and publishes a dataset of some cells from a table of photos.

    Returns:
        Its root.
    """

    def change(document: Any) -> None:
        west = min(cell.box.west for cell in cells) + 1e-6
        east = max(cell.box.east for cell in cells) - 1e-6
        south = min(cell.box.south for cell in cells) + 1e-6
        north = max(cell.box.north for cell in cells) - 1e-6
        document["regions"] = {
            "ground": {"box": [west, south, east, north], "sensors": list(sensors)}
        }
        document["rules"]["photo_shortest_side_px"] = PHOTO_PX
        document["splits"] |= {"train_pct": 60, "val_pct": 0, "test_pct": 40}

    catalogue = small_catalogue(folder / "data_catalog.yaml", change, quota=quota)
    root = folder / "dataset"
    with Sandbox(seed=seed, photos=photos, weights=weights) as sandbox:
        Run(sandbox, catalogue, folder / "cache").build(root, cells=None, seed=seed)
    return root
