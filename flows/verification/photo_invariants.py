"""The promises about each photo alone, and about photos of different cells."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.records import Stage
from collectors.storage import Missing
from collectors.time_zones import time_data, to_utc, zone_at
from filters.hash_index import near_pairs
from filters.picture_hashes import WINDOWS, as_numbers
from filters.same_picture import agreement
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from collectors.storage import Store
    from flows.products.rows import PhotoRow
    from flows.verification.row_invariants import CellRows

_OFFSETS: Final = (timedelta(hours=-12), timedelta(hours=14))
"""The least and the greatest offset from UTC of any clock since 1990 (IANA time zone database)."""


class PhotoInvariants:
    """Checks cells one after the other."""

    def __init__(self, manifest: Mapping[str, Any], store: Store) -> None:
        """Takes what a version's manifest says of how it was made, and where its bytes are."""
        self._store = store
        self._agreement = float(manifest["rules"]["same_picture"])
        self._ids: list[str] = []
        self._places: list[tuple[str, int, int]] = []
        self._hashes = [np.empty((0, len(WINDOWS)), dtype=np.uint64)]
        self._stand_ins: dict[str, str] = {}
        self.single = Finding(
            "one-photo-per-picture",
            "no two kept photos show the same picture, and a photo that was left out for that"
            " reason when this was published names one that is kept",
        )
        data = time_data()
        self._same_time_data = all(
            engine.get(name) == number
            for engine in manifest["engines"]
            for name, number in data.items()
        )
        self.timed = Finding(
            "capture-time",
            "a kept photo's zone is that of its place, and its UTC time follows from zone and"
            " local time",
        )

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [self.timed, self.single]

    def check(self, rows: CellRows) -> None:
        """Checks the photos of one cell."""
        for photo in rows.photos:
            self._check_time(photo)
        compared = [photo for photo in rows.photos if photo.picture_hash]
        self._ids += [photo.photo_id for photo in compared]
        self._places += [(photo.shard, photo.offset, photo.size) for photo in compared]
        self._hashes.append(as_numbers([photo.picture_hash for photo in compared]))
        self._stand_ins |= {
            row.photo_id: row.detail for row in rows.rejects if row.stage == Stage.PUBLISH
        }

    def finish(self) -> None:
        """Compares the pictures of all cells with one another, those that look alike by hash."""
        kept = set(self._ids)
        for photo_id, other in self._stand_ins.items():
            self.single.expect(other in kept, f"photo {photo_id}: {other} is not kept")
        self.single.checked += len(self._ids)
        for one, other in near_pairs(np.concatenate(self._hashes)).tolist():
            found = self._agree(one, other)
            self.single.expect(
                found is not None and found < self._agreement,
                f"photos {self._ids[one]} and {self._ids[other]}: agreement {found}",
            )

    def _agree(self, one: int, other: int) -> float | None:
        """Returns how well two pictures agree; None where their bytes are not there."""
        try:
            first, second = (self._store.read_range(*self._places[at]) for at in (one, other))
            return agreement(first, second)
        except (Missing, OSError):
            return None

    def _check_time(self, photo: PhotoRow) -> None:
        """Checks zone and UTC time; where the zones' data have changed, that they can be true."""
        ahead = photo.taken_at - photo.taken_at_utc.astimezone(UTC).replace(tzinfo=None)
        if self._same_time_data:
            right = zone_at(photo.lon, photo.lat) == photo.time_zone
            right = right and photo.taken_at_utc == _utc(photo.taken_at, photo.time_zone)
        else:
            right = bool(photo.time_zone) and _OFFSETS[0] <= ahead <= _OFFSETS[1]
        self.timed.expect(
            right,
            f"photo {photo.photo_id} at {photo.lon}, {photo.lat}: {photo.taken_at} in"
            f" {photo.time_zone!r} is not {photo.taken_at_utc}",
        )


def _utc(taken_at: datetime, zone: str) -> datetime | None:
    """Returns the UTC time of a wall-clock time; None where there is no such zone."""
    try:
        return to_utc(taken_at, zone)
    except ValueError:
        return None
