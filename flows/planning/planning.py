"""A plan: looks at a few cells, builds them in miniature several times over, and adds it all up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.records import Quality
from filters.sampling import quota_for
from flows.cells.state import CellState, latest_generations, load_cell
from flows.planning.assumed import assume
from flows.planning.estimates import Range, compute, hours, range_of
from flows.planning.groups import group, plots_of
from flows.planning.known import Known
from flows.planning.outlooks import photos_of
from flows.planning.plan_keys import plan_key
from flows.planning.probing import CHIPS_READ, judge_some, look, resolve_some
from flows.planning.rates import (
    BYTES_A_SAMPLE,
    PHOTO_BYTES,
    PHOTO_SIDE_PX,
    Rates,
    SensorRates,
    Sizes,
    draw,
)
from flows.planning.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from typing import Protocol

    from collectors.records import Sensor
    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order
    from flows.planning.groups import Plot
    from flows.planning.outlooks import Outlook, Pool
    from flows.planning.populations import Uploads
    from flows.planning.probing import Outside
    from flows.planning.rehearsal import Takings
    from flows.settings import Settings

    class Progress(Protocol):
        """Hears how far a plan is."""

        def __call__(self, what: str, done: int, of: int) -> None:
            """So much of something is done."""


SCHEMA: Final = "terrapair-plan/1"

ROUNDS: Final = 8
"""How often the build is rehearsed, each time with another possible truth."""

CELLS_A_ROUND: Final = 24
"""Cells that are rehearsed each time; they stand for the others of their groups."""

FIGURES: Final = (
    "found", "screened", "photos", "chips", "pairs", "flickr_calls", "downloads",
    "earth_engine_requests", "bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned.

    Attributes:
        orders: What a build would do, finished cells included.
        open: Of those, the ones in which there is something to do.
        since: First day of capture, as it was given; None for the catalogue's.
        until: Last day, as it was given; None for today.
        seed: The dataset's seed.
        probes: Groups of cells to look at.
    """

    orders: Sequence[Order]
    open: Sequence[Order]
    since: date | None
    until: date | None
    seed: int
    probes: int


@dataclass(slots=True)
class _Miniature:
    """What the rehearsals need, and what they brought."""

    question: Question
    catalogue: Catalogue
    pools: list[Pool]
    uploads: Uploads
    rates: Rates
    states: Mapping[str, CellState]
    rounds: list[dict[str, float]] = field(default_factory=list)
    photos: dict[str, list[int]] = field(default_factory=dict)

    def build(self, number: int, cells: int, *, keep: bool) -> list[Takings]:
        """Rehearses one round."""
        rng = np.random.default_rng([self.question.seed & 0xFFFFFFFF, number])
        drawn = draw(self.rates, rng)
        total: dict[str, float] = {}
        every: list[Takings] = []
        plots = sum(len(pool.outlooks) for pool in self.pools)
        for pool in self.pools:
            counts = pool.counts(rng)
            size = len(pool.outlooks)
            most = min(size, max(1, round(cells * size / plots)))
            chosen = sorted(rng.choice(size, most, replace=False).tolist())
            for one in chosen:
                takings = self._cell(pool.outlooks[one], counts[one], drawn, rng)
                every.append(takings)
                for name, count in takings.counts.items():
                    total[name] = total.get(name, 0.0) + count * size / most
                if keep:
                    cell_id = pool.outlooks[one].plot.cell.cell_id
                    self.photos.setdefault(cell_id, []).append(takings.counts["photos"])
        if keep:
            self.rounds.append(total)
        return every

    def _cell(self, outlook: Outlook, count: int, drawn: Any, rng: np.random.Generator) -> Takings:
        photos = photos_of(outlook, count, self.uploads, rng)
        cell_id = outlook.plot.cell.cell_id
        state = self.states.get(cell_id) or CellState(cell_id)
        return rehearse(outlook.plot.orders, state, photos, self.catalogue, drawn, rng)

    def figure(self, name: str) -> Range:
        """Returns a figure with its range."""
        return range_of([one.get(name, 0.0) for one in self.rounds])


