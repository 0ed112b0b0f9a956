"""What a dataset has shown already: its own shares, sizes and photos, in place of probes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collectors.cells import Cell
from collectors.records import Stage
from filters.sampling import seeded_hash
from flows.cells.state import latest_generations, load_cell
from flows.planning.held import NOTHING, seen_photos
from flows.planning.outlooks import Outlook, Pool
from flows.planning.populations import Uploads, moved, outings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from collectors.storage import Store
    from flows.cells.state import CellState
    from flows.planning.groups import Plot
    from flows.planning.held import Held
    from flows.planning.rates import Rates
    from flows.progress import Progress

CELLS_READ: Final = 8
"""Cells whose tables are read: a few thousand photos and chips say what a share is."""

FEWEST: Final = 10
"""Photos judged, or chips of a sensor, with which a dataset speaks for itself."""


@dataclass(slots=True)
class Known:
    """What some cells of a dataset hold.

    Attributes:
        states: The cells.
    """

    states: list[CellState] = field(default_factory=list)

    @classmethod
    def read(cls, store: Store, seed: int, progress: Progress) -> Known:
        """Reads some cells of a dataset, chosen by chance."""
        cells = sorted(latest_generations(store), key=lambda one: seeded_hash(seed, one))
        chosen = cells[:CELLS_READ]
        known = cls()
        for number, cell_id in enumerate(chosen):
            known.states.append(load_cell(store, cell_id))
            progress("cells of the dataset", number + 1, len(chosen))
        return known

    @property
    def speaks_of_photos(self) -> bool:
        """Whether enough photos were judged."""
        return sum(len(state.photos) for state in self.states) >= FEWEST

    def speaks_of(self, sensor: str) -> bool:
        """Whether a sensor has enough chips."""
        found = (row for state in self.states for row in state.chips)
        return sum(row.sensor == sensor and row.kept for row in found) >= FEWEST

    def count(self, rates: Rates) -> None:
        """Counts what became of photos and chips, where there are enough of them."""
        if self.speaks_of_photos:
            rejects = [row for state in self.states for row in state.rejects]
            kept = sum(len(state.photos) for state in self.states)
            failed = sum(row.stage == Stage.DOWNLOAD for row in rejects)
            repeats = sum(row.stage == Stage.COMPARE for row in rejects)
            indoor = sum(row.reason == "indoor" for row in rejects)
            rates.failed.count(failed, kept + repeats + indoor)
            rates.repeats.count(repeats, kept + indoor)
            rates.indoor.count(indoor, kept)
            rates.photo_bytes.seen += [row.size for state in self.states for row in state.photos]
        for name, counted in rates.sensors.items():
            if not self.speaks_of(name):
                continue
            for row in (row for state in self.states for row in state.chips):
                if row.sensor != name:
                    continue
                tried = len(row.refused) + row.kept
                counted.no_scene.count(*((0, 1) if tried else (1, 0)))
                counted.refused.count(len(row.refused), row.kept)
                if row.kept and row.size is not None:
                    counted.bytes.seen.append(row.size)

    def pools(self, plots: Sequence[Plot], held: Mapping[Cell, Held]) -> list[Pool]:
        """Returns cells that are taken to be like those of the dataset.

        Args:
            plots: The cells.
            held: What the dataset has seen of them.
        """
        photos = [(state, seen_photos(state)) for state in self.states]
        levels = tuple(
            len(found) / max(0.05, _share(state)) for state, found in photos if state.surveyed
        ) or (0.0,)
        outlooks = []
        for plot in plots:
            like = [
                moved(photo, Cell.parse(state.cell_id).box, plot.box)
                for state, found in photos for photo in found
            ]  # fmt: skip
            mine = held.get(plot.cell, NOTHING)
            outlooks.append(Outlook(plot, 0.0, None, None, tuple(outings_of(like)), mine))
        return [Pool(float("inf"), 0.0, tuple(outlooks), levels)]

    def uploads(self, first: datetime, last: datetime) -> Uploads:
        """Returns the dataset's own curve of uploads."""
        times = sorted(one.uploaded_at for state in self.states for one in seen_photos(state))
        steps = range(0, len(times), max(1, len(times) // 50))
        return Uploads.of(first, last, [(times[one], one / len(times)) for one in steps])


def _share(state: CellState) -> float:
    """Returns which share of the cell was asked for, as far as its tables show."""
    box = Cell.parse(state.cell_id).box
    places = [(row.lon, row.lat) for row in state.photos]
    if len(places) < FEWEST:
        return 1.0
    lons, lats = zip(*places, strict=True)
    part: float = (max(lons) - min(lons)) * (max(lats) - min(lats))
    return min(1.0, 1.2 * part / ((box.east - box.west) * (box.north - box.south)))
