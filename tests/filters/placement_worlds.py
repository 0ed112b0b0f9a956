"""Random worlds for placement: photos in instalments, cells in any order, scenes, and a judge.

The judge knows nothing of the code that places: it projects with transformers of its own, and
compares everything with everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from math import cos, radians
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from pyproj import Transformer

from collectors.cells import Cell
from filters.chip_quality import ChipMeasure, refusal
from filters.placement import Centre, place, position
from filters.scenes import rank
from filters.spots import Spot
from tests.sensors import NAIP, SCENE, SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from collectors.chips import Chip, Scene
    from collectors.sensors import Sensor

SMALL = replace(SENTINEL2, size_px=16, area_px=8, candidates=3)
"""Chips of 160 m with an area of 80 m."""

_LIFTED = {"border", "between_chips", "chip_full"}
"""Reasons for having no chip with which a photo is placed again by a later instalment."""

_FIRST = date(2020, 1, 10)

PLACES = {
    "inside a zone": (-122.3, 37.8),
    "zone edge, Sierra Nevada": (-120.0, 37.8),
    "zone edge and cell edge": (-90.0, 30.0),
    "equator, zone edge": (30.0, 0.0),
    "southern zone edge": (150.0, -33.0),
    "Tierra del Fuego": (-66.0, -55.0),
    "60 degrees south": (-60.0, -59.99),
    "antimeridian, Fiji": (180.0, -17.0),
    "antimeridian, Chukotka": (-180.0, 68.9),
    "Norway's wide zone": (3.0, 60.0),
    "Norway, northern end": (6.0, 64.0),
    "Svalbard, 31 and 33": (9.0, 78.2),
    "Svalbard, 33 and 35": (21.0, 79.0),
    "Svalbard, southern end": (18.0, 72.0),
    "80 degrees north": (33.0, 79.99),
}


@dataclass(frozen=True, slots=True)
class World:
    """Photos in instalments, and where.

    Attributes:
        name: Where it is.
        sensor: Whose chips are placed.
        cap: Photos of a chip, at most.
        instalments: The photos of each.
        random: For orders, and for the weather.
    """

    name: str
    sensor: Sensor
    cap: int
    instalments: tuple[tuple[Spot, ...], ...]
    random: Random


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draws a world around a place, or around the nearest corner of four cells."""
    name = draw(st.sampled_from(sorted(PLACES)))
    random = draw(st.randoms(use_true_random=False))
    lon, lat = PLACES[name]
    box = Cell.at(lon, lat).box
    if draw(st.booleans()):
        lon, lat = min((box.west, box.east), key=lambda one: abs(one - lon)), box.south
        name += ", corner of cells"
    sensors = [SMALL, SENTINEL2, NAIP] if -124 < lon < -70 and 25 < lat < 49 else [SMALL, SENTINEL2]
    sensor = draw(st.sampled_from(sensors))
    area_m = sensor.scale_m * sensor.area_px
    reach_m = draw(st.sampled_from([1.0, 3.0, 8.0])) * area_m
    spots: list[Spot] = []
    for number in range(draw(st.integers(1, 40))):
        if spots and random.random() < 0.2:
            at = random.choice(spots)
            where = (at.lon, at.lat)
        else:
            north, east = (random.uniform(-reach_m, reach_m) / 111_320 for _ in range(2))
            where = ((lon + east / cos(radians(lat)) + 180) % 360 - 180, lat + north)
        day = _FIRST + timedelta(days=random.randrange(150))
        spots.append(Spot(f"p{number}", *where, day, random.randrange(60), f"o{number}"))
    cuts = sorted(random.randrange(len(spots) + 1) for _ in range(draw(st.integers(0, 3))))
    edges = [0, *cuts, len(spots)]
    instalments = tuple(tuple(spots[start:stop]) for start, stop in pairwise(edges))
    return World(name, sensor, draw(st.integers(1, 4)), instalments, random)


