"""The second half of a cell's story: place chips, resolve scenes, fetch, measure, pair."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from collectors.chips import Chip, Scene  # noqa: TC001 - steps are read by these types
from collectors.sensors import NoScene, Sensor
from filters.placement import Centre, place
from filters.sampling import photo_hash
from filters.scenes import rank
from filters.spots import Spot
from flows.cells.begun import begin_ahead
from flows.cells.chip_batches import chip_batches, name_of_task
from flows.cells.chip_work import chip_row, fetch_chip, pair_row
from flows.cells.picture_comparison import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.cells.batches import Finished, Piece
    from flows.cells.begun import Begun
    from flows.cells.state import CellState
    from flows.cells.work import CellWork
    from flows.products.rows import ChipRow, PhotoRow

REVISITED: Final = frozenset(
    {"border", "between_chips", "chip_full", "deferred", "not_requested", "owner_share"}
)
"""Reasons for having no pair that a later placement may lift."""

WITHOUT_SCENE: Final = frozenset({"no_scene", "all_refused", "chip_without_scene"})
"""Reasons that a later placement may lift where the sensor's chips are asked for again."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What placement and resolving decided; a step.

    Attributes:
        chips: New chips, and those that are asked for again.
        scenes: For each of them, the scenes that qualify, best first.
        members: For each sensor, the chip of each photo that got one.
        unplaced: For each sensor, the reason of each photo that got none.
    """

    chips: tuple[Chip, ...]
    scenes: dict[str, tuple[Scene, ...]]
    members: dict[str, dict[str, str]]
    unplaced: dict[str, dict[str, str]]


@dataclass(slots=True)
class ChipStage:
    """The chips of one cell under one order.

    Attributes:
        work: The cell, the order and what they are worked on with.
        state: The cell with the photos of this run, not yet committed.
        tell: Called with chips done, after each batch.
    """

    work: CellWork
    state: CellState
    tell: Callable[[int], None]
    _sensors: dict[str, Sensor] = field(default_factory=dict)
    _placed_with: dict[str, int] = field(default_factory=dict)

    def run(self) -> CellState:
        """Returns the cell's state with chips and pairs; not yet committed."""
        self._sensors = self.work.services.catalogue.sensors
        self._placed_with = {row.chip_id: row.generation for row in self.state.chips}
        # A photo that is gone, or came anew, since a stopped run: that was placed without knowing.
        step = f"placed-{name_of(self.state.photos)}"
        placed = self.work.steps.remember(step, Placed, self._place)
        chips = self._fetch(placed)
        state = self._settle(self._pair(placed, chips), chips)
        self._count(state)
        return state

    def _place(self) -> Placed:
        """Places chips for all sensors and resolves their scenes in as few requests as can be."""
        chips: list[Chip] = []
        members: dict[str, dict[str, str]] = {}
        unplaced: dict[str, dict[str, str]] = {}
        for name in self._sensors:
            members[name], unplaced[name] = {}, {}
            if name not in self.work.order.sensors:
                unplaced[name] = {
                    photo.photo_id: "not_requested" for photo in self._unpaired(name, new_only=True)
                }
                continue
            new, members[name], unplaced[name] = self._place_sensor(name)
            chips.extend(new)
        scenes: dict[str, tuple[Scene, ...]] = {}
        if chips:
            found = self.work.services.earth_engine.resolve(chips, self._sensors)
            scenes = {
                chip.chip_id: tuple(rank(found[chip.chip_id], chip, self._sensors[chip.sensor]))
                for chip in chips
            }
        return Placed(tuple(chips), scenes, members, unplaced)

    def _place_sensor(self, name: str) -> tuple[tuple[Chip, ...], dict[str, str], dict[str, str]]:
        sensor = self._sensors[name]
        waiting: dict[str, str] = {}
        spots = []
        for photo in self._unpaired(name):
            age = (self.work.now.date() - photo.taken_at.date()).days
            # One that was old enough once stays so, whatever a run's clock says.
            young = photo.unpaired.get(name, "deferred") in {"deferred", "not_requested"}
            if young and age < sensor.settle_days:
                waiting[photo.photo_id] = "deferred"
                continue
            spots.append(
                Spot(
                    photo.photo_id,
                    photo.lon,
                    photo.lat,
                    photo.taken_at.date(),
                    photo_hash(self.work.order.seed, photo.photo_id),
                    photo.owner,
                )
            )
        rules = self.work.services.catalogue.rules
        owner_of = {photo.photo_id: photo.owner for photo in self.state.photos}
        owners: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for pair in self.state.pairs:
            owners[pair.chip_id][owner_of[pair.photo_id]] += 1
        mine = [row for row in self.state.chips if row.sensor == name]
        asked_again = sensor.no_scene is NoScene.ASK_AGAIN
        placement = place(
            spots,
            existing=[
                Centre(row.chip, owners[row.chip_id]) for row in mine if row.kept or asked_again
            ],
            blocked=[row.chip for row in mine if not (row.kept or asked_again)],
            cell_box=self.work.order.ground.cell.box,
            sensor=sensor,
            cap=rules.photos_per_chip,
            owner_cap=rules.owner_photos_per_chip,
        )
        wanted = set(placement.members.values())
        again = tuple(row.chip for row in mine if not row.kept and row.chip_id in wanted)
        return (*placement.chips, *again), dict(placement.members), placement.unplaced | waiting

    def _unpaired(self, sensor: str, *, new_only: bool = False) -> list[PhotoRow]:
        """Returns the photos that a placement for a sensor has to look at."""
        paired = {row.photo_id for row in self.state.pairs if row.sensor == sensor}
        again = self._sensors[sensor].no_scene is NoScene.ASK_AGAIN
        revisited = REVISITED | WITHOUT_SCENE if again else REVISITED
        return [
            photo for photo in self.state.photos
            if photo.photo_id not in paired
            and (
                sensor not in photo.unpaired
                or (not new_only and photo.unpaired[sensor] in revisited)
            )
        ]  # fmt: skip

    def _fetch(self, placed: Placed) -> list[ChipRow]:
        """Fetches the new chips, batch after batch; the next are begun while one is stored."""
        rows: list[ChipRow] = []
        batches = [(one, self._task(one, placed)) for one in chip_batches(placed.chips)]

        def begin(asked: tuple[Sequence[Chip], str]) -> Begun[Piece] | None:
            batch, task = asked
            if self.work.batches.holds([chip.chip_id for chip in batch], task):
                return None
            return self._begin(batch, placed)

        with closing(begin_ahead(self.work.services.room_ahead, batches, begin)) as begun:
            for (batch, task), early in begun:
                work = partial(self._finish, batch, placed, early)
                ids = [chip.chip_id for chip in batch]
                done = self.work.batches.run(ids, work, beside=task)
                rows += [self._row(chip, one) for chip, one in zip(batch, done, strict=True)]
                self.tell(sum(row.kept for row in rows))
        return rows

    def _task(self, chips: Sequence[Chip], placed: Placed) -> str:
        """Returns a name of what is asked of a batch of chips."""
        tried = {
            chip.chip_id: placed.scenes[chip.chip_id][: self._sensors[chip.sensor].candidates]
            for chip in chips
        }
        again = [chip.chip_id for chip in chips if chip.chip_id in self._placed_with]
        return name_of_task(chips, tried, dict.fromkeys(again, self.work.generation))

    def _begin(self, chips: Sequence[Chip], placed: Placed) -> Begun[Piece]:
        def fetch(chip: Chip) -> Piece:
            return fetch_chip(
                chip, placed.scenes[chip.chip_id], self._sensors[chip.sensor], self.work.services
            )

        services = self.work.services
        self.work.summary.fetched += sum(bool(placed.scenes[chip.chip_id]) for chip in chips)
        return services.begin(services.pixel_pool, fetch, chips)

    def _finish(
        self, chips: Sequence[Chip], placed: Placed, begun: Begun[Piece] | None
    ) -> list[Piece]:
        """Waits for a batch; begins it first if its shard, which was there, is there no longer."""
        return (begun or self._begin(chips, placed)).results()

    def _row(self, chip: Chip, finished: Finished) -> ChipRow:
        """Makes a row of a fetched chip, and counts it."""
        generation = self._placed_with.get(chip.chip_id, self.work.generation)
        row = chip_row(
            chip, finished, self._sensors[chip.sensor], self.work.order.cell_id, generation
        )
        self.work.summary.scenes_refused += len(row.refused)
        if row.kept:
            self.work.summary.chips[chip.sensor] += 1
        else:
            self.work.summary.reasons[f"{chip.sensor} chip: {row.reason}"] += 1
        return row

    def _pair(self, placed: Placed, new: Sequence[ChipRow]) -> CellState:
        """Makes pairs, and a reason for every photo and sensor without one."""
        chips = {row.chip_id: row for row in (*self.state.chips, *new)}
        photos = {photo.photo_id: photo for photo in self.state.photos}
        pairs = list(self.state.pairs)
        unpaired: dict[str, dict[str, str]] = {}
        for sensor, members in placed.members.items():
            for photo_id, chip_id in members.items():
                chip = chips[chip_id]
                if chip.kept:
                    pairs.append(
                        pair_row(
                            photos[photo_id], chip, self.work.services.catalogue.rules,
                            self.work.generation,
                        )
                    )  # fmt: skip
                else:
                    unpaired.setdefault(photo_id, {})[sensor] = chip.reason or ""
            for photo_id, reason in placed.unplaced[sensor].items():
                unpaired.setdefault(photo_id, {})[sensor] = reason
        counts = Counter(row.chip_id for row in pairs)
        with_pair: dict[str, set[str]] = {}
        for row in pairs:
            with_pair.setdefault(row.photo_id, set()).add(row.sensor)
        made = tuple(
            replace(photo, unpaired=_reasons(photo, unpaired, with_pair))
            for photo in photos.values()
        )
        return replace(
            self.state,
            photos=made,
            chips=tuple(replace(row, photos=counts[row.chip_id]) for row in chips.values()),
            pairs=tuple(pairs),
        )

    def _settle(self, state: CellState, new: Sequence[ChipRow]) -> CellState:
        """Gives photos that were left over beside a chip without scene their lasting reason.

        Only fetching shows that such a chip takes nobody. The next build would find it so, and a
        build that finds nothing new must change nothing.
        """
        later = replace(self, state=state)
        found: dict[str, dict[str, str]] = {}
        for name in sorted({row.sensor for row in new if not row.kept}):
            if self._sensors[name].no_scene is NoScene.ASK_AGAIN:
                continue
            _, _, unplaced = later._place_sensor(name)  # noqa: SLF001 - the same class
            for photo_id, reason in unplaced.items():
                found.setdefault(photo_id, {})[name] = reason
        photos = tuple(
            replace(photo, unpaired={**photo.unpaired, **found.get(photo.photo_id, {})})
            for photo in state.photos
        )
        return replace(state, photos=photos)

    def _count(self, state: CellState) -> None:
        """Counts what became of the photos of this run."""
        fresh = {
            photo.photo_id: photo
            for photo in state.photos
            if photo.generation == self.work.generation
        }
        self.work.summary.paired += len(fresh.keys() & {pair.photo_id for pair in state.pairs})
        for photo in fresh.values():
            self.work.summary.unpaired.update(
                f"{name}: {why}" for name, why in photo.unpaired.items()
            )


def _reasons(
    photo: PhotoRow, found: Mapping[str, Mapping[str, str]], with_pair: Mapping[str, set[str]]
) -> dict[str, str]:
    """Returns why a photo has no pair, for each sensor without one, in the order of names."""
    reasons = {**photo.unpaired, **found.get(photo.photo_id, {})}
    paired = with_pair.get(photo.photo_id, set())
    return {name: reasons[name] for name in sorted(reasons) if name not in paired}
