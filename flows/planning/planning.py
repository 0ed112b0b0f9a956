"""A plan: looks at a few cells, builds them in miniature several times over, and adds it all up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from collectors.sensors import Quality
from flows.cells.state import latest_generations, load_cell
from flows.planning.assumed import assume
from flows.planning.estimates import Range, compute, hours
from flows.planning.groups import group, plots_of
from flows.planning.held import Held
from flows.planning.known import Known
from flows.planning.miniature import Miniature, Question, order_quota, plot_quota
from flows.planning.plan_keys import plan_key
from flows.planning.probing import CHIPS_READ, judge_some, look, resolve_some
from flows.planning.rates import (
    BYTES_A_SAMPLE,
    PHOTO_BYTES,
    PHOTO_SIDE_PX,
    Rates,
    SensorRates,
    Sizes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.planning.groups import Plot
    from flows.planning.probing import Outside
    from flows.progress import Progress
    from flows.settings import Settings


SCHEMA: Final = "terrapair-plan/1"

ROUNDS: Final = 8
"""How often the build is rehearsed, each time with another possible truth."""

CELLS_A_ROUND: Final = 24
"""Cells that are rehearsed each time; they stand for the others of their groups."""

FIGURES: Final = (
    "found", "screened", "photos", "chips", "pairs", "flickr_calls", "downloads",
    "earth_engine_requests", "bytes",
)  # fmt: skip


def make_plan(
    question: Question,
    catalogue: Catalogue,
    settings: Settings,
    *,
    store: Store | None,
    outside: Outside | None,
    allowed: int | None,
    left: int | None,
    progress: Progress,
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
        progress: Hears how far things are.

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
        known = Known.read(store, question.seed, progress)
    known.count(rates)
    sources = [f"{len(known.states)} cells of the dataset"] if known.states else []
    asked = {"searches": 0, "photos": 0, "chips": 0}
    figures: dict[str, Range]
    made: Miniature | None = None
    if not plots:
        figures = dict.fromkeys(_names(sensors), Range(0, 0, 0))
        sources.append("nothing is left to do")
    elif outside is None and not known.speaks_of_photos:
        figures = assume(question.open, catalogue, rates)
        sources.append("assumed shares, which nothing here was measured for (wide ranges)")
    else:
        made = _look(
            question, catalogue, outside, known, rates, plots, asked, sources, store, progress
        )
        for number in range(1, ROUNDS + 1):
            made.build(number, CELLS_A_ROUND, keep=True)
            progress("rehearsals", number, ROUNDS)
        figures = {name: made.figure(name) for name in _names(sensors)}
    figures = _cut(figures, question, catalogue, made)
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
        "map": _map(plots, made.cells() if made else {}, catalogue),
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
    progress: Progress,
) -> Miniature:
    """Asks what the dataset does not say, and makes ready for rehearsals."""
    states = {}
    if store is not None:
        begun = latest_generations(store)
        states = {
            plot.cell.cell_id: load_cell(store, plot.cell.cell_id)
            for plot in plots if plot.cell.cell_id in begun
        }  # fmt: skip
    held = {
        plot.cell: Held.of(states[plot.cell.cell_id], plot, catalogue.rules.licence_ids)
        for plot in plots if plot.cell.cell_id in states
    }  # fmt: skip
    if outside is None:
        now = question.open[0].now
        first = min(photo.uploaded_at for state in known.states for photo in state.photos)
        sources.append("no searches: other cells are taken to be like those of the dataset")
        return Miniature(
            question, catalogue, known.pools(plots, held), known.uploads(first, now), rates, states
        )
    groups = group(plots, question.probes)
    seen = look(groups, outside.flickr, catalogue, held, question.seed, progress)
    asked["searches"] = seen.searches
    searches = "1 search" if seen.searches == 1 else f"{seen.searches} searches"
    where = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
    sources.append(f"{searches} in {where} of cells")
    if not known.speaks_of_photos and seen.photos:
        asked["photos"] = judge_some(seen, outside, catalogue, rates, question.seed, progress)
        sources.append(
            f"{asked['photos']} photos downloaded"
            + ("" if outside.classifier else ", not judged (the filter's weights are not here)")
        )
    made = Miniature(question, catalogue, seen.pools, seen.uploads, rates, states)
    wanted = {
        name: sensor for name, sensor in catalogue.sensors.items() if not known.speaks_of(name)
    }
    if wanted:
        chips = [
            chip for takings in made.build(0, CELLS_A_ROUND // 2, keep=False)
            for chip in takings.chips if chip.sensor in wanted
        ]  # fmt: skip
        progress("scenes of some chips", 0, 1)
        asked["chips"] = resolve_some(chips, outside, wanted, rates, question.seed)
        progress("scenes of some chips", 1, 1)
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


def _cut(
    figures: dict[str, Range], question: Question, catalogue: Catalogue, made: Miniature | None
) -> dict[str, Range]:
    """Cuts ranges at what the catalogue does not let pass."""
    quota = sum(order_quota(order, catalogue) for order in question.open)
    kept = 0
    if made is not None:
        quota = made.missing(question.open)
        kept = sum(len(state.photos) for state in made.states.values())
    cut = figures.copy()
    cut["photos"] = figures["photos"].within(0, quota)
    calls = catalogue.flickr.calls_per_cell * len(question.open)
    cut["flickr_calls"] = figures["flickr_calls"].within(0, calls)
    for name, figure in figures.items():
        if name.startswith(("chips_", "pairs_")):
            # Photos that are there already may get chips of a sensor that is new to them.
            cut[name] = figure.within(0, math.ceil(cut["photos"].high) + kept)
    return cut


def _map(
    plots: Sequence[Plot], expected: Mapping[str, tuple[float, float]], catalogue: Catalogue
) -> list[dict[str, Any]]:
    """Returns each cell with what is expected of it."""
    rows = []
    for plot in plots:
        found, kept = expected.get(plot.cell.cell_id, (None, None))
        box = plot.cell.box
        rows.append(
            {
                "cell": plot.cell.cell_id,
                "box": [round(edge, 6) for edge in (box.west, box.south, box.east, box.north)],
                "share": round(sum(order.ground.share for order in plot.orders), 4),
                "quota": plot_quota(plot, catalogue),
                "found": None if found is None else round(found),
                "photos": None if kept is None else round(kept, 1),
            }
        )
    return rows
