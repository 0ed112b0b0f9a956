"""Where the made-up photos and chips of many cells lie, as arrays, for `large_dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.geo import Zone, transformer
from collectors.sensors import Datum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.cells import Cell

SIZE_PX: Final = 448
SENSORS: Final = ("sentinel2", "naip")
SCALE_M: Final = np.array([10.0, 1.0])
PHOTOS_PER_CHIP: Final = 25

_SLOTS: Final = 40
"""Slots for Sentinel-2 centres across a cell: 2.5 km each, so that centres keep apart."""

_FIRST_DAY: Final = np.datetime64("2017-04-01")
_QUARTERS: Final = 35


@dataclass(frozen=True, slots=True)
class Size:
    """What a cell is to hold.

    Attributes:
        cell: The cell.
        photos: Kept photos.
        rejects: Photos that were not kept.
        chips: Chips of all sensors.
        both: Whether it has both sensors.
    """

    cell: Cell
    photos: int
    rejects: int
    chips: int
    both: bool


@dataclass(slots=True)
class Chips:
    """Chips as columns; the photos' numbers of chips are places in them."""

    cell: NDArray[np.intp]
    sensor: NDArray[np.intp]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    parent: NDArray[np.intp]
    shift: NDArray[np.float64]
    quarter: NDArray[np.intp]
    epsg: NDArray[np.intp]
    west: NDArray[np.float64]
    north: NDArray[np.float64]

    @property
    def side(self) -> NDArray[np.float64]:
        """Width in metres."""
        return SCALE_M[self.sensor] * SIZE_PX


@dataclass(slots=True)
class Photos:
    """Photos as columns: in `chips` the place of a chip of each sensor, −1 where there is none."""

    cell: NDArray[np.intp]
    chips: NDArray[np.intp]
    full: NDArray[np.bool_]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    pixel: NDArray[np.float64]
    day: NDArray[Any]


def place(sizes: Sequence[Size], chance: np.random.Generator) -> tuple[Chips, Photos]:
    """Places chips and photos of some cells."""
    parts: list[dict[str, NDArray[Any]]] = []
    start = 0
    for number, size in enumerate(sizes):
        parts.append(_one_cell(number, size, start, chance))
        start += size.chips
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    chips = _on_grids(joined)
    return chips, _on_ground(joined, chips, chance)


