"""What is asked of a cell, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from collectors.cells import Ground


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of one cell in one run.

    Attributes:
        ground: The cell, and the part of it that the region holds.
        sensors: Names of the sensors to pair with.
        taken_from: First local day of capture.
        taken_until: Last local day of capture.
        now: Start of the run, UTC, aware: uploads after it are left for the next run, so that
            paging is stable, and a photo's age is reckoned from it.
        seed: The dataset's seed.
        accept_changed_rules: Go on where the cell was judged by other rules.
        doubt_later_surveys: A clock is or was wrong: surveys that say they looked at uploads later
            than `now` do not count.
    """

    ground: Ground
    sensors: tuple[str, ...]
    taken_from: date
    taken_until: date
    now: datetime
    seed: int
    accept_changed_rules: bool = False
    doubt_later_surveys: bool = False

    @property
    def cell_id(self) -> str:
        """Name of the cell."""
        return self.ground.cell.cell_id

    @property
    def ground_key(self) -> str:
        """SHA-256 of the ground, the same for the same part of the same cell."""
        return hashlib.sha256(self.ground.polygon.normalize().wkb).hexdigest()[:32]

    def key(self, judgement: str, quota: int, calls: int) -> str:
        """Returns what tells this order from others on the same cell; the time is no part of it."""
        said = [
            self.ground_key, sorted(self.sensors), str(self.taken_from), str(self.taken_until),
            self.seed, judgement, quota, calls,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Summary:
    """Counts of a cell, a region or a run; summaries of parts add up.

    Attributes:
        seen: Photos that the searches brought and that are judged now: new ones, and those that an
            earlier build left out for the quota, the owner's share, the region or the window.
        screened: Of those, the ones that the rules on metadata let pass.
        downloaded: Photos fetched from the photo host.
        kept: Photos that were judged outdoor and stored.
        paired: Of those, the ones with at least one pair.
        chips: Chips with pixels, by sensor.
        reasons: `stage: reason` of every photo, and `chip: reason` of every chip, that ended.
        unpaired: `sensor: reason` of kept photos without a pair.
        scenes_refused: Scenes that were fetched and refused.
        flickr_calls: Searches made.
        photo_requests: Requests to the photo host.
        resolve_requests: Earth Engine requests that looked for scenes.
        pixel_requests: Earth Engine requests that fetched pixels.
        cells: Cells by how they ended: committed, unchanged, failed.
        troubles: Cell and message of each that failed.
        stopped: Why the run stopped before its end; empty if it did not.
        short: Cells that hold fewer kept photos than their quota, with how many are missing.
        searched: Searches made; what a stopped run had learnt is not asked again.
        fetched: Chips that pixels were asked for.
        seconds: Time that the cells took, seconds, added up.
        answers: What the services answered; see `collectors.answers.Answers.counts`.
    """

    seen: int = 0
    screened: int = 0
    downloaded: int = 0
    kept: int = 0
    paired: int = 0
    chips: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unpaired: Counter[str] = field(default_factory=Counter)
    scenes_refused: int = 0
    flickr_calls: int = 0
    photo_requests: int = 0
    resolve_requests: int = 0
    pixel_requests: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, str] = field(default_factory=dict)
    short: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    searched: int = 0
    fetched: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)

    def add(self, other: Summary) -> None:
        """Adds the counts of another part."""
        for name in (
            "seen", "screened", "downloaded", "kept", "paired", "scenes_refused", "flickr_calls",
            "photo_requests", "resolve_requests", "pixel_requests", "searched", "fetched",
            "seconds",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.chips.update(other.chips)
        self.reasons.update(other.reasons)
        self.unpaired.update(other.unpaired)
        self.cells.update(other.cells)
        self.answers.update(other.answers)
        self.troubles.update(other.troubles)
        self.short.update(other.short)
        self.stopped = self.stopped or other.stopped

    def count(self, requests: Mapping[str, int]) -> None:
        """Adds requests, by the names of the fields that count them."""
        for name, count in requests.items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def requests_per_chip(self) -> float | None:
        """Earth Engine requests, resolving and pixels together, for each chip with pixels."""
        made = self.chips.total()
        return (self.resolve_requests + self.pixel_requests) / made if made else None
