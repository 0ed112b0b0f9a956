"""How many photos of each cell are new to a dataset, as far as searches show, and their likes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from flows.planning.held import NOTHING, Held
from flows.planning.populations import Outing, Uploads, moved, outings_of, populate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from collectors.cells import Cell
    from collectors.records import Photo
    from flows.planning.groups import Plot

LIKE_ENOUGH: Final = 40
"""Photos of a cell that are enough to copy from; with fewer, its neighbours' are copied as well."""

EVERY_CELL: Final = 0.5
"""Outings that a cell has before any was seen (Jeffreys's prior for shares)."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one cell promises.

    Attributes:
        plot: The cell.
        weight: Its part of what `pool` has, in new outings seen there and `EVERY_CELL`; 0 if its
            count is known.
        known: How many new photos it has; None if only the pool's count is known.
        seen: All of its photos, if searches and the dataset have shown them all.
        outings: What to copy its new photos from.
        held: What the dataset has seen there. New is what is not among it.
    """

    plot: Plot
    weight: float
    known: int | None
    seen: tuple[Photo, ...] | None
    outings: tuple[Outing, ...]
    held: Held = NOTHING

    def new_of(self, level: float) -> float:
        """Returns how many new photos there are in a cell that has so many photos as a whole."""
        if self.held.until is not None:
            return self.held.later(max(order.now for order in self.plot.orders))
        share = sum(one.ground.share for one in self.plot.orders)
        return max(0.0, level * share - len(self.held.photos))


@dataclass(frozen=True, slots=True)
class Pool:
    """Cells that share a count.

    Attributes:
        total: New photos of all of them together, without those whose count is known; inf where
            not even that is known, and `levels` stands for it.
        beside: Weight of the ground between and around the cells that was searched with them.
        outlooks: The cells.
        levels: Photos that like cells have, new or not; drawn from where there is no total.
    """

    total: float
    beside: float
    outlooks: tuple[Outlook, ...]
    levels: tuple[float, ...] = ()

    def counts(self, rng: np.random.Generator) -> list[int]:
        """Draws how many new photos each cell has: one possible truth."""
        if self.levels:
            found = [
                one.new_of(float(rng.choice(self.levels)) * float(rng.lognormal(0, 0.3)))
                for one in self.outlooks
            ]
            # By chance up or down: a third of a photo in each of many cells is not nothing.
            return [int(one + rng.random()) for one in found]
        parts = [float(rng.gamma(one.weight)) if one.weight else 0.0 for one in self.outlooks]
        whole = sum(parts) + (float(rng.gamma(self.beside)) if self.beside else 0.0)
        return [
            outlook.known if outlook.known is not None else round(self.total * part / whole)
            for outlook, part in zip(self.outlooks, parts, strict=True)
        ]

    def likely(self) -> list[float]:
        """Returns how many photos a build is expected to find in each cell, if it finds all."""
        if self.levels:
            mean = sum(self.levels) / len(self.levels)
            return [one.new_of(mean) + one.held.again for one in self.outlooks]
        whole = sum(one.weight for one in self.outlooks) + self.beside
        return [
            one.held.again
            + (float(one.known) if one.known is not None else self.total * one.weight / whole)
            for one in self.outlooks
        ]


def pool_of(
    plots: Sequence[Plot],
    total: int,
    photos: Sequence[Photo],
    closer: Mapping[Cell, tuple[int, Sequence[Photo]]],
    held: Mapping[Cell, Held],
) -> Pool:
    """Makes the pool of a group from what searches of its box showed.

    Args:
        plots: The cells.
        total: What a search of the box around all of them announced.
        photos: What searches of that box brought.
        closer: For cells that were searched alone: what was announced, and what came.
        held: What the dataset has seen of the cells. What is announced contains it.
    """
    inside = {plot.cell: [one for one in photos if plot.holds(one.lon, one.lat)] for plot in plots}
    for cell, (_, more) in closer.items():
        known = {one.photo_id for one in inside[cell]}
        inside[cell] += [one for one in more if one.photo_id not in known]
    everywhere = [(plot.cell, photo) for plot in plots for photo in inside[plot.cell]]
    outlooks = []
    for plot in plots:
        mine = inside[plot.cell]
        old = held.get(plot.cell, NOTHING)
        known = old.ids
        new = [one for one in mine if one.photo_id not in known]
        # What a search brought says more of a photo than the dataset's tables.
        whole = {one.photo_id: one for one in (*old.photos, *mine)}
        count = closer[plot.cell][0] if plot.cell in closer else None
        if len(plots) == 1 and count is None:
            count = total
        like = list(whole.values())
        if len(like) < LIKE_ENOUGH:
            like += [
                _unique(moved(one, cell.box, plot.cell.box), cell)
                for cell, one in everywhere if cell != plot.cell
            ]  # fmt: skip
        outlooks.append(
            Outlook(
                plot,
                0.0 if count is not None else len(outings_of(new)) + EVERY_CELL,
                None if count is None else max(0, count - len(old.photos)),
                tuple(whole.values()) if count is not None and count <= len(whole) else None,
                tuple(outings_of(like)),
                old,
            )
        )
    rest = total - sum(one.known for one in outlooks if one.known is not None)
    rest -= sum(len(one.held.photos) for one in outlooks)
    outside = [
        one for one in photos if not any(plot.holds(one.lon, one.lat) for plot in plots)
    ]  # fmt: skip
    return Pool(max(0, rest), float(len(outings_of(outside))), tuple(outlooks))


def _unique(photo: Photo, cell: Cell) -> Photo:
    """Keeps a neighbour's photos apart from a cell's own."""
    return replace(photo, photo_id=f"{photo.photo_id}{cell.row:03d}{cell.column:03d}")


def photos_of(
    outlook: Outlook, count: int, uploads: Uploads, rng: np.random.Generator
) -> list[Photo]:
    """Returns the photos of a cell: those that were seen, and new ones if that is not all.

    Args:
        outlook: What the cell promises.
        count: How many new photos it has.
        uploads: When photos were uploaded.
        rng: Chance.
    """
    if outlook.seen is not None:
        return list(outlook.seen)
    first = min(order.taken_from for order in outlook.plot.orders)
    last = max(order.taken_until for order in outlook.plot.orders)
    holds, until = outlook.plot.holds, outlook.held.until
    if until is not None:
        uploads = uploads.after(until)
    made = populate(outlook.outings, count, holds, (first, last), uploads, rng)
    return [*outlook.held.photos, *made]
