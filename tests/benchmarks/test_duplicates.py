"""Duplicates that were planted, and what is lost besides."""

from __future__ import annotations

import io
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from collectors.sandbox.landcover import Landcover
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.pictures import Pictures
from filters.duplicates import bursts
from filters.hash_index import TOLERANCE, near_pairs
from filters.picture_hashes import as_numbers, near_pictures, picture_hash
from filters.same_picture import agreement, settle
from flows.catalogue.catalogue import load_catalogue
from tests.benchmarks.lines import report
from tests.filters.photos import photo
from tests.filters.real_pictures import COPIES, PHOTOGRAPHS, jpeg, photograph, stored, tiles
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collectors.sandbox.photo_records import Photo as MadeUpPhoto

pytestmark = pytest.mark.benchmark

SEED = 0
WANTED = load_catalogue(SHIPPED).rules.same_picture
DEGREE_M = 111_195.0


@dataclass
class Score:
    """What became of planted copies, by kind, and of the others."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    others: int = 0
    lost: int = 0

    @property
    def recall(self) -> float:
        return sum(self.found.values()) / sum(self.planted.values())

    def by_kind(self) -> dict[str, float]:
        return {kind: round(self.found[kind] / count, 4) for kind, count in self.planted.items()}


@dataclass
class World:
    """Originals and copies of them, as they are stored, in the order of upload."""

    files: list[bytes]
    source: list[int]
    kinds: list[str | None]

    @classmethod
    def plant(cls, originals: Iterable[Image.Image], copies_each: int) -> World:
        """Makes copies of all kinds in turn; they come after all originals."""
        files: list[bytes] = []
        copies: list[bytes] = []
        kinds: list[str] = []
        names = list(COPIES)
        for one in originals:
            files.append(stored(jpeg(one)))
            for _ in range(copies_each):
                kinds.append(names[len(kinds) % len(names)])
                copies.append(stored(COPIES[kinds[-1]](one)))
        source = [*range(len(files)), *(at // copies_each for at in range(len(copies)))]
        return cls([*files, *copies], source, [*([None] * len(files)), *kinds])

    def settle(self) -> tuple[Score, Score]:
        """Settles them as a cell does, and as publishing does."""
        texts = [picture_hash(file) for file in self.files]
        compared = [number for number, text in enumerate(texts) if text]
        hashes = as_numbers([texts[number] for number in compared])

        @cache
        def same(earlier: int, later: int) -> bool:
            pictures = self.files[compared[earlier]], self.files[compared[later]]
            return agreement(*pictures) >= WANTED

        across = [(one, other) for one, other in near_pairs(hashes).tolist()]
        scores = []
        for near in (near_pictures(hashes, 0), across):
            repeats = settle(near, same)
            scores.append(
                self._score({compared[one]: compared[other] for one, other in repeats.items()})
            )
        return scores[0], scores[1]

    def _score(self, repeats: dict[int, int]) -> Score:
        score = Score()
        for number, kind in enumerate(self.kinds):
            if kind is None:
                score.others += 1
                score.lost += number in repeats
            else:
                kept = repeats.get(number, number)
                score.planted[kind] += 1
                score.found[kind] += kept != number and self.source[kept] == self.source[number]
        return score


def real_originals() -> Iterator[Image.Image]:
    """The photographs, and their parts of a half, a third, a quarter and a fifth of the side."""
    return (
        part
        for path in PHOTOGRAPHS for count in range(1, 6) for part in tiles(photograph(path), count)
        if min(photograph(path).size) // count >= 60
    )  # fmt: skip


def made_up_photos() -> list[MadeUpPhoto]:
    """The sandbox's photos in the regions of the catalogue, some 5,000."""
    people = People(SEED)
    regions = ((-122.9, 37.0, -120.1, 38.7), (5.3, 45.3, 8.2, 47.3))
    return [one for box in regions for one in people.search(PhotoQuery(*box), 0, 10_000)[1]]


def made_up_originals(count: int) -> Iterator[Image.Image]:
    """Pictures of the sandbox's photos, each scene once."""
    pictures = Pictures(SEED, Landcover(SEED))
    scenes = {one.scene: one for one in made_up_photos() if one.size("z")}
    assert len(scenes) >= count
    files = (pictures.jpeg(one, "z") for one in list(scenes.values())[:count])
    return (Image.open(io.BytesIO(file)).convert("RGB") for file in files)


