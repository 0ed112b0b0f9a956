"""A cell's build in miniature: the real stages, on services that answer from a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from flows.cells.chip_stage import ChipStage
from flows.cells.orders import Summary
from flows.cells.photo_stage import PhotoStage
from flows.cells.work import CellWork
from flows.planning.model_services import (
    ModelBatches,
    ModelEarthEngine,
    ModelFlickr,
    ModelServices,
    ModelSteps,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from collectors.chips import Chip
    from collectors.records import Photo
    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order
    from flows.cells.state import CellState
    from flows.planning.rates import Drawn

TAR_BYTES: Final = 1_600
"""What a member of a shard takes besides its bytes: a header of 512, padding to 512, and its row in
the shard's index, which is a member as well."""


@dataclass(slots=True)
class Takings:
    """What a cell brings and takes, and the chips that were placed.

    Attributes:
        counts: By the names of the plan's figures.
        chips: Placed chips.
    """

    counts: Counter[str] = field(default_factory=Counter)
    chips: list[Chip] = field(default_factory=list)


def rehearse(
    orders: Sequence[Order],
    state: CellState,
    photos: Sequence[Photo],
    catalogue: Catalogue,
    drawn: Drawn,
    rng: np.random.Generator,
) -> Takings:
    """Builds one cell in miniature.

    Args:
        orders: What is asked of the cell, one after the other.
        state: What the cell holds.
        photos: What Flickr has there.
        catalogue: What is collected.
        drawn: What becomes of photos and chips.
        rng: Chance.
    """
    takings = Takings()
    for order in orders:
        earth_engine = ModelEarthEngine()
        services = ModelServices(catalogue, ModelFlickr(photos), earth_engine)
        batches = ModelBatches(drawn, catalogue.sensors, rng)
        summary = Summary()
        generation = state.generation + 1
        work = CellWork(
            order, order.now, generation, cast("Any", services), cast("Any", ModelSteps()),
            cast("Any", batches), summary,
        )  # fmt: skip
        before = Counter(row.sensor for row in state.pairs)
        state = PhotoStage(work, state, lambda _count: None).run()
        state = replace(ChipStage(work, state, lambda _count: None).run(), generation=generation)
        takings.chips += earth_engine.chips
        takings.counts.update(
            found=summary.seen,
            screened=summary.screened,
            photos=summary.kept,
            pairs=len(state.pairs) - before.total(),
            chips=summary.chips.total(),
            flickr_calls=summary.searched,
            downloads=batches.downloads,
            resolve_requests=earth_engine.resolve_requests,
            pixel_requests=batches.pixel_requests,
            earth_engine_requests=earth_engine.resolve_requests + batches.pixel_requests,
            bytes=_bytes(batches.members, drawn),
        )
        takings.counts.update({f"chips_{name}": n for name, n in summary.chips.items()})
        pairs = Counter(row.sensor for row in state.pairs) - before
        takings.counts.update({f"pairs_{name}": n for name, n in pairs.items()})
    return takings


def _bytes(members: Mapping[str, int], drawn: Drawn) -> int:
    sizes = {"photos": drawn.photo_bytes} | {name: one.bytes for name, one in drawn.sensors.items()}
    return round(sum(count * (sizes[name] + TAR_BYTES) for name, count in members.items()))
