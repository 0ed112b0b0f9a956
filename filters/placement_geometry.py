"""Many points at once in the CRSs of a cell: positions, own grids, and areas inside the cell.

Points come in arrays: longitude and latitude in degrees, or (systems, points, 2) for x and y in
metres of each CRS in play.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.geo import transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.geo import Box
    from collectors.records import Sensor
    from filters.candidate_search import Layout

WGS84: Final = "EPSG:4326"


def project(lon: NDArray[Any], lat: NDArray[Any], systems: Sequence[str]) -> NDArray[np.float64]:
    """Returns (systems, points, 2): x and y, in metres, of points in degrees."""
    return np.array([np.column_stack(transformer(WGS84, crs).transform(lon, lat))
                     for crs in systems])  # fmt: skip


def own_corners(
    spots: NDArray[np.float64], own: NDArray[np.intp], sensor: Sensor
) -> NDArray[np.float64]:
    """Returns (points, 2): west and north edges of each point's own grid, as `ChipGrid.around`."""
    points = spots[own, np.arange(len(own))]
    half = sensor.scale_m * sensor.size_px / 2
    pixels = np.floor((points + np.array([-half, half])) / sensor.scale_m + 0.5)
    corners: NDArray[np.float64] = pixels * sensor.scale_m
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


def areas_inside(
    centres: NDArray[np.float64],
    own: NDArray[np.intp],
    systems: Sequence[str],
    *,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    cell_box: Box,
    layout: Layout,
) -> NDArray[np.bool_]:
    """Says whose own area of interest lies wholly in the cell.

    Corners and middles of the edges are looked at: between them an edge of 2.24 km leaves the
    chord by 0.1 m at 45° of latitude. Points far from the border are not projected.
    """
    reach = 1.5 * layout.area_half_m + 2 * layout.scale_m
    north = reach / 110_000  # metres in a degree of latitude: 110,574 at the equator, least
    east = north / np.maximum(np.cos(np.radians(np.abs(lat) + north)), 1e-6)
    inside = (
        (lon - east >= cell_box.west) & (lon + east < cell_box.east)
        & (lat - north >= cell_box.south) & (lat + north < cell_box.north)
    )  # fmt: skip
    steps = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    for home, crs in enumerate(systems):
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
