"""Where chips are placed, and which photo goes to which chip: pure, for one cell and one sensor.

A photo's own chip is the grid around it in its own UTM zone. In the order of their hashes, photos
become centres; then each photo goes to the nearest chip whose central area of interest holds it.
Chips that were there before stay as they are, and so do their photos.

All tests are made in the CRS of the chip whose area it is, so they are exact at zone edges too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import hypot
from typing import TYPE_CHECKING

import numpy as np

from collectors.geo import ChipGrid, Zone
from collectors.records import Chip
from filters.candidate_search import CentreIndex, Layout, covering
from filters.placement_geometry import areas_inside, carry, own_corners, project
from filters.time_bins import time_bin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from collectors.geo import Box
    from collectors.records import Sensor


class Unplaced(StrEnum):
    """Why a photo has no chip of a sensor."""

    OUTSIDE_EXTENT = "outside_extent"
    """The sensor has no scenes there."""

    BEFORE_SENSOR = "before_sensor"
    """It was taken so long before the sensor's first day that no scene is in the window."""

    CHIP_FULL = "chip_full"
    """Every chip whose area holds it has its number of photos."""

    CHIP_WITHOUT_SCENE = "chip_without_scene"
    """Only chips hold it that found no scene."""

    BORDER = "border"
    """Its own area of interest is not wholly inside the cell, and no chip's area holds it."""

    BETWEEN_CHIPS = "between_chips"
    """It lies on the very edge of an area, within about a pixel: the chip does not hold it, and
    its own chip would lie inside that area."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What placement needs to know of a photo.

    Attributes:
        photo_id: The photo's id.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
        taken_on: Local date of the capture.
        hash: The photo's seeded hash; smaller comes first.
    """

    photo_id: str
    lon: float
    lat: float
    taken_on: date
    hash: int


@dataclass(frozen=True, slots=True)
class Centre:
    """A chip from before that may take more photos.

    Attributes:
        chip: The chip.
        members: How many photos it has.
    """

    chip: Chip
    members: int


@dataclass(frozen=True, slots=True)
class Placement:
    """What was decided.

    Attributes:
        chips: The new chips, by id.
        members: Chip id by photo id, for the photos that were given a chip.
        unplaced: Reason by photo id, for all others.
    """

    chips: tuple[Chip, ...]
    members: dict[str, str]
    unplaced: dict[str, str]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a photo lies in a chip.

    Attributes:
        row: Fractional row; 0 is the top edge of the first row.
        column: Fractional column; 0 is the left edge of the first column.
        distance_m: From the chip's centre, in metres of the chip's CRS.
    """

    row: float
    column: float
    distance_m: float


def position(grid: ChipGrid, lon: float, lat: float) -> Position:
    """Returns where a point, in degrees, lies in a chip's grid."""
    row, column = grid.locate(lon, lat)
    half = grid.size_px / 2
    return Position(row, column, hypot(row - half, column - half) * grid.scale_m)


def chip_id(sensor: Sensor, zone: Zone, grid: ChipGrid, bin_name: str) -> str:
    """Names a chip by sensor, zone, the grid's north-west corner in metres, and time bin.

    A corner that is not on whole metres has its decimal point written as `p`.
    """
    west, north = (f"{value:.6f}".rstrip("0").rstrip(".").replace(".", "p")
                   for value in (grid.west_m, grid.north_m))  # fmt: skip
    return f"{sensor.name}_{zone.name}_{west}_{north}_{bin_name}"


def place(
    photos: Sequence[Spot],
    existing: Sequence[Centre],
    cell_box: Box,
    sensor: Sensor,
    *,
    cap: int,
    blocked: Sequence[Chip] = (),
) -> Placement:
    """Places chips on photos and pairs photos with chips.

    A photo becomes a centre if its whole area of interest lies in the cell, unless it or its
    chip's centre lies in the area of another chip, or that chip's centre in its own (same time
    bin, any zone). Then every photo goes to the nearest chip whose area holds it and which has
    room; of equally near ones to that with the smaller id. Photos are taken by hash, then by id:
    the order in which they are given does not matter.

    Args:
        photos: The photos that are new to this sensor, in the cell, each id once.
        existing: Chips of this sensor and cell that may take photos.
        cell_box: The cell's half-open box in degrees.
        sensor: The sensor.
        cap: Photos of a chip, at most.
        blocked: Chips of this sensor and cell that take no photos, because they found no scene.
            No chip is placed on their areas either.
    """
    unplaced: dict[str, str] = {}
    earliest = sensor.since - timedelta(days=sensor.window_days)
    bins: dict[str, list[Spot]] = {}
    for photo in photos:
        if sensor.extent is not None and not sensor.extent.holds(photo.lon, photo.lat):
            unplaced[photo.photo_id] = Unplaced.OUTSIDE_EXTENT
        elif photo.taken_on < earliest:
            unplaced[photo.photo_id] = Unplaced.BEFORE_SENSOR
        else:
            bins.setdefault(time_bin(photo.taken_on, sensor.bin_months), []).append(photo)
    chips: list[Chip] = []
    members: dict[str, str] = {}
    open_chips: dict[str, list[Centre]] = {}
    for one in existing:
        open_chips.setdefault(one.chip.time_bin, []).append(one)
    shut_chips: dict[str, list[Chip]] = {}
    for chip in blocked:
        shut_chips.setdefault(chip.time_bin, []).append(chip)
    for name in sorted(bins):
        part = _place_bin(
            name, bins[name], open_chips.get(name, []), shut_chips.get(name, []),
            cell_box=cell_box, sensor=sensor, cap=cap,
        )  # fmt: skip
        chips += part.chips
        members |= part.members
        unplaced |= part.unplaced
    return Placement(tuple(sorted(chips, key=lambda chip: chip.chip_id)), members, unplaced)


