"""What a cell of the dataset has seen already, as searches would show it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from collectors.flickr import GEO_PAGE
from collectors.licences import licence_id_by_code
from collectors.records import Media, Photo
from flows.cells.photo_stage import REVISITED
from flows.cells.state import searched_until

if TYPE_CHECKING:
    from collections.abc import Collection

    from flows.cells.state import CellState, Surveyed
    from flows.planning.groups import Plot
    from flows.products.rows import PhotoRow, RejectRow


@dataclass(frozen=True, slots=True)
class Held:
    """Photos of a plot that its cell has seen.

    Attributes:
        photos: Kept ones and rejects that a search of the plot would bring again.
        kept: How many of them are kept.
        again: How many of them a build would find anew: rejects that another quota may want.
        until: All uploads up to here were seen; None if some were not.
    """

    photos: tuple[Photo, ...] = ()
    kept: int = 0
    again: int = 0
    until: datetime | None = None

    @classmethod
    def of(cls, state: CellState, plot: Plot, licences: Collection[int]) -> Held:
        """Returns what of a cell a search of a plot would bring again."""
        first = min(order.taken_from for order in plot.orders)
        last = max(order.taken_until for order in plot.orders)
        photos = {
            one.photo_id: one for one in seen_photos(state)
            if plot.holds(one.lon, one.lat) and first <= one.taken_at.date() <= last
            and one.licence in licences
        }  # fmt: skip
        kept = sum(row.photo_id in photos for row in state.photos)
        again = sum(row.photo_id in photos for row in state.rejects if row.reason in REVISITED)
        return cls(tuple(photos.values()), kept, again, _seen_until(state, plot))

    @property
    def ids(self) -> set[str]:
        """The ids of its photos."""
        return {one.photo_id for one in self.photos}

    def later(self, now: datetime) -> float:
        """Returns how many photos came since all were seen, if they come as they came before."""
        if self.until is None or not self.photos:
            return 0.0
        before = self.until - min(one.uploaded_at for one in self.photos)
        since = max(timedelta(0), now - self.until)
        return len(self.photos) * (since / max(before, timedelta(days=1)))


NOTHING: Final = Held()


def _seen_until(state: CellState, plot: Plot) -> datetime | None:
    """Returns until when all uploads of a plot were seen."""
    surveys = [_as_seen(one) for one in state.surveyed]
    # The quota that was wanted decides who is kept, not who is seen.
    ends = [searched_until(surveys, order, 0) for order in plot.orders]
    known = [end for end in ends if end is not None]
    return min(known) if known and len(known) == len(ends) else None


def _as_seen(survey: Surveyed) -> Surveyed:
    """Returns a survey as what it has seen, where that is more than its record claims.

    One whose first search did not fill a page has seen all, however it ended. One that asked for
    photos up to its own day has seen those of later days as well: there were none yet.
    """
    if survey.found and survey.found[0] < GEO_PAGE:
        survey = replace(survey, ended="exhausted")
    own_day = datetime.fromisoformat(survey.uploaded_until).date()
    if date.fromisoformat(survey.taken_until) >= own_day:
        survey = replace(survey, taken_until=date.max.isoformat())
    return survey


def seen_photos(state: CellState) -> list[Photo]:
    """Returns a cell's photos and rejects as a search would have shown them."""
    found = [_photo(row, row.uploaded_at, 16) for row in state.photos]
    for row in state.rejects:
        if None in (row.lon, row.lat, row.taken_at, row.owner, row.licence):
            continue
        assert row.taken_at is not None  # noqa: S101 - looked at above
        uploaded = row.taken_at.replace(tzinfo=UTC) + timedelta(days=1)
        found.append(_photo(row, uploaded, _ACCURACY.get(row.reason, 16)))
    return found


_ACCURACY: Final = {"low_accuracy": 1, "no_location": 0}


def _photo(row: PhotoRow | RejectRow, uploaded: datetime, accuracy: int) -> Photo:
    reason = "" if not hasattr(row, "reason") else row.reason
    taken, lon, lat = row.taken_at, row.lon, row.lat
    assert taken is not None and lon is not None and lat is not None  # noqa: S101, PT018
    return Photo(
        photo_id=row.photo_id, owner=row.owner or "", owner_name="", path_alias="", lon=lon,
        lat=lat, accuracy=accuracy, geo_is_public=reason != "not_public_geo", taken_at=taken,
        taken_known=reason != "unknown_date",
        taken_granularity=4 if reason == "coarse_date" else 0, uploaded_at=uploaded,
        licence=licence_id_by_code(row.licence or ""), title="", tags="", media=Media.PHOTO,
        is_photograph=reason != "not_photo", sizes=(),
    )  # fmt: skip
