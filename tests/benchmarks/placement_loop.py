"""Placement by a plain loop: each photo beside all chips of its time bin, one after the other."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

import numpy as np

from collectors.geo import Zone, transformer
from filters.time_bins import time_bin

if TYPE_CHECKING:
    from collectors.geo import Box
    from collectors.sensors import Sensor
    from filters.spots import Spots

_AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


def place_plainly(
    photos: Spots, cell_box: Box, sensor: Sensor, *, cap: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns chip by photo, and reason by photo, for a new cell that lies in one UTM zone.

    What a loop can have cheaply it has: positions are computed for all photos at once, and only
    chips of the same time bin are looked at.
    """
    zone = Zone.at(float(photos.lon[0]), float(photos.lat[0]))
    there = transformer("EPSG:4326", zone.crs(sensor.datum))
    back = transformer(zone.crs(sensor.datum), "EPSG:4326")
    x, y = (one.tolist() for one in there.transform(photos.lon, photos.lat))
    scale, half = sensor.scale_m, sensor.scale_m * sensor.size_px / 2
    low, high = (sensor.size_px - sensor.area_px) / 2, (sensor.size_px + sensor.area_px) / 2
    west = [floor((one - half) / scale + 0.5) * scale for one in x]
    north = [floor((one + half) / scale + 0.5) * scale for one in y]
    inside = np.ones(len(x), dtype=bool)
    for i, j in _AROUND:
        reach = scale * sensor.area_px / 2
        lon, lat = back.transform(np.array(west) + half + i * reach,
                                  np.array(north) - half + j * reach)  # fmt: skip
        inside &= (cell_box.west <= lon) & (lon < cell_box.east)
        inside &= (cell_box.south <= lat) & (lat < cell_box.north)
    allowed = inside.tolist()
    bins = [time_bin(day, sensor.bin_months) for day in photos.taken_on.tolist()]
    order = np.argsort(photos.hashes).tolist()

    def holds(chip: int, px: float, py: float) -> bool:
        return low <= (px - west[chip]) / scale < high and low <= (north[chip] - py) / scale < high

    chips: dict[str, list[int]] = {}
    for one in order:
        centre = west[one] + half, north[one] - half
        there_already = chips.setdefault(bins[one], [])
        if allowed[one] and not any(
            holds(chip, x[one], y[one]) or holds(chip, *centre)
            or holds(one, west[chip] + half, north[chip] - half)
            for chip in there_already
        ):  # fmt: skip
            there_already.append(one)
    names = {
        chip: f"{sensor.name}_{zone.name}_{west[chip]:.0f}_{north[chip]:.0f}_{bin_name}"
        for bin_name, here in chips.items()
        for chip in here
    }
    room = dict.fromkeys(names, cap)
    members: dict[str, str] = {}
    unplaced: dict[str, str] = {}
    for one in order:
        near = [
            ((x[one] - west[chip] - half) ** 2 + (y[one] - north[chip] + half) ** 2, names[chip],
             chip)
            for chip in chips[bins[one]] if holds(chip, x[one], y[one])
        ]  # fmt: skip
        free = [found for found in near if room[found[2]] > 0]
        if free:
            _, members[photos.photo_ids[one]], chip = min(free)
            room[chip] -= 1
        else:
            unplaced[photos.photo_ids[one]] = (
                "chip_full" if near else "between_chips" if allowed[one] else "border"
            )
    return members, unplaced
