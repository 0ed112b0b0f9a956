"""The options by which a build, a backfill and a plan are told what to collect."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

Regions = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads the annotations at run time
    typer.Argument(metavar="[REGION]...", help="Regions of the catalogue; all by default."),
]
Region = Annotated[
    Optional[str], typer.Option(help="A region of the catalogue.")  # noqa: UP045
]
Box = Annotated[
    Optional[tuple[float, float, float, float]],  # noqa: UP045
    typer.Option(metavar="W S E N", help="A box in degrees; W > E: across the antimeridian."),
]
Polygons = Annotated[
    Optional[Path], typer.Option(help="A file of polygons in degrees.")  # noqa: UP045
]
Since = Annotated[
    Optional[datetime],  # noqa: UP045
    typer.Option(
        formats=["%Y-%m-%d"], metavar="YYYY-MM-DD",
        help="First day of capture, local; the catalogue's `taken_since` by default.",
    ),
]  # fmt: skip
Until = Annotated[
    Optional[datetime],  # noqa: UP045
    typer.Option(
        formats=["%Y-%m-%d"], metavar="YYYY-MM-DD",
        help="Last day of capture, local; today by default.",
    ),
]  # fmt: skip
Sensors = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(help="Pair with this sensor; may be given several times."),
]
Cells = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="Take only so many cells of each region, those that it fills most."),
]
Seed = Annotated[
    Optional[int], typer.Option(help="Seed of chance, for a new dataset (default 0).")  # noqa: UP045
]


def day_of(given: datetime | None) -> date | None:
    """Returns the day of an option, which typer reads as a moment."""
    return None if given is None else given.date()
