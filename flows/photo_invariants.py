"""The promises about each photo alone, and about photos of different cells."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from collectors.time_zones import time_data, to_utc, zone_at
from flows.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flows.row_invariants import CellRows
    from flows.rows import PhotoRow

_OFFSETS: Final = (timedelta(hours=-12), timedelta(hours=14))
"""The least and the greatest offset from UTC of any clock since 1990 (IANA time zone database)."""


class PhotoInvariants:
    """Checks cells one after the other."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        """Takes what a version's manifest says of how it was made."""
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
        return [self.timed]

    def check(self, rows: CellRows) -> None:
        """Checks the photos of one cell."""
        for photo in rows.photos:
            self._check_time(photo)

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