def _place_bin(
    bin_name: str,
    photos: list[Spot],
    existing: Sequence[Centre],
    blocked: Sequence[Chip],
    *,
    cell_box: Box,
    sensor: Sensor,
    cap: int,
) -> Placement:
    """Places the photos of one time bin."""
    photos = sorted(photos, key=lambda photo: (photo.hash, photo.photo_id))
    before = [one.chip for one in existing] + list(blocked)
    room = [max(0, cap - one.members) for one in existing] + [0] * len(blocked)
    lon = np.array([photo.lon for photo in photos])
    lat = np.array([photo.lat for photo in photos])
    zones = [Zone.at(photo.lon, photo.lat) for photo in photos]
    crs_of = {zone: zone.crs(sensor.datum) for zone in set(zones)}
    systems = sorted({*crs_of.values(), *(chip.grid.crs for chip in before)})
    number = {crs: index for index, crs in enumerate(systems)}
    own = np.array([number[crs_of[zone]] for zone in zones], dtype=np.intp)

    spots = project(lon, lat, systems)
    corner = own_corners(spots, own, sensor)
    layout = Layout(sensor.scale_m, sensor.size_px, sensor.area_px)
    centres = carry(corner[:, 0] + layout.half_m, corner[:, 1] - layout.half_m, own, systems)
    inside = areas_inside(centres, own, systems, lon=lon, lat=lat, cell_box=cell_box, layout=layout)

    index = CentreIndex(layout, len(systems))
    for chip in before:
        x, y = (np.array([value]) for value in chip.grid.centre)
        home = np.array([number[chip.grid.crs]], dtype=np.intp)
        index.add(int(home[0]), (chip.grid.west_m, chip.grid.north_m),
                  carry(x, y, home, systems)[:, 0].tolist())  # fmt: skip
    made = index.choose(own, spots, corner, centres, inside)

    names = {zone.crs(sensor.datum): zone for zone in crs_of}
    grids = [
        ChipGrid(systems[own[i]], float(corner[i, 0]), float(corner[i, 1]), sensor.scale_m,
                 sensor.size_px)
        for i in made
    ]  # fmt: skip
    ids = [chip.chip_id for chip in before]
    ids += [chip_id(sensor, names[grid.crs], grid, bin_name) for grid in grids]
    room += [cap] * len(grids)
    chosen, full, shut = _assign(len(photos), covering(index, spots), ids, room,
                                 range(len(existing), len(before)))  # fmt: skip

    members: dict[str, str] = {}
    unplaced: dict[str, str] = {}
    days: dict[int, list[date]] = {}
    for i, photo in enumerate(photos):
        if (centre := chosen[i]) >= 0:
            members[photo.photo_id] = ids[centre]
            days.setdefault(centre, []).append(photo.taken_on)
        else:
            unplaced[photo.photo_id] = (
                Unplaced.CHIP_FULL if full[i]
                else Unplaced.CHIP_WITHOUT_SCENE if shut[i]
                else Unplaced.BORDER if not inside[i]
                else Unplaced.BETWEEN_CHIPS
            )  # fmt: skip
    chips = tuple(
        Chip(ids[j], sensor.name, bin_name, grid, lower_median(days[j]))
        for j, grid in enumerate(grids, start=len(before))
        if j in days
    )
    return Placement(chips, members, unplaced)


def lower_median(days: Iterable[date]) -> date:
    """Returns the middle date, of an even number the earlier of the two in the middle."""
    ordered = sorted(days)
    return ordered[(len(ordered) - 1) // 2]


def _assign(
    photos: int,
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    ids: Sequence[str],
    room: list[int],
    shut_centres: range,
) -> tuple[list[int], list[bool], list[bool]]:
    """Gives photos, in order, to the nearest centre with room.

    Args:
        photos: How many there are.
        pairs: Photo, centre and squared distance wherever a centre's area holds a photo.
        ids: Chip id of each centre.
        room: How many photos each centre may take; counted down here.
        shut_centres: Centres that take no photos for want of a scene.

    Returns:
        For each photo: its centre or −1; whether a full centre holds it; whether a shut one does.
    """
    photo, centre, distance = pairs
    by_id = np.empty(len(ids), dtype=np.intp)
    by_id[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    order = np.lexsort((by_id[centre], distance, photo))
    chosen, full, shut = [-1] * photos, [False] * photos, [False] * photos
    for i, j in zip(photo[order].tolist(), centre[order].tolist(), strict=True):
        if j in shut_centres:
            shut[i] = True
        elif chosen[i] >= 0:
            continue
        elif room[j] > 0:
            chosen[i] = j
            room[j] -= 1
        else:
            full[i] = True
    return chosen, full, shut
