"""The second half of a cell's story: place chips, resolve scenes, fetch, measure, pair."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from collectors.chip_files import encode_chip
from collectors.records import Chip, NoScene, Outcome, Scene, SceneGone, Sensor
from filters.chip_quality import measure, refusal
from filters.geotag_uncertainty import uncertainty_m
from filters.placement import Centre, place, position
from filters.sampling import photo_hash
from filters.scenes import delta_days, rank
from filters.spots import Spot
from flows.batches import Finished, Piece
from flows.rows import ChipRow, PairRow, PhotoRow, RefusedScene
from flows.steps import adapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.cell_state import CellState
    from flows.work import CellWork

CHIP_BATCH: Final = 32
"""Chips in a shard: about 100 MB of Sentinel-2, and seconds of work to repeat at most."""

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
        placed = self.work.steps.remember("placed", Placed, self._place)
        chips = self._fetch(placed)
        return self._pair(placed, chips)

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
            if age < sensor.settle_days:
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
        """Fetches the new chips, batch after batch."""
        rows: list[ChipRow] = []
        queue = sorted(placed.chips, key=lambda chip: chip.chip_id)
        for start in range(0, len(queue), CHIP_BATCH):
            batch = queue[start : start + CHIP_BATCH]
            done = self._fetch_batch(batch, placed)
            rows += [self._row(chip, one) for chip, one in zip(batch, done, strict=True)]
            self.tell(sum(row.kept for row in rows))
        return rows

    def _fetch_batch(self, chips: Sequence[Chip], placed: Placed) -> tuple[Finished, ...]:
        def fetch(chip: Chip) -> Piece:
            return self._fetch_chip(chip, placed.scenes[chip.chip_id])

        return self.work.batches.run(
            [chip.chip_id for chip in chips],
            lambda: self.work.services.in_order(self.work.services.pixel_pool, fetch, chips),
        )

    def _fetch_chip(self, chip: Chip, scenes: Sequence[Scene]) -> Piece:
        """Tries the scenes of a chip, nearest first, until one passes."""
        sensor = self._sensors[chip.sensor]
        refused: list[RefusedScene] = []
        for scene in scenes[: sensor.candidates]:
            delta = delta_days(scene, chip.target_date)
            pixels = self.work.services.earth_engine.read(chip, scene, sensor)
            if isinstance(pixels, SceneGone):
                refused.append(
                    RefusedScene(
                        scene.scene_id, delta, scene.cloud_scene_pct, None, None, pixels.reason
                    )
                )
                continue
            measured = measure(pixels, sensor)
            reason = refusal(measured, sensor)
            if reason is not None:
                refused.append(
                    RefusedScene(
                        scene.scene_id,
                        delta,
                        scene.cloud_scene_pct,
                        measured.cloud_pct,
                        measured.valid_pct,
                        reason,
                    )
                )
                continue
            tags = {"SCENE_ID": scene.scene_id, "ACQUIRED_AT": scene.acquired_at.isoformat()}
            data = encode_chip(pixels, chip.grid, tags=tags)
            last = () if pixels.quality_band is None else (pixels.quality_band,)
            verdict = {
                "outcome": Outcome.KEPT,
                "reason": None,
                "scene": _dumped(scene),
                "cloud_chip_pct": measured.cloud_pct,
                "shadow_pct": measured.shadow_pct,
                "valid_pct": measured.valid_pct,
                "bands": [*pixels.bands, *last],
                "refused": [asdict(one) for one in refused],
            }
            return Piece(chip.chip_id, verdict, (f"{chip.chip_id}.tif", data))
        return Piece(
            chip.chip_id,
            {
                "outcome": Outcome.REJECTED,
                "reason": "all_refused" if refused else "no_scene",
                "scene": None,
                "bands": [],
                "refused": [asdict(one) for one in refused],
            },
        )

    def _row(self, chip: Chip, finished: Finished) -> ChipRow:
        """Makes a row of a fetched chip."""
        sensor, verdict, location = self._sensors[chip.sensor], finished.verdict, finished.location
        scene = (
            None if verdict["scene"] is None else adapter(Scene).validate_python(verdict["scene"])
        )
        refused = tuple(RefusedScene(**one) for one in verdict["refused"])
        self.work.summary.scenes_refused += len(refused)
        if verdict["outcome"] == Outcome.KEPT:
            self.work.summary.chips[chip.sensor] += 1
        else:
            self.work.summary.reasons[f"{chip.sensor} chip: {verdict['reason']}"] += 1
        return ChipRow(
            chip_id=chip.chip_id, sensor=chip.sensor, cell=self.work.order.cell_id,
            time_bin=chip.time_bin, outcome=verdict["outcome"], reason=verdict["reason"],
            scene_id=scene.scene_id if scene else None,
            acquired_at=scene.acquired_at.astimezone(UTC) if scene else None,
            target_date=chip.target_date,
            delta_days=delta_days(scene, chip.target_date) if scene else None,
            cloud_scene_pct=scene.cloud_scene_pct if scene else None,
            cloud_chip_pct=verdict.get("cloud_chip_pct"), shadow_pct=verdict.get("shadow_pct"),
            valid_pct=verdict.get("valid_pct"), refused=refused, crs=chip.grid.crs,
            transform=chip.grid.transform, width=chip.grid.size_px, height=chip.grid.size_px,
            bands=tuple(verdict["bands"]), scale_m=chip.grid.scale_m,
            source_gsd_m=scene.gsd_m if scene else None,
            processing=scene.processing if scene else None, photos=0,
            shard=location.shard if location else None,
            offset=location.offset if location else None,
            size=location.size if location else None,
            sha256=location.sha256 if location else None,
            generation=self._placed_with.get(chip.chip_id, self.work.generation),
            scene_cloud_limit_pct=sensor.scene_cloud_limit_pct,
            chip_cloud_limit_pct=sensor.chip_cloud_limit_pct,
            missing_limit_pct=sensor.missing_limit_pct,
        )  # fmt: skip

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
                    pairs.append(self._pair_row(photos[photo_id], chip))
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
        fresh = {photo.photo_id for photo in made if photo.generation == self.work.generation}
        self.work.summary.paired += len(fresh & with_pair.keys())
        for photo in made:
            if photo.photo_id in fresh:
                self.work.summary.unpaired.update(
                    f"{name}: {why}" for name, why in photo.unpaired.items()
                )
        return replace(
            self.state,
            photos=made,
            chips=tuple(replace(row, photos=counts[row.chip_id]) for row in chips.values()),
            pairs=tuple(pairs),
        )

    def _pair_row(self, photo: PhotoRow, chip: ChipRow) -> PairRow:
        where = position(chip.grid, photo.lon, photo.lat)
        assert chip.acquired_at is not None  # noqa: S101 - a kept chip has a scene
        return PairRow(
            photo_id=photo.photo_id, chip_id=chip.chip_id, sensor=chip.sensor, row=where.row,
            col=where.column,
            delta_days=(chip.acquired_at.astimezone(UTC).date() - photo.taken_at.date()).days,
            distance_m=where.distance_m,
            uncertainty_px=uncertainty_m(
                photo.accuracy, self.work.services.catalogue.rules.street_uncertainty_m
            ) / chip.scale_m,
            cell=self.work.order.cell_id, generation=self.work.generation,
        )  # fmt: skip


def _reasons(
    photo: PhotoRow, found: Mapping[str, Mapping[str, str]], with_pair: Mapping[str, set[str]]
) -> dict[str, str]:
    """Returns why a photo has no pair, for each sensor without one, in the order of names."""
    reasons = {**photo.unpaired, **found.get(photo.photo_id, {})}
    paired = with_pair.get(photo.photo_id, set())
    return {name: reasons[name] for name in sorted(reasons) if name not in paired}


def _dumped(scene: Scene) -> dict[str, Any]:
    """Returns a scene as plain JSON values."""
    plain: dict[str, Any] = adapter(Scene).dump_python(scene, mode="json")
    return plain
