"""Many points at once in the CRSs of a cell: positions, own grids, and areas inside the cell.

Points come in arrays: longitude and latitude in degrees, or (systems, points, 2) for x and y in
metres of each CRS in play.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.geo import ChipGrid, Zone, transformer, zone_numbers
from filters.candidate_search import Grids, Layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.chips import Chip
    from collectors.geo import Box
    from collectors.sensors import Sensor
    from filters.spots import Spots

WGS84: Final = "EPSG:4326"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """The grids of a cell's chips and photos, with what their numbers stand for.

    Attributes:
        systems: `EPSG:…` of each CRS in play.
        zones: The zone of each CRS that a photo's own grid has.
        layout: The measures of the sensor's chips.
        grids: Existing chips, then each photo's own grid.
    """

    systems: tuple[str, ...]
    zones: Mapping[str, Zone]
    layout: Layout
    grids: Grids

    @classmethod
    def of(
        cls, spots: Spots, bins: NDArray[np.intp], chips: Sequence[tuple[Chip, int]], sensor: Sensor
    ) -> Map:
        """Lays out the photos' own grids beside chips that are there.

        Args:
            spots: The photos.
            bins: (photos,) number of each photo's time bin.
            chips: Chips with the number of their time bin.
            sensor: The sensor.
        """
        names, of_spot = zones_of(spots.lon, spots.lat)
        stored = [zone.under(sensor.datum) for zone in names]
        zones = {zone.crs(sensor.datum): zone for zone in stored}
        systems = tuple(sorted(zones.keys() | {chip.grid.crs for chip, _ in chips}))
        number = {crs: index for index, crs in enumerate(systems)}
        own = np.array([number[zone.crs(sensor.datum)] for zone in stored], dtype=np.intp)[of_spot]
        places = project(spots.lon, spots.lat, systems)
        there = np.array([[chip.grid.west_m, chip.grid.north_m] for chip, _ in chips])
        home = np.array([number[chip.grid.crs] for chip, _ in chips], dtype=np.intp)
        corners = np.concatenate([there.reshape(-1, 2), own_corners(places, own, sensor)])
        layout = Layout(sensor.scale_m, sensor.size_px, sensor.area_px)
        home = np.concatenate([home, own])
        centres = carry(corners[:, 0] + layout.half_m, corners[:, 1] - layout.half_m, home, systems)
        grids = Grids(
            existing=len(chips), home=home, corners=corners, centres=centres, spots=places,
            bins=np.concatenate([np.array([one for _, one in chips], dtype=np.intp), bins]),
        )  # fmt: skip
        return cls(systems, zones, layout, grids)

    def chip_grids(self, numbers: NDArray[np.intp], sensor: Sensor) -> list[ChipGrid]:
        """Returns some of the grids as chips have them."""
        corners, home = self.grids.corners[numbers].tolist(), self.grids.home[numbers].tolist()
        return [
            ChipGrid(self.systems[crs], west, north, sensor.scale_m, sensor.size_px)
            for (west, north), crs in zip(corners, home, strict=True)
        ]


def zones_of(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[list[Zone], NDArray[np.intp]]:
    """Returns the zones in which points in degrees lie, and the place of each point's in them."""
    halves = 2 * zone_numbers(lon, lat) + (lat >= 0)
    codes = np.flatnonzero(np.bincount(halves))
    return [Zone(int(code) // 2, bool(code % 2)) for code in codes], np.searchsorted(codes, halves)


def project(lon: NDArray[Any], lat: NDArray[Any], systems: Sequence[str]) -> NDArray[np.float64]:
    """Returns (systems, points, 2): x and y, in metres, of points in degrees."""
    return np.array([np.column_stack(transformer(WGS84, crs).transform(lon, lat))
                     for crs in systems])  # fmt: skip


def own_corners(
    spots: NDArray[np.float64], own: NDArray[np.intp], sensor: Sensor
) -> NDArray[np.float64]:
    """Returns (points, 2): west and north edges of each point's own grid, as `ChipGrid.around`."""
    points = spots[own, np.arange(len(own))]
    half, offset = sensor.scale_m * sensor.size_px / 2, sensor.lattice_offset_m
    pixels = np.floor((points + np.array([-half, half]) - offset) / sensor.scale_m + 0.5)
    corners: NDArray[np.float64] = pixels * sensor.scale_m + offset
    return corners


def carry(
    x: NDArray[np.float64], y: NDArray[np.float64], own: NDArray[np.intp], systems: Sequence[str]
) -> NDArray[np.float64]:
    """Returns (systems, points, 2): points given in metres of one system each, in all systems."""
    carried = np.empty((len(systems), len(x), 2))
    for home, source in enumerate(systems):
        chosen = own == home
        carried[home, chosen, 0], carried[home, chosen, 1] = x[chosen], y[chosen]
        if len(systems) == 1 or not chosen.any():
            continue
        lon, lat = transformer(source, WGS84).transform(x[chosen], y[chosen])
        for away, target in enumerate(systems):
            if away != home:
                carried[away, chosen] = project(lon, lat, [target])[0]
    return carried


def areas_inside(ground: Map, spots: Spots, cell_box: Box) -> NDArray[np.bool_]:
    """Says whose own area of interest lies wholly in the cell.

    Corners and middles of the edges are looked at: between them an edge of 2.24 km leaves the
    chord by 0.1 m at 45° of latitude. Points far from the border are not projected.

    Args:
        ground: The grids.
        spots: The photos, as the grids were made of them.
        cell_box: The cell's half-open box in degrees.
    """
    lon, lat, layout = spots.lon, spots.lat, ground.layout
    own = ground.grids.home[ground.grids.existing :]
    centres = ground.grids.centres[:, ground.grids.existing :]
    reach = 1.5 * layout.area_half_m + 2 * layout.scale_m
    north = reach / 110_000  # metres in a degree of latitude: 110,574 at the equator, least
    east = north / np.maximum(np.cos(np.radians(np.abs(lat) + north)), 1e-6)
    inside = (
        (lon - east >= cell_box.west) & (lon + east < cell_box.east)
        & (lat - north >= cell_box.south) & (lat + north < cell_box.north)
    )  # fmt: skip
    steps = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    for home, crs in enumerate(ground.systems):
        near = np.flatnonzero(~inside & (own == home))
        if not len(near):
            continue
        edge = centres[home, near, None, :] + steps * layout.area_half_m
        edge_lon, edge_lat = transformer(crs, WGS84).transform(edge[..., 0], edge[..., 1])
        held = (
            (edge_lon >= cell_box.west) & (edge_lon < cell_box.east)
            & (edge_lat >= cell_box.south) & (edge_lat < cell_box.north)
        )  # fmt: skip
        inside[near] = held.all(axis=1)
    return inside
