"""Stand-ins for the services and the storage of one cell's work, which answer from a model.

With them the real stages of a cell run through without asking or storing anything.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Semaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from collectors.earth_engine import RESOLVE_BATCH
from collectors.flickr import GEO_PAGE, RESULT_CAP, SearchPage
from collectors.records import Outcome, Stage
from collectors.sensors import Quality
from flows.cells.batches import Finished, Location
from flows.products.block_list import BlockList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from collectors.chips import Chip, Scene
    from collectors.flickr import PhotoSearch
    from collectors.records import Photo
    from collectors.sensors import Sensor
    from flows.catalogue.catalogue import Catalogue
    from flows.planning.rates import Drawn


class ModelFlickr:
    """Answers searches from photos that are made up."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        """Takes the photos of a cell."""
        newest = sorted(photos, key=lambda one: (-one.uploaded_at.timestamp(), one.photo_id))
        self._photos = newest
        self._places = np.array([[one.lon, one.lat] for one in newest]).reshape(-1, 2)
        self._taken = np.array([one.taken_at.date() for one in newest], dtype="datetime64[D]")
        self._uploaded = np.array([one.uploaded_at.timestamp() for one in newest])

    def search(self, wanted: PhotoSearch, page: int = 1) -> SearchPage:
        """Returns a page as `collectors.flickr.Flickr.search` does; all photos are licensed."""
        box = wanted.box
        lon, lat = self._places.T
        there = (box.west <= lon) & (lon < box.east) & (box.south <= lat) & (lat < box.north)
        there &= np.datetime64(wanted.taken_from) <= self._taken
        there &= self._taken < np.datetime64(wanted.taken_until)
        if wanted.uploaded_from is not None:
            there &= self._uploaded >= wanted.uploaded_from.timestamp()
        there &= self._uploaded < wanted.uploaded_until.timestamp()
        found = np.flatnonzero(there)
        pages = math.ceil(len(found) / GEO_PAGE)
        first = (page - 1) * GEO_PAGE
        rows = found[first : first + GEO_PAGE] if first < RESULT_CAP else found[:0]
        photos = tuple(self._photos[one] for one in rows.tolist())
        ids = tuple(one.photo_id for one in photos)
        return SearchPage(photos, (), ids, len(found), pages, page, GEO_PAGE, not photos)


class ModelEarthEngine:
    """Knows no scenes: whether a chip has some is drawn when its pixels are asked for."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.chips: list[Chip] = []
        self.resolve_requests = 0

    def resolve(
        self,
        chips: Sequence[Chip],
        sensors: Mapping[str, Sensor],  # noqa: ARG002
    ) -> dict[str, tuple[Scene, ...]]:
        """Counts the requests that this takes."""
        self.chips += chips
        self.resolve_requests += math.ceil(len(chips) / RESOLVE_BATCH)
        return {chip.chip_id: () for chip in chips}


@dataclass(slots=True)
class ModelServices:
    """What the stages use of `flows.cells.services.Services`."""

    catalogue: Catalogue
    flickr: ModelFlickr
    earth_engine: ModelEarthEngine
    room_ahead: Semaphore = field(default_factory=lambda: Semaphore(0))
    blocks: BlockList = field(default_factory=BlockList)

    def keep_going(self) -> None:
        """Nothing stops a model."""


class ModelSteps:
    """Decides, and writes nothing down."""

    def remember(self, name: str, kind: Any, decide: Callable[[], Any]) -> Any:  # noqa: ARG002
        """Returns what is decided."""
        return decide()


class ModelBatches:
    """Draws what becomes of photos and chips, in place of fetching, judging and storing them."""

    def __init__(
        self, drawn: Drawn, sensors: Mapping[str, Sensor], rng: np.random.Generator
    ) -> None:
        """Takes one possible truth and chance."""
        self._drawn, self._sensors, self._rng = drawn, sensors, rng
        self.downloads = 0
        self.pixel_requests = 0
        self.members: Counter[str] = Counter()

    def holds(self, item_ids: Sequence[str], beside: str = "") -> bool:  # noqa: ARG002
        """Everything is ready, so that nobody begins it."""
        return True

    def run(
        self,
        item_ids: Sequence[str],
        work: Callable[[], object],  # noqa: ARG002 - it is not done
        beside: str = "",  # noqa: ARG002
    ) -> tuple[Finished, ...]:
        """Returns what becomes of a batch."""
        return tuple(
            self._chip(one) if one.partition("_")[0] in self._sensors else self._photo(one)
            for one in item_ids
        )

    def _photo(self, photo_id: str) -> Finished:
        self.downloads += 1
        truth = self._drawn
        if self._rng.random() < truth.failed:
            return self._verdict(photo_id, Outcome.FAILED, Stage.DOWNLOAD, "gone")
        if self._rng.random() < truth.repeats:
            return self._verdict(photo_id, Outcome.REJECTED, Stage.COMPARE, "same_picture")
        if self._rng.random() < truth.indoor:
            return self._verdict(photo_id, Outcome.REJECTED, Stage.JUDGE, "indoor")
        self.members["photos"] += 1
        return self._verdict(photo_id, Outcome.KEPT, Stage.JUDGE, "", truth.photo_bytes)

    def _verdict(
        self, photo_id: str, outcome: Outcome, stage: Stage, reason: str, size: float | None = None
    ) -> Finished:
        verdict = {
            "outcome": outcome, "stage": stage, "reason": reason, "detail": "",
            "probability": None, "width": 0, "height": 0, "image_url": "", "picture_hash": "",
        }  # fmt: skip
        location = None if size is None else Location("", 0, round(size), "")
        return Finished(photo_id, verdict, location)

    def _chip(self, chip_id: str) -> Finished:
        sensor = self._sensors[chip_id.partition("_")[0]]
        truth = self._drawn.sensors[sensor.name]
        scenes = 0
        if self._rng.random() >= truth.no_scene:
            scenes = sensor.candidates
            if truth.candidates:
                scenes = int(self._rng.choice(truth.candidates))
        a_scene = 2 if sensor.quality is Quality.CLOUD_SCORE_PLUS else 1
        for _ in range(scenes):
            self.pixel_requests += a_scene
            if self._rng.random() >= truth.refused:
                self.members[sensor.name] += 1
                verdict: dict[str, object] = {
                    "outcome": Outcome.KEPT, "reason": None, "scene": _SCENE, "bands": (),
                    "refused": (),
                }  # fmt: skip
                return Finished(chip_id, verdict, Location("", 0, round(truth.bytes), ""))
        reason = "all_refused" if scenes else "no_scene"
        none: dict[str, object] = {
            "outcome": Outcome.REJECTED, "reason": reason, "scene": None, "bands": (),
            "refused": (),
        }  # fmt: skip
        return Finished(chip_id, none, None)


_SCENE = {
    "scene_id": "model", "acquired_at": datetime(2020, 1, 1, tzinfo=UTC), "cloud_scene_pct": None,
    "processing": "", "generated_at": None, "crs": "EPSG:32631",
    "transform": (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), "bands": (), "gsd_m": 1.0,
}  # fmt: skip
