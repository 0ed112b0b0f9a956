"""Where chips are placed, and which photo goes to which chip: pure, for one cell and one sensor.

A photo's own chip is the grid around it in its own UTM zone. In the order of their hashes, photos
become centres; then each photo goes to the nearest chip whose central area of interest holds it.
Chips that were there before stay as they are, and so do their photos.

All tests are made in the CRS of the chip whose area it is, so they are exact at zone edges too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import hypot
from typing import TYPE_CHECKING

import numpy as np

from collectors.chips import Chip
from filters.candidate_search import CentreSearch
from filters.chip_shares import OwnerLimit, lower_medians, share_out
from filters.placement_geometry import Map, areas_inside
from filters.spots import Spots
from filters.time_bins import time_bin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.geo import Box, ChipGrid, Zone
    from collectors.sensors import Sensor
    from filters.spots import Spot


class Unplaced(StrEnum):
    """Why a photo has no chip of a sensor."""

    OUTSIDE_EXTENT = "outside_extent"
    """The sensor has no scenes there."""

    BEFORE_SENSOR = "before_sensor"
    """It was taken so long before the sensor's first day that no scene is in the window."""

    AFTER_SENSOR = "after_sensor"
    """It was taken after the last day for which the sensor is asked."""

    OWNER_SHARE = "owner_share"
    """A chip that covers it has room, but has its share of this owner's photos."""

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
class Centre:
    """A chip from before that may take more photos.

    Attributes:
        chip: The chip.
        owners: How many photos of each owner it has.
    """

    chip: Chip
    owners: Mapping[str, int]

    @property
    def members(self) -> int:
        """How many photos it has."""
        return sum(self.owners.values())


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
    west, north = _metres(grid.west_m), _metres(grid.north_m)
    return f"{sensor.name}_{zone.name}_{west}_{north}_{bin_name}"


def _metres(value: float) -> str:
    """Returns metres to the micrometre, without trailing zeros."""
    if value % 1 == 0:
        return str(int(value))
    return f"{value:.6f}".rstrip("0").rstrip(".").replace(".", "p")