def _one_cell(
    number: int, size: Size, start: int, chance: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Draws which photo is in which chip, and where chips lie."""
    small = min(round(0.55 * size.chips), size.photos * 6 // 10) if size.both else 0
    wide = size.chips - small
    box = size.cell.box
    slot = chance.choice((_SLOTS - 2) ** 2, size=wide, replace=False)
    lon = box.west + (box.east - box.west) * (slot % (_SLOTS - 2) + 1.5) / _SLOTS
    lat = box.south + (box.north - box.south) * (slot // (_SLOTS - 2) + 1.5) / _SLOTS
    weights = np.arange(1, wide + 1) ** -0.4
    weights /= weights.sum()

    def parents(count: int) -> NDArray[np.intp]:
        return chance.choice(wide, size=count, p=weights)

    with_small = max(small, size.photos * 3 // 4) if small else 0
    free = parents(small + size.photos - with_small)
    free[: min(wide, len(free))] = np.arange(min(wide, len(free)))  # no chip without a photo
    chance.shuffle(free)
    of_small = free[:small]
    child = np.arange(with_small)
    if small:
        child[small:] = chance.integers(small, size=with_small - small)
    parent = np.concatenate([of_small[child], free[small:]]).astype(np.intp)
    child = np.concatenate([child, np.full(size.photos - with_small, -1)])
    sensor = np.repeat([0, 1], [wide, small])
    return {
        "chip_cell": np.full(size.chips, number), "sensor": sensor,
        "lon": np.concatenate([lon, lon[of_small]]), "lat": np.concatenate([lat, lat[of_small]]),
        "parent": start + np.concatenate([np.arange(wide), of_small]),
        "shift": np.where(sensor[:, None], chance.uniform(-990, 990, (size.chips, 2)), 0.0),
        "quarter": chance.integers(_QUARTERS, size=size.chips),
        "photo_cell": np.full(size.photos, number), "photo_parent": start + parent,
        "photo_child": np.where(child < 0, -1, start + wide + child),
    }  # fmt: skip


def _on_grids(made: dict[str, NDArray[Any]]) -> Chips:
    """Snaps chips to the pixel grids of their zones."""
    chips = Chips(
        made["chip_cell"], made["sensor"], made["lon"], made["lat"], made["parent"], made["shift"],
        made["quarter"][made["parent"]], np.zeros(len(made["sensor"]), np.intp),
        np.zeros(len(made["sensor"])), np.zeros(len(made["sensor"])),
    )  # fmt: skip
    wgs84 = np.array(
        [int(Zone.at(lon, lat).crs(Datum.WGS84).split(":")[1])
         for lon, lat in zip(chips.lon.tolist(), chips.lat.tolist(), strict=True)]
    )  # fmt: skip
    half, scale = chips.side / 2, SCALE_M[chips.sensor]
    for code in np.unique(wgs84).tolist():
        here = np.flatnonzero(wgs84 == code)
        x, y = transformer("EPSG:4326", f"EPSG:{code}").transform(chips.lon[here], chips.lat[here])
        x, y = x + chips.shift[here, 0], y + chips.shift[here, 1]
        chips.west[here] = np.floor((x - half[here]) / scale[here] + 0.5) * scale[here]
        chips.north[here] = np.floor((y + half[here]) / scale[here] + 0.5) * scale[here]
    # NAD83 and WGS 84 are taken as one datum.
    chips.epsg[:] = np.where(chips.sensor == 1, wgs84 - 32600 + 26900, wgs84)
    return chips


def _on_ground(made: dict[str, NDArray[Any]], chips: Chips, chance: np.random.Generator) -> Photos:
    """Puts photos into the areas of interest of their chips."""
    both = np.column_stack([made["photo_parent"], made["photo_child"]])
    count = len(both)
    inner = np.where(both[:, 1] >= 0, both[:, 1], both[:, 0])
    lie = chance.uniform(-0.2499, 0.2499, (count, 2)) * chips.side[inner, None]
    x = chips.west[inner] + chips.side[inner] / 2 + lie[:, 0]
    y = chips.north[inner] - chips.side[inner] / 2 + lie[:, 1]
    lon, lat = np.empty(count), np.empty(count)
    zone = chips.epsg[both[:, 0]]
    for code in np.unique(zone).tolist():
        here = np.flatnonzero(zone == code)
        lon[here], lat[here] = transformer(f"EPSG:{code}", "EPSG:4326").transform(x[here], y[here])
    pixel = np.full((count, 2, 2), np.nan)
    for sensor in (0, 1):
        chip, scale = both[:, sensor], SCALE_M[sensor]
        pixel[:, sensor, 0] = (chips.north[chip] - y) / scale
        pixel[:, sensor, 1] = (x - chips.west[chip]) / scale
    quarter = chips.quarter[both[:, 0]]
    first = (_FIRST_DAY.astype("datetime64[M]") + 3 * quarter).astype("datetime64[D]")
    day = first + chance.integers(90, size=count).astype("timedelta64[D]")
    full = np.column_stack([_ranks(both[:, sensor]) >= PHOTOS_PER_CHIP for sensor in (0, 1)])
    return Photos(made["photo_cell"], both, full & (both >= 0), lon, lat, pixel, day)


def _ranks(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the place of each item among those of its group."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups + 1)
    begins = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ranks = np.empty(len(groups), np.intp)
    ranks[order] = np.arange(len(groups)) - begins
    return ranks