@dataclass(slots=True)
class Dataset:
    """What was placed, cell by cell, as the flows keep it.

    Attributes:
        sensor: Whose chips.
        cap: Photos of a chip, at most.
        seed: Of the weather.
        chips: Chips by id, with the cell that each was placed in.
        scenes: The scene of each chip; None where none passed.
        pairs: Chip by photo.
        arrived: The instalment with which each pair was made.
        reasons: Reason by photo, for those without a chip.
        spots: All photos.
    """

    sensor: Sensor
    cap: int
    seed: int
    chips: dict[str, tuple[Cell, Chip]] = field(default_factory=dict)
    scenes: dict[str, Scene | None] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    spots: dict[str, Spot] = field(default_factory=dict)

    def add(self, photos: Sequence[Spot], instalment: int, random: Random) -> None:
        """Places an instalment, its cells and the photos of each in a random order."""
        self.spots |= {one.photo_id: one for one in photos}
        again = [self.spots[name] for name, why in self.reasons.items() if why in _LIFTED]
        by_cell: dict[Cell, list[Spot]] = {}
        for one in [*photos, *again]:
            by_cell.setdefault(Cell.at(one.lon, one.lat), []).append(one)
        cells = sorted(by_cell)
        random.shuffle(cells)
        for cell in cells:
            random.shuffle(by_cell[cell])
            self._add_cell(cell, by_cell[cell], instalment)

    def _add_cell(self, cell: Cell, photos: Sequence[Spot], instalment: int) -> None:
        taken = list(self.pairs.values())
        mine = [chip for at, chip in self.chips.values() if at == cell]
        placed = place(
            photos, [Centre(chip, {"": taken.count(chip.chip_id)}) for chip in mine
                     if self.scenes[chip.chip_id] is not None],
            cell.box, self.sensor, cap=self.cap,
            blocked=[chip for chip in mine if self.scenes[chip.chip_id] is None],
        )  # fmt: skip
        for chip in placed.chips:
            assert chip.chip_id not in self.chips
            self.chips[chip.chip_id] = (cell, chip)
            self.scenes[chip.chip_id] = chosen_scene(chip, self.sensor, self.seed)
        for name, chip_name in placed.members.items():
            self.reasons.pop(name, None)
            if self.scenes[chip_name] is None:
                self.reasons[name] = "no_scene"
            else:
                assert name not in self.pairs
                self.pairs[name], self.arrived[name] = chip_name, instalment
        self.reasons |= {name: str(why) for name, why in placed.unplaced.items()}

    @property
    def outcome(self) -> tuple[object, ...]:
        """All that was decided, in an order of its own."""
        return (
            sorted(self.chips.items()), sorted(self.pairs.items()), sorted(self.reasons.items()),
            [(name, one and one.scene_id) for name, one in sorted(self.scenes.items())],
        )  # fmt: skip


@lru_cache(maxsize=4096)
def weather(chip_id: str, seed: int, crs: str, target: date) -> tuple[tuple[Scene, float], ...]:
    """Returns a chip's possible scenes, each with the cloud that its pixels would show."""
    from random import Random as Seeded

    random = Seeded(f"{seed} {chip_id}")
    scenes = []
    for number in range(random.randrange(7)):
        day = target + timedelta(days=random.randrange(-50, 51))
        one = replace(
            SCENE, scene_id=f"s{number}", crs=random.choice([crs, crs, "EPSG:32660"]),
            acquired_at=datetime(day.year, day.month, day.day, random.randrange(24), tzinfo=UTC),
            bands=(*SENTINEL2.bands, "SCL", *NAIP.bands),
            cloud_scene_pct=random.choice([0.0, 0.3, 0.999, 1.0, 7.0]),
            processing=random.choice(["02.14", "05.10"]),
        )  # fmt: skip
        scenes.append((one, random.choice([0.0, 0.9, 1.0, 1.1, 60.0])))
    return tuple(scenes)


def chosen_scene(chip: Chip, sensor: Sensor, seed: int) -> Scene | None:
    """Returns the first ranked scene whose pixels pass."""
    found = dict(weather(chip.chip_id, seed, chip.grid.crs, chip.target_date))
    for one in rank(found, chip, sensor):
        cloud = found[one] if sensor.chip_cloud_limit_pct is not None else None
        if refusal(ChipMeasure(cloud, None, 0.0, 100.0), sensor) is None:
            return one
    return None