def make_plan(
    question: Question,
    catalogue: Catalogue,
    settings: Settings,
    *,
    store: Store | None,
    outside: Outside | None,
    allowed: int | None,
    left: int | None,
    tell: Progress,
) -> dict[str, Any]:
    """Plans a build.

    Args:
        question: What is to be planned.
        catalogue: What is collected.
        settings: Limits of the services.
        store: The dataset, if there is one: what it knows comes first.
        outside: The services that may be asked; None to ask nobody.
        allowed: The month's budget of Earth Engine requests; None without one.
        left: What is left of it.
        tell: Hears how far things are.

    Returns:
        The plan as plain values; the same for the same question, dataset and answers.
    """
    sensors = {
        name: catalogue.sensors[name] for name in catalogue.sensors
        if any(name in order.sensors for order in question.orders)
    }  # fmt: skip
    rates = _rates(catalogue, catalogue.sensors)
    plots = plots_of(question.open)
    known = Known()
    if store is not None and plots:
        known = Known.read(store, question.seed, lambda done: tell("cells of the dataset", done, 8))
    known.count(rates)
    sources = [f"{len(known.states)} cells of the dataset"] if known.states else []
    asked = {"searches": 0, "photos": 0, "chips": 0}
    figures: dict[str, Range]
    made: _Miniature | None = None
    if not plots:
        figures = dict.fromkeys(_names(sensors), Range(0, 0, 0))
        sources.append("nothing is left to do")
    elif outside is None and not known.speaks_of_photos:
        figures = assume(question.open, catalogue, rates)
        sources.append("assumed shares, which nothing here was measured for (wide ranges)")
    else:
        made = _look(question, catalogue, outside, known, rates, plots, asked, sources, store, tell)
        for number in range(1, ROUNDS + 1):
            made.build(number, CELLS_A_ROUND, keep=True)
            tell("rehearsals", number, ROUNDS)
        figures = {name: made.figure(name) for name in _names(sensors)}
    figures = _cut(figures, question, catalogue)
    spans = hours(figures, settings)
    binding = max(spans, key=lambda name: spans[name].likely)
    return {
        "schema": SCHEMA,
        "key": plan_key(question.orders, catalogue, question.since, question.until),
        "seed": question.seed,
        "as_of": max(order.now for order in question.orders).isoformat(),
        "cells": {
            "asked": len({order.cell_id for order in question.orders}),
            "finished": len({order.cell_id for order in question.orders})
            - len({order.cell_id for order in question.open}),
        },
        "figures": {name: one.plain() for name, one in figures.items()},
        "hours": {name: one.plain(2) for name, one in spans.items()} | {"binding": binding},
        "earth_engine": compute(figures["earth_engine_requests"], settings, allowed, left),
        "sources": sources,
        "asked": asked,
        "map": _map(plots, made, catalogue),
    }