def place(
    photos: Spots | Sequence[Spot],
    existing: Sequence[Centre],
    cell_box: Box,
    sensor: Sensor,
    *,
    cap: int,
    owner_cap: int | None = None,
    blocked: Sequence[Chip] = (),
) -> Placement:
    """Places chips on photos and pairs photos with chips.

    A photo becomes a centre if its whole area of interest lies in the cell, unless it or its
    chip's centre lies in the area of another chip, or that chip's centre in its own (same time
    bin, any zone). Then every photo goes to the nearest chip whose area holds it and which has
    room, for its owner's photos too; of equally near ones to that with the smaller id. Photos are
    taken by hash, then by id: the order in which they are given does not matter.

    Args:
        photos: The photos that are new to this sensor, in the cell, each id once.
        existing: Chips of this sensor and cell that may take photos.
        cell_box: The cell's half-open box in degrees.
        sensor: The sensor.
        cap: Photos of a chip, at most.
        owner_cap: Photos of one owner in a chip, at most; None for no such limit.
        blocked: Chips of this sensor and cell that take no photos, because they found no scene.
            No chip is placed on their areas either.

    Raises:
        ValueError: If a photo's coordinates are no place on Earth.
    """
    photos = photos if isinstance(photos, Spots) else Spots.of(photos)
    early = photos.taken_on < np.datetime64(sensor.since - timedelta(days=sensor.window_days))
    late = photos.taken_on > np.datetime64(sensor.until or date.max)
    outside = ~_in_extent(photos, sensor)
    reasons = _reasons(
        photos,
        [(outside, Unplaced.OUTSIDE_EXTENT), (early, Unplaced.BEFORE_SENSOR),
         (late, Unplaced.AFTER_SENSOR)],
    )  # fmt: skip
    spots = photos.take(~(outside | early | late)).by_chance()
    if not len(spots):
        return Placement((), {}, reasons)

    bins, bin_names = _time_bins(spots.taken_on, sensor.bin_months)
    number = {name: index for index, name in enumerate(bin_names)}
    takers = [one for one in existing if one.chip.time_bin in number]
    before = [*(one.chip for one in takers), *(one for one in blocked if one.time_bin in number)]
    ground = Map.of(spots, bins, [(chip, number[chip.time_bin]) for chip in before], sensor)
    inside = areas_inside(ground, spots, cell_box)
    search = CentreSearch(ground.grids, ground.layout)
    centres = search.choose(inside)
    grids = ground.chip_grids(centres, sensor)
    names = [bin_names[one] for one in ground.grids.bins[centres].tolist()]
    ids = [chip.chip_id for chip in before]
    ids += [
        chip_id(sensor, ground.zones[grid.crs], grid, name)
        for grid, name in list(zip(grids, names, strict=True))[len(before) :]
    ]

    room = [max(0, cap - one.members) for one in takers]
    room += [0] * (len(before) - len(takers)) + [cap] * (len(ids) - len(before))
    pairs = search.covering(centres)
    limit = None
    if owner_cap is not None and owner_cap < cap:
        held = {(j, owner): count for j, one in enumerate(takers)
                for owner, count in one.owners.items()}  # fmt: skip
        limit = OwnerLimit(owner_cap, spots.owners.tolist(), held)
    chosen, passed_over = share_out(len(spots), pairs, ids, room, limit)

    shut = (pairs[1] >= len(takers)) & (pairs[1] < len(before))
    held_shut, held_open = np.zeros((2, len(spots)), dtype=np.bool_)
    held_shut[pairs[0][shut]], held_open[pairs[0][~shut]] = True, True
    left = chosen < 0
    everything = np.ones(len(spots), dtype=np.bool_)
    reasons |= _reasons(spots.take(left), [
        (passed_over[left], Unplaced.OWNER_SHARE), (held_open[left], Unplaced.CHIP_FULL),
        (held_shut[left], Unplaced.CHIP_WITHOUT_SCENE), (~inside[left], Unplaced.BORDER),
        (everything[left], Unplaced.BETWEEN_CHIPS),
    ])  # fmt: skip
    paired, chosen = spots.take(~left), chosen[~left]
    chips = [
        Chip(ids[one], sensor.name, names[one], grids[one], day)
        for one, day in zip(*lower_medians(chosen, paired.taken_on), strict=True)
        if one >= len(before)
    ]
    taken = np.array(ids, dtype=object)[chosen]
    return Placement(
        tuple(sorted(chips, key=lambda chip: chip.chip_id)),
        dict(zip(paired.photo_ids.tolist(), taken.tolist(), strict=True)),
        reasons,
    )


def _in_extent(photos: Spots, sensor: Sensor) -> NDArray[np.bool_]:
    """Says which photos lie where the sensor has scenes at all."""
    box = sensor.extent
    if box is None:
        return np.ones(len(photos), dtype=np.bool_)
    return (
        (box.west <= photos.lon) & (photos.lon < box.east)
        & (box.south <= photos.lat) & (photos.lat < box.north)
    )  # fmt: skip


def _reasons(photos: Spots, rules: Sequence[tuple[NDArray[np.bool_], Unplaced]]) -> dict[str, str]:
    """Returns, by photo id, the first reason that applies to each photo; those without are out."""
    number = np.full(len(photos), -1)
    for index, (applies, _) in reversed(list(enumerate(rules))):
        number[applies] = index
    some = number >= 0
    words = np.array([reason for _, reason in rules], dtype=object)
    return dict(zip(photos.photo_ids[some].tolist(), words[number[some]].tolist(), strict=True))


def _time_bins(days: NDArray[np.datetime64], bin_months: int) -> tuple[NDArray[np.intp], list[str]]:
    """Returns the number of each day's time bin, and the bins' names."""
    months = days.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    first, number = np.unique(months // bin_months * bin_months, return_inverse=True)
    starts = [date(month // 12, month % 12 + 1, 1) for month in first.tolist()]
    return number, [time_bin(start, bin_months) for start in starts]