@lru_cache(maxsize=256)
def _own(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def rows_and_columns(chip: Chip, lon: float, lat: float) -> tuple[float, float]:
    """Returns where a point lies in a chip, through the affine transform."""
    a, _, c, _, e, f = chip.grid.transform
    x, y = _own("EPSG:4326", chip.grid.crs).transform(lon, lat)
    return (y - f) / e, (x - c) / a


def in_area(chip: Chip, lon: float, lat: float, sensor: Sensor) -> bool:
    """Says whether a point lies in the central part of a chip."""
    low = (sensor.size_px - sensor.area_px) // 2
    return all(low <= one < low + sensor.area_px for one in rows_and_columns(chip, lon, lat))


def judge(data: Dataset, instalment: int) -> None:
    """Checks what must hold of a dataset, by looking at everything beside everything."""
    _judge_pairs(data)
    _judge_centres(data)
    _judge_members(data, instalment)
    _judge_scenes(data)


def _judge_pairs(data: Dataset) -> None:
    for name, spot in data.spots.items():
        assert (name in data.pairs) != (name in data.reasons), name
        if name not in data.pairs:
            continue
        cell, chip = data.chips[data.pairs[name]]
        assert cell.box.holds(spot.lon, spot.lat)
        assert in_area(chip, spot.lon, spot.lat, data.sensor)
        seen = position(chip.grid, spot.lon, spot.lat)
        assert abs(seen.row - rows_and_columns(chip, spot.lon, spot.lat)[0]) < 0.01
        assert abs(seen.column - rows_and_columns(chip, spot.lon, spot.lat)[1]) < 0.01
        months = data.sensor.bin_months
        start = (spot.taken_on.year * 12 + spot.taken_on.month - 1) // months
        target = chip.target_date.year * 12 + chip.target_date.month - 1
        assert start == target // months


def _judge_centres(data: Dataset) -> None:
    chips = [chip for _, chip in data.chips.values()]
    for chip in chips:
        for other in chips:
            same = chip.grid.crs == other.grid.crs and chip.time_bin == other.time_bin
            if chip is other or not same:
                continue
            away = [one - two for one, two in zip(chip.grid.centre, other.grid.centre, strict=True)]
            half = data.sensor.scale_m * data.sensor.area_px / 2
            assert not (-half <= away[0] < half and -half < away[1] <= half)


def _judge_members(data: Dataset, instalment: int) -> None:
    members: dict[str, list[Spot]] = {name: [] for name in data.chips}
    for name, chip_name in data.pairs.items():
        members[chip_name].append(data.spots[name])
    assert all(len(some) <= data.cap for some in members.values())
    full = [data.spots[name] for name, why in data.reasons.items() if why == "chip_full"]
    for spot in full:
        around = [
            chip for cell, chip in data.chips.values()
            if cell == Cell.at(spot.lon, spot.lat) and data.scenes[chip.chip_id] is not None
            and _bin(spot, data.sensor) == _bin_of(chip, data.sensor)
            and in_area(chip, spot.lon, spot.lat, data.sensor)
        ]  # fmt: skip
        # A chip that found no scene after it was full gives its photos back: they had their turn.
        for chip in around:
            assert len(members[chip.chip_id]) == data.cap
            for one in members[chip.chip_id]:
                if data.arrived[one.photo_id] == instalment:
                    assert (one.hash, one.photo_id) < (spot.hash, spot.photo_id)


def _bin(spot: Spot, sensor: Sensor) -> int:
    return (spot.taken_on.year * 12 + spot.taken_on.month - 1) // sensor.bin_months


def _bin_of(chip: Chip, sensor: Sensor) -> int:
    return (chip.target_date.year * 12 + chip.target_date.month - 1) // sensor.bin_months


def _judge_scenes(data: Dataset) -> None:
    sensor = data.sensor
    for name, (_, chip) in data.chips.items():
        usable = sorted(
            (abs((one.acquired_at.date() - chip.target_date).days), one.cloud_scene_pct,
             -float(one.processing), one.scene_id, cloud)
            for one, cloud in weather(name, data.seed, chip.grid.crs, chip.target_date)
            if one.crs == chip.grid.crs
            and (sensor.scene_cloud_limit_pct is None
                 or one.cloud_scene_pct < sensor.scene_cloud_limit_pct)
            and abs((one.acquired_at.date() - chip.target_date).days) <= sensor.window_days
        )[: sensor.candidates]  # fmt: skip
        passing = [
            one[3] for one in usable
            if sensor.chip_cloud_limit_pct is None or one[4] <= sensor.chip_cloud_limit_pct
        ]  # fmt: skip
        scene = data.scenes[name]
        assert (scene and scene.scene_id) == (passing[0] if passing else None)


def grow(world: World, seed: int) -> Dataset:
    """Adds the instalments one after the other and judges the dataset after each."""
    data = Dataset(world.sensor, world.cap, seed)
    for number, photos in enumerate(world.instalments):
        before = dict(data.pairs)
        chips = dict(data.chips)
        data.add(photos, number, world.random)
        judge(data, number)
        assert before.items() <= data.pairs.items()
        assert chips.items() <= data.chips.items()
    return data