def plant_bursts() -> Score:
    """Shots around the sandbox's photos, up to 60 s and 49 m away, uploaded after them."""
    score = Score()
    chance = np.random.default_rng(SEED)
    photos = [
        photo(
            photo_id=one.photo_id, owner=one.owner, lon=one.longitude, lat=one.latitude,
            taken_at=datetime.fromtimestamp(one.taken, UTC).replace(tzinfo=None),
            uploaded_at=datetime.fromtimestamp(one.uploaded, UTC),
        )
        for one in made_up_photos()
    ]  # fmt: skip
    planted = []
    for number in chance.choice(len(photos), 2000, replace=False).tolist():
        first = photos[number]
        for shot in range(int(chance.integers(1, 4))):
            angle, away = chance.uniform(0, 2 * np.pi), chance.uniform(0, 49)
            north, east = away * np.cos(angle), away * np.sin(angle)
            planted.append(replace(
                first, photo_id=f"9{number:07d}{shot}000", lat=first.lat + north / DEGREE_M,
                lon=first.lon + east / DEGREE_M / np.cos(np.radians(first.lat)),
                taken_at=first.taken_at + timedelta(seconds=int(chance.integers(-60, 61))),
                uploaded_at=first.uploaded_at + timedelta(days=1),
            ))  # fmt: skip
    repeats = bursts([*photos, *planted])
    score.planted["burst"] = len(planted)
    score.found["burst"] = sum(one.photo_id in repeats for one in planted)
    by_owner: dict[str, list[int]] = {}
    for number, one in enumerate(photos):
        by_owner.setdefault(one.owner, []).append(number)
    for number, one in enumerate(photos):
        score.others += 1
        if one.photo_id in repeats:
            # A burst of the world's own: somebody else's arithmetic must find its partner.
            score.lost += not any(
                abs(photos[at].taken_at - one.taken_at) <= timedelta(seconds=60)
                and np.hypot((photos[at].lat - one.lat) * DEGREE_M,
                             (photos[at].lon - one.lon) * DEGREE_M * np.cos(np.radians(one.lat)))
                <= 50.5
                for at in by_owner[one.owner] if at != number
            )  # fmt: skip
    return score


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """All scores, by where the duplicates were planted."""
    real = World.plant(real_originals(), 1).settle()
    made_up = World.plant(made_up_originals(400), 1).settle()
    return {
        "photographs": real[0],
        "photographs, across cells": real[1],
        "sandbox": made_up[0],
        "sandbox, across cells": made_up[1],
        "bursts": plant_bursts(),
    }


def test_duplicates_recall(scores: dict[str, Score]) -> None:
    """The part of the planted duplicates that is found, of all kinds and in each world."""
    planted = sum(sum(one.planted.values()) for one in scores.values())
    found = sum(sum(one.found.values()) for one in scores.values())
    report(
        "duplicates_recall", round(found / planted, 5), "1", ">= 0.99", planted=planted, seed=SEED,
        by_world={name: round(one.recall, 5) for name, one in scores.items()},
        by_kind={name: one.by_kind() for name, one in scores.items()},
    )  # fmt: skip


def test_duplicates_false_loss(scores: dict[str, Score]) -> None:
    """The part of the other photos that is dropped as well."""
    others = sum(one.others for one in scores.values())
    report(
        "duplicates_false_loss", round(sum(one.lost for one in scores.values()) / others, 6), "1",
        "<= 0.001", others=others, seed=SEED,
        by_world={name: f"{one.lost} of {one.others}" for name, one in scores.items()},
    )  # fmt: skip


def all_with_all(hashes: np.ndarray) -> int:
    """Near pairs by comparing every picture with every other, a row at a time."""
    found = 0
    for later in range(1, len(hashes)):
        old, new = hashes[:later], hashes[later]
        forth = np.bitwise_count(old ^ new[0]).min(axis=1)
        back = np.bitwise_count(old[:, :1] ^ new).min(axis=1)
        found += int((np.minimum(forth, back) <= TOLERANCE).sum())
    return found


def test_duplicates_index_1m_seconds() -> None:
    """Near hashes among a million pictures; a look at all pairs beside it where it can be done."""
    chance = np.random.default_rng(SEED)
    seconds: dict[int, float] = {}
    pairs: dict[int, int] = {}
    for count in (20_000, 100_000, 1_000_000):
        hashes = chance.integers(0, 2**64, (count, 10), dtype=np.uint64)
        hashes[1::100, 3] = hashes[::100, 0] ^ np.uint64(0b1011_0110_0000_0001_0000_0011)
        started = time.perf_counter()
        pairs[count] = len(near_pairs(hashes))
        seconds[count] = time.perf_counter() - started
        if count == 20_000:
            started = time.perf_counter()
            expected = all_with_all(hashes)
            peer = time.perf_counter() - started
            assert pairs[count] == expected
        assert pairs[count] >= count // 100
    report(
        "duplicates_index_1m_seconds", round(seconds[1_000_000], 1), "s", "none stated",
        peer="all with all, 20,000 pictures", ratio=round(peer / seconds[20_000], 2),
        growth_100k_to_1m=round(seconds[1_000_000] / seconds[100_000], 1),
        pairs_by_pictures=pairs, seed=SEED,
    )  # fmt: skip
