"""Queries made from what the made-up world is known to be, and answers judged by it.

The truth is the world's own: its land cover at points of each chip's footprint, and the date of the
scene. Nothing that the program measured or wrote is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
from pyproj import Transformer

from collectors.sandbox.landcover import Cover, Landcover

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

KINDS: Final[Mapping[str, tuple[Cover, ...]]] = {
    "water": (Cover.WATER,),
    "green": (Cover.FOREST, Cover.GRASS),
    "bare": (Cover.CROPS, Cover.BARE, Cover.URBAN),
    "snow": (Cover.SNOW,),
}
"""What a scene classification can tell apart of the world's covers."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "water": ("lakes", "open water", "the sea", "a wide river", "reservoirs", "ponds and bays"),
    "green": ("forest", "green meadows", "trees and grass", "dense woodland", "vegetation",
              "pastures"),
    "bare": ("bare soil", "desert", "rocky ground", "sand and stones", "barren land", "gravel"),
    "snow": ("snow", "glaciers", "snow-covered land", "icy ground", "snowy peaks"),
}  # fmt: skip

SEASON_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "winter": ("winter", "wintertime"), "spring": ("spring", "springtime"),
    "summer": ("summer", "summery weather"), "autumn": ("autumn", "fall"),
}  # fmt: skip

FORMS: Final = (
    "{kind} in {season}", "{season} {kind}", "{kind}, {season} {year}",
    "satellite image of {kind} in {season}", "where is there {kind} during {season}",
    "{kind} in the {season} of {year}",
)  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """What a chip shows, by the world: its main kind of ground, season and year."""

    kind: str
    season: str
    year: int


@dataclass(frozen=True)
class Asked:
    """A query and what it asks for; no year if any will do."""

    text: str
    kind: str
    season: str
    year: int | None

    def right(self, found: Truth | None) -> bool:
        """Says whether a chip is what was asked for."""
        return (
            found is not None and (found.kind, found.season) == (self.kind, self.season)
            and self.year in {None, found.year}
        )  # fmt: skip


def season(day: date, lat: float) -> str:
    """Returns the meteorological season, written out."""
    names = "winter winter spring spring spring summer summer summer autumn autumn autumn winter"
    north = dict(enumerate(names.split(), start=1))
    turned = {"winter": "summer", "summer": "winter", "spring": "autumn", "autumn": "spring"}
    return north[day.month] if lat > 0 else turned[north[day.month]]


def truths(root: Path, world: Landcover, sensor: str = "sentinel2") -> dict[str, Truth]:
    """Returns what each chip of a sensor with pixels and photos shows, from 40 × 40 points."""
    rows = pq.read_table(
        root / "manifests" / "v0001" / "chips",
        columns=["chip_id", "sensor", "outcome", "photos", "acquired_at", "crs", "transform",
                 "width", "scale_m"],
    ).to_pylist()  # fmt: skip
    found = {}
    for row in rows:
        if (row["sensor"], row["outcome"]) != (sensor, "kept") or not row["photos"]:
            continue
        steps = (np.arange(40) + 0.5) / 40 * row["width"] * row["scale_m"]
        x, y = np.meshgrid(row["transform"][2] + steps, row["transform"][5] - steps)
        lon, lat = Transformer.from_crs(row["crs"], 4326, always_xy=True).transform(x, y)
        counts = np.bincount(world.cover(lon, lat).ravel(), minlength=len(Cover))
        shares = {kind: int(counts[list(covers)].sum()) for kind, covers in KINDS.items()}
        day = row["acquired_at"].date()
        kind = max(shares, key=lambda one: shares[one])
        found[row["chip_id"]] = Truth(kind, season(day, float(lat.mean())), day.year)
    return found


def queries(known: Iterable[Truth], count: int, seed: int = 0) -> list[Asked]:
    """Makes queries that have a right answer, evenly over what there is of kinds and seasons."""
    chance = Random(seed)
    kinds = sorted({(one.kind, one.season) for one in known})
    years = {pair: sorted({one.year for one in known if (one.kind, one.season) == pair})
             for pair in kinds}  # fmt: skip
    made = []
    for number in range(count):
        kind, when = pair = kinds[number % len(kinds)]
        form = chance.choice(FORMS)
        year = chance.choice(years[pair])
        text = form.format(
            kind=chance.choice(WORDS[kind]), season=chance.choice(SEASON_WORDS[when]), year=year
        )
        made.append(Asked(text, kind, when, year if "{year}" in form else None))
    return made


def judged(asked: Asked, results: list[dict[str, Any]], known: Mapping[str, Truth]) -> list[bool]:
    """Says of each of the first ten results whether it is right."""
    return [asked.right(known.get(one["chip_id"])) for one in results[:10]]
