"""Services without a network, for cells that are collected hundreds of times in a test."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from obstore.store import MemoryStore
from PIL import Image

from collectors.cells import Cell, Ground
from collectors.chips import ChipPixels, Scene
from collectors.flickr import PhotoSearch, SearchPage
from collectors.geo import Box
from collectors.records import PhotoImage
from collectors.storage import Store
from filters.sampling import photo_hash
from flows.cells.services import Services
from tests.filters.photos import photo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.chips import Chip
    from collectors.records import Photo
    from collectors.sensors import Sensor
    from flows.catalogue.catalogue import Catalogue

CELL = Cell.at(-122.0, 37.5)
DAWN = datetime(2023, 1, 1, tzinfo=UTC)
"""All photos are taken in the half year from then on, and uploaded a day to two months later."""


class AskedError(Exception):
    """A service was asked that should not have been."""


@dataclass
class World:
    """Photos in crowds around a few places of one cell, and what the services say of them.

    Attributes:
        seed: Of chance.
        count: Photos in all.
        crowds: Places that they stand around.
        cloudy: Share of chips for which there is no scene.
        silent: Whether every question is an error.
    """

    seed: int
    count: int = 30
    crowds: int = 4
    cloudy: float = 0.3
    silent: bool = False
    photos: list[Photo] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.photos:
            return
        chance = random.Random(self.seed)
        box = CELL.box
        places = [
            (chance.uniform(box.west, box.east), chance.uniform(box.south, box.north))
            for _ in range(self.crowds)
        ]
        for number in range(self.count):
            west, south = chance.choice(places)
            # within some 300 m of the place, and in the cell
            lon = min(max(west + chance.gauss(0, 1e-3), box.west), box.east - 1e-6)
            lat = min(max(south + chance.gauss(0, 1e-3), box.south), box.north - 1e-6)
            taken = DAWN + timedelta(days=chance.uniform(0, 180))
            self.photos.append(
                photo(
                    photo_id=str(50_000_000_000 + number), lon=lon, lat=lat,
                    owner=f"{chance.randrange(6):08d}@N01", taken_at=taken.replace(tzinfo=None),
                    uploaded_at=taken + timedelta(days=chance.uniform(1, 60)),
                )
            )  # fmt: skip

    def _answer(self) -> None:
        if self.silent:
            raise AskedError

    def search(self, wanted: PhotoSearch, page: int) -> SearchPage:
        """Answers a search."""
        self._answer()
        since = wanted.uploaded_from
        found = tuple(
            one for one in self.photos
            if wanted.box.holds(one.lon, one.lat) and one.uploaded_at <= wanted.uploaded_until
            and (since is None or one.uploaded_at >= since)
        )  # fmt: skip
        ids = tuple(one.photo_id for one in found)
        return SearchPage(found, (), ids, len(found), 1, page, 250, exhausted=False)

    def fetch(self, one: Photo) -> PhotoImage:
        """Gives a picture of noise, another for each photo."""
        self._answer()
        noise = np.random.default_rng(int(one.photo_id)).integers(0, 255, (8, 8, 3), np.uint8)
        file = BytesIO()
        Image.fromarray(noise).resize((64, 64)).save(file, "JPEG")
        return PhotoImage(file.getvalue(), 64, 64, "https://live.staticflickr.com/1/1_1.jpg")

    def probabilities(self, jpegs: Sequence[bytes]) -> list[float]:
        """Finds one in eight indoors."""
        return [0.9 if sum(jpeg) % 8 == 0 else 0.1 for jpeg in jpegs]

    def resolve(
        self, chips: Sequence[Chip], sensors: Mapping[str, Sensor]
    ) -> dict[str, tuple[Scene, ...]]:
        """Gives one scene, of the target date, or none."""
        self._answer()
        return {
            chip.chip_id: ()
            if photo_hash(self.seed, chip.chip_id) % 100 < 100 * self.cloudy
            else (_scene(chip, sensors[chip.sensor]),)
            for chip in chips
        }

    def read(self, _chip: Chip, _scene: Scene, sensor: Sensor) -> ChipPixels:
        """Gives pixels without cloud."""
        self._answer()
        shape = (len(sensor.bands), sensor.size_px, sensor.size_px)
        quality = np.full(shape[1:], 4, np.uint8) if sensor.quality_band else None
        return ChipPixels.of(sensor.bands, np.ones(shape, np.uint16), quality)

    @property
    def fingerprint(self) -> dict[str, str]:
        """Says what judges."""
        return {"engine": "made up"}


def _scene(chip: Chip, sensor: Sensor) -> Scene:
    bands = (*sensor.bands, *((sensor.quality_band,) if sensor.quality_band else ()))
    return Scene(
        f"S/{chip.chip_id}", datetime.combine(chip.target_date, time(12), UTC), 0.0, "05.00",
        None, chip.grid.crs, chip.grid.transform, bands, chip.grid.scale_m,
    )  # fmt: skip


def memory_store() -> Store:
    """Returns a store that is gone with the test."""
    return Store("memory:", MemoryStore(), None)


def services(store: Store, catalogue: Catalogue, world: Any, weights: str = "w" * 64) -> Services:
    """Returns the services of a run, with threads of its own: a test may close them.

    The threads end when nothing holds the services any longer.
    """
    return Services(
        store=store, catalogue=catalogue, flickr=world, photo_host=world, earth_engine=world,
        classifier=world, weights=weights, photo_pool=ThreadPoolExecutor(1),
        pixel_pool=ThreadPoolExecutor(1),
    )  # fmt: skip


def part_of_cell(share: float) -> Ground:
    """Returns the western part of the cell; all of it for 1."""
    box = CELL.box
    east = box.east if share == 1 else box.west + share * (box.east - box.west)
    polygon = box.polygon() if share == 1 else Box(box.west, box.south, east, box.north).polygon()
    return Ground(CELL, polygon, share)
