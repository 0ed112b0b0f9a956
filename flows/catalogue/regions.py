"""Reads the ground of a region from a file of polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from flows.catalogue.text import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_GLOBE = box(-180, -90, 180, 90)


def say_nothing(_text: str) -> None:
    """Takes a line that nobody wants to read."""


def read_polygons(path: Path, tell: Callable[[str], None] = say_nothing) -> Polygon | MultiPolygon:
    """Reads all polygons of a GeoJSON (or any other vector) file as one ground in degrees.

    A polygon that crosses itself is repaired (`shapely.make_valid`, which keeps every part with
    area); lines and points are left out.

    Args:
        path: The file.
        tell: Called with a line for each repair and its reason.

    Raises:
        CatalogueError: If the file cannot be read, or holds no polygon on the globe.
    """
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    try:
        with np.errstate(invalid="ignore"):  # a coordinate that is no number is told below
            frame = gpd.read_file(path)
    except (DataSourceError, OSError, ValueError) as error:
        if not path.is_file():
            raise CatalogueError(
                f"there is no file {path}; give the path of a GeoJSON file"
            ) from None
        raise CatalogueError(f"{path} cannot be read as polygons: {error}") from None
    if frame.crs is not None and frame.crs.to_epsg() != 4326:
        frame = frame.to_crs(4326)
    return ground_of(list(frame.geometry), str(path), tell)


def ground_of(
    geometries: list[shapely.Geometry | None],
    source: str,
    tell: Callable[[str], None] = say_nothing,
) -> Polygon | MultiPolygon:
    """Unites geometries in degrees into one ground; `tell` hears of each repair.

    Raises:
        CatalogueError: If there is no polygon, one leaves the globe, or a coordinate is no number.
    """
    valid = []
    for number, one in enumerate(geometries, start=1):
        if one is None:
            continue
        if not np.isfinite(shapely.get_coordinates(one)).all():
            raise CatalogueError(
                f"{source}: shape {number} has a coordinate that is no finite number; mend the file"
            )
        # Part by part: of two parts with a common edge, valid or not, `make_valid` takes the ground
        # inside for a hole.
        whole = shapely.union_all([shapely.make_valid(part) for part in _plain_parts(one)])
        if not shapely.is_valid(one):
            tell(
                f"{source}: shape {number} is not valid ({shapely.is_valid_reason(one)}); repaired:"
                f" {len(shapely.get_parts([whole]))} parts, {whole.area:g} square degrees"
            )
        valid.append(whole)
    parts = [
        part
        for one in valid
        for part in shapely.get_parts(shapely.get_parts([one])).tolist()
        if isinstance(part, Polygon) and part.area > 0
    ]
    if not parts:
        raise CatalogueError(f"{source} holds no polygon with area, so the region is empty")
    united = shapely.union_all(parts)
    if not _GLOBE.covers(united):
        west, south, east, north = united.bounds
        raise CatalogueError(
            f"{source} reaches from ({west}, {south}) to ({east}, {north}), which is not longitude"
            " −180 to 180, latitude −90 to 90: give degrees, and split it at the antimeridian"
        )
    return (
        united
        if isinstance(united, Polygon | MultiPolygon)
        else MultiPolygon(
            [part for part in shapely.get_parts([united]).tolist() if isinstance(part, Polygon)]
        )
    )


def _plain_parts(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    """Returns the parts of a geometry, and the parts of those, down to single shapes."""
    parts: list[shapely.Geometry] = shapely.get_parts([geometry]).tolist()
    if parts == [geometry]:
        return parts
    return [plain for part in parts for plain in _plain_parts(part)]
