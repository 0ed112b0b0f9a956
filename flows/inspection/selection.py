"""Which rows of a product are asked for, as a condition that DuckDB understands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import shapely
from duckdb.func import PythonUDFType

from collectors.geo import Box, boxes_of
from collectors.records import Outcome
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.catalogue.text import CatalogueError
from flows.products.rows import ROWS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb

_TOUCHES: Final = "terrapair_touches"
_INSIDE: Final = "terrapair_inside"


@dataclass(frozen=True, slots=True)
class Area:
    """Ground that rows are wanted of.

    Attributes:
        boxes: Boxes in degrees that hold it, edges included.
        polygon: The ground itself, in degrees; None where it is the boxes.
    """

    boxes: tuple[Box, ...]
    polygon: shapely.Geometry | None = None

    @property
    def ground(self) -> shapely.Geometry:
        """The ground as polygons."""
        return self.polygon or shapely.union_all([box.polygon() for box in self.boxes])


def area_of_box(west: float, south: float, east: float, north: float) -> Area:
    """Returns the ground of a box; west > east means across the antimeridian.

    Raises:
        CatalogueError: If an edge is no place on Earth, or south is north of north.
    """
    edges = (west, south, east, north)
    if not all(map(math.isfinite, edges)) or max(abs(west), abs(east)) > 180:
        raise CatalogueError(f"--bbox {west} {south} {east} {north}: longitudes are −180 to 180")
    if not -90 <= south <= north <= 90:
        raise CatalogueError(
            f"--bbox {west} {south} {east} {north}: latitudes are −90 to 90, south before north"
        )
    return Area(boxes_of(*edges))


def area_of_region(name: str, catalogue_path: Path | None) -> Area:
    """Returns the ground of a region of the catalogue.

    Raises:
        CatalogueError: If there is no such region.
    """
    path = find_catalogue(catalogue_path)
    catalogue = load_catalogue(path)
    ground = catalogue.polygons(name, path.parent)
    box = catalogue.regions[name].box
    if box is not None:
        return Area(boxes_of(*box))
    return Area((Box(*ground.bounds),), ground)


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that are asked for, and in which order.

    Attributes:
        product: photos, chips, pairs or rejects.
        where: A condition in SQL on its columns.
        areas: Ground: photos, rejects and the photos of pairs lie in it, chips touch it.
        since: First day: of capture (local) for photos, rejects and the photos of pairs; of the
            scene (UTC) for chips, or the date aimed at where there is none.
        until: Last day.
        sensor: Chips and pairs of it, photos that have a pair of it.
        outcome: Of chips and rejects.
        reason: Of chips and rejects; of photos, why a pair is missing.
        sort: Columns, separated by commas; `-` before one: largest first.
    """

    product: str
    where: str | None = None
    areas: tuple[Area, ...] = field(default=())
    since: date | None = None
    until: date | None = None
    sensor: str | None = None
    outcome: str | None = None
    reason: str | None = None
    sort: str | None = None

    def __post_init__(self) -> None:
        """Holds the filters to what the product has.

        Raises:
            CatalogueError: If there is no such product, it has nothing that a filter asks for, or
                no row can fit.
        """
        if self.product not in ROWS:
            raise CatalogueError(
                f"there is no product {self.product!r}; there are {', '.join(ROWS)}"
            )
        senseless = {
            "photos": {"--outcome": self.outcome},
            "pairs": {"--outcome": self.outcome, "--reason": self.reason},
            "rejects": {"--sensor": self.sensor},
            "chips": {},
        }[self.product]
        for option, value in senseless.items():
            if value is not None:
                raise CatalogueError(f"{option} says nothing about {self.product}; leave it away")
        outcomes = [one.value for one in Outcome][0 if self.product == "chips" else 1 :]
        if self.outcome is not None and self.outcome not in outcomes:
            raise CatalogueError(
                f"--outcome {self.outcome}: {self.product} are {', '.join(outcomes)}"
            )
        if self.since is not None and self.until is not None and self.since > self.until:
            raise CatalogueError(
                f"the days from {self.since} to {self.until} are none; give --since before --until"
            )

    @property
    def products(self) -> tuple[str, ...]:
        """The products that have to be open to answer."""
        if self.product == "photos" and self.sensor is not None:
            return ("photos", "pairs")
        if self.product == "pairs":
            return ("pairs", "photos")
        return (self.product,)

    def prepare(self, base: duckdb.DuckDBPyConnection) -> None:
        """Gives a database the functions that the condition uses."""
        grounds = [area.ground for area in self.areas]
        for ground in grounds:
            shapely.prepare(ground)

        def touches(outlines: pa.ChunkedArray) -> pa.Array:
            shapes = shapely.from_wkb(np.array(outlines.to_pylist(), dtype=object))
            return pa.array(np.logical_and.reduce([shapely.intersects(g, shapes) for g in grounds]))

        def inside(lon: pa.ChunkedArray, lat: pa.ChunkedArray) -> pa.Array:
            x, y = lon.to_numpy(), lat.to_numpy()
            return pa.array(
                np.logical_and.reduce([shapely.intersects_xy(g, x, y) for g in grounds])
            )

        if self.areas:
            base.create_function(_TOUCHES, touches, ["BLOB"], "BOOLEAN", type=PythonUDFType.ARROW)
            base.create_function(
                _INSIDE, inside, ["DOUBLE", "DOUBLE"], "BOOLEAN", type=PythonUDFType.ARROW
            )

    def condition(self) -> str:
        """Returns all that is asked for as SQL, beginning with WHERE; empty if all rows are."""
        parts = [f"({self.where}\n)"] if self.where else []
        of_photo: list[str] = []
        points = of_photo if self.product == "pairs" else parts
        for area in self.areas:
            if self.product == "chips":
                parts.append(" OR ".join(_overlaps(box) for box in area.boxes))
            else:
                points.append(" OR ".join(_holds(box) for box in area.boxes))
        if self.product == "chips" and self.areas:
            parts.append(f"{_TOUCHES}(geometry)")
        if self.product != "chips" and any(area.polygon for area in self.areas):
            points.append(f"{_INSIDE}(lon, lat)")
        day = (
            "coalesce(CAST(acquired_at AS DATE), target_date)"
            if self.product == "chips" else "taken_at"
        )  # fmt: skip
        if self.since is not None:
            points.append(f"{day} >= DATE '{self.since}'")
        if self.until is not None:
            points.append(f"{day} < DATE '{self.until}' + INTERVAL 1 DAY")
        if of_photo:
            photos = " AND ".join(f"({one})" for one in of_photo)
            parts.append(f"photo_id IN (SELECT photo_id FROM photos WHERE {photos})")  # noqa: S608
        if self.sensor is not None:
            wanted = f"sensor = {quoted(self.sensor)}"
            parts.append(
                f"photo_id IN (SELECT photo_id FROM pairs WHERE {wanted})"  # noqa: S608
                if self.product == "photos" else wanted
            )  # fmt: skip
        if self.outcome is not None:
            parts.append(f"outcome = {quoted(self.outcome)}")
        if self.reason is not None:
            parts.append(
                f"list_contains(map_values(unpaired), {quoted(self.reason)})"
                if self.product == "photos" else f"reason = {quoted(self.reason)}"
            )  # fmt: skip
        return "WHERE " + " AND ".join(f"({one})" for one in parts) if parts else ""

    def check_where(self, base: duckdb.DuckDBPyConnection) -> None:
        """Sees that the condition is true or false, not a number that DuckDB takes for true.

        Raises:
            CatalogueError: If it is something else.
        """
        if not self.where:
            return
        kinds = base.sql(f"SELECT ({self.where}\n) FROM {self.product}").types  # noqa: S608
        if kinds != ["BOOLEAN"]:
            kind = ", ".join(map(str, kinds))
            raise CatalogueError(f"--where {self.where}: is no condition, but {kind}")

    def check_reason(self, base: duckdb.DuckDBPyConnection) -> None:
        """Sees that there is such a reason at all.

        Raises:
            CatalogueError: If no row of the product has it, whatever else is asked for.
        """
        if self.reason is None:
            return
        one = "unnest(map_values(unpaired))" if self.product == "photos" else "reason"
        asked = f"SELECT DISTINCT {one} AS one FROM {self.product}"  # noqa: S608
        known = sorted(name for (name,) in base.execute(asked).fetchall() if name)
        if self.reason not in known:
            raise CatalogueError(
                f"--reason {self.reason}: there is no such reason among the {self.product};"
                f" there are {', '.join(known) or 'none'}"
            )

    def order(self, known: list[str]) -> str:
        """Returns the order as SQL; empty if rows come as they are stored, by cell and id.

        Args:
            known: The product's columns.

        Raises:
            CatalogueError: If there is no such column.
        """
        terms = []
        for term in (self.sort or "").split(","):
            name = term.strip().removeprefix("-")
            if not name:
                continue
            if name not in known:
                raise CatalogueError(
                    f"--sort {name}: there is no such column (columns of {self.product}:"
                    f" {', '.join(known)})"
                )
            direction = "DESC" if term.strip().startswith("-") else "ASC"
            terms.append(f'"{name}" {direction} NULLS LAST')
        return f"ORDER BY {', '.join(terms)}" if terms else ""


def quoted(text: Any) -> str:
    """Returns a text as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def _holds(box: Box) -> str:
    return (
        f"lon BETWEEN {box.west!r} AND {box.east!r} AND lat BETWEEN {box.south!r} AND {box.north!r}"
    )


def _overlaps(box: Box) -> str:
    return (
        f"bbox.xmin <= {box.east!r} AND bbox.xmax >= {box.west!r}"
        f" AND bbox.ymin <= {box.north!r} AND bbox.ymax >= {box.south!r}"
    )