def _look(
    question: Question,
    catalogue: Catalogue,
    outside: Outside | None,
    known: Known,
    rates: Rates,
    plots: Sequence[Plot],
    asked: dict[str, int],
    sources: list[str],
    store: Store | None,
    tell: Progress,
) -> _Miniature:
    """Asks what the dataset does not say, and makes ready for rehearsals."""
    states = {}
    if store is not None:
        begun = latest_generations(store)
        states = {
            plot.cell.cell_id: load_cell(store, plot.cell.cell_id)
            for plot in plots if plot.cell.cell_id in begun
        }  # fmt: skip
    if outside is None:
        now = question.open[0].now
        first = min(photo.uploaded_at for state in known.states for photo in state.photos)
        sources.append("no searches: other cells are taken to be like those of the dataset")
        return _Miniature(
            question, catalogue, known.pools(plots), known.uploads(first, now), rates, states
        )
    groups = group(plots, question.probes)
    seen = look(
        groups,
        outside.flickr,
        catalogue,
        question.seed,
        lambda done: tell("groups of cells searched", done, len(groups)),
    )
    asked["searches"] = seen.searches
    searches = "1 search" if seen.searches == 1 else f"{seen.searches} searches"
    where = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
    sources.append(f"{searches} in {where} of cells")
    if not known.speaks_of_photos and seen.photos:
        asked["photos"] = judge_some(
            seen,
            outside,
            catalogue,
            rates,
            question.seed,
            lambda done: tell("photos looked at", done, 24),
        )
        sources.append(
            f"{asked['photos']} photos downloaded"
            + ("" if outside.classifier else ", not judged (the filter's weights are not here)")
        )
    made = _Miniature(question, catalogue, seen.pools, seen.uploads, rates, states)
    wanted = {
        name: sensor for name, sensor in catalogue.sensors.items() if not known.speaks_of(name)
    }
    if wanted:
        chips = [
            chip for takings in made.build(0, CELLS_A_ROUND // 2, keep=False)
            for chip in takings.chips if chip.sensor in wanted
        ]  # fmt: skip
        tell("scenes of some chips", 0, 1)
        asked["chips"] = resolve_some(chips, outside, wanted, rates, question.seed)
        tell("scenes of some chips", 1, 1)
        sources.append(
            f"scenes of {asked['chips']} chips, and pixels of up to {CHIPS_READ} a sensor"
        )
    return made


def _names(sensors: Mapping[str, Sensor]) -> list[str]:
    by_sensor = [f"{what}_{name}" for name in sensors for what in ("chips", "pairs")]
    return [*FIGURES, *by_sensor, "resolve_requests", "pixel_requests"]


def _rates(catalogue: Catalogue, sensors: Mapping[str, Sensor]) -> Rates:
    """Returns what is believed before anything is counted."""
    side = catalogue.rules.photo_shortest_side_px
    made = {}
    for name, sensor in sensors.items():
        bands = len(sensor.bands) + (sensor.quality is not Quality.ALL_ZERO)
        made[name] = SensorRates(Sizes(sensor.size_px**2 * bands * BYTES_A_SAMPLE))
    return Rates(made, Sizes(PHOTO_BYTES * (side / PHOTO_SIDE_PX) ** 2))


def _quota(order: Order, catalogue: Catalogue) -> int:
    return quota_for(catalogue.rules.quota_per_cell, order.ground.share)


def _cut(figures: dict[str, Range], question: Question, catalogue: Catalogue) -> dict[str, Range]:
    """Cuts ranges at what the catalogue does not let pass."""
    quota = sum(_quota(order, catalogue) for order in question.open)
    cut = figures.copy()
    cut["photos"] = figures["photos"].within(0, quota)
    calls = catalogue.flickr.calls_per_cell * len(question.open)
    cut["flickr_calls"] = figures["flickr_calls"].within(0, calls)
    for name, figure in figures.items():
        if name.startswith(("chips_", "pairs_")):
            cut[name] = figure.within(0, math.ceil(cut["photos"].high))
    return cut


def _map(
    plots: Sequence[Plot], made: _Miniature | None, catalogue: Catalogue
) -> list[dict[str, Any]]:
    """Returns each cell with what is expected of it."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for pool in made.pools if made else ():
        names = [one.plot.cell.cell_id for one in pool.outlooks]
        quotas = [
            sum(_quota(order, catalogue) for order in one.plot.orders) for one in pool.outlooks
        ]
        assert made is not None  # noqa: S101 - the loop would have nothing
        tried = {name: made.photos[name] for name in names if name in made.photos}
        share = sum(sum(one) / len(one) for one in tried.values()) / max(
            1, sum(quota for name, quota in zip(names, quotas, strict=True) if name in tried)
        )
        for name, quota, count in zip(names, quotas, pool.likely(), strict=True):
            photos = (
                sum(tried[name]) / len(tried[name]) if name in tried else min(share * quota, count)
            )
            found[name] = (count, photos)
    rows = []
    for plot in plots:
        expected, kept = found.get(plot.cell.cell_id, (None, None))
        box = plot.cell.box
        rows.append(
            {
                "cell": plot.cell.cell_id,
                "box": [round(edge, 6) for edge in (box.west, box.south, box.east, box.north)],
                "share": round(sum(order.ground.share for order in plot.orders), 4),
                "quota": sum(_quota(order, catalogue) for order in plot.orders),
                "found": None if expected is None else round(expected),
                "photos": None if kept is None else round(kept, 1),
            }
        )
    return rows
