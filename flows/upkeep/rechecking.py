"""Asks Flickr what became of the photos of a dataset: which are gone, private or relicensed.

    rechecks/<cell>.json    {"photos": {"<photo_id>": "<day on which it was still all right>"}}

Nothing relies on these notes: without them, everything is asked for again. A photo that has to be
forgotten gets none, so that it is asked for again if nobody forgets it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from collectors.cells import Cell
from collectors.licences import licence_id_by_code
from collectors.photo_standing import PhotoStanding, Standing, ask_owner, ask_photo
from collectors.storage import Missing
from collectors.transport import SetupError
from flows.cells.blocked import newest_tables
from flows.cells.state import latest_generations
from flows.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from rich.console import Console

    from collectors.flickr import Flickr
    from collectors.storage import Store
    from flows.progress import Progress
    from flows.settings import Settings

NOTES: Final = "rechecks"

FEW: Final = 20
"""Photos under which no share says anything."""

SUSPICIOUS: Final = 0.2
"""Share of lost photos above which a fault is more likely than so many owners at once."""


@dataclass(slots=True)
class Recheck:
    """What came of asking.

    Attributes:
        asked: Photos that were asked about.
        calls: Calls that it took.
        fine: Photos that are as they were.
        relicensed: Photos under another licence that is allowed as well.
        gone: Ids of photos that are no longer there.
        private: Ids of photos that are no longer public.
        unlicensed: Ids of photos whose licence now is not one of the catalogue's.
        left: Photos that are due and were not asked about.
    """

    asked: int = 0
    calls: int = 0
    fine: int = 0
    relicensed: int = 0
    gone: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)
    unlicensed: list[str] = field(default_factory=list)
    left: int = 0

    @property
    def lost(self) -> frozenset[str]:
        """Ids of the photos that have to be forgotten."""
        return frozenset((*self.gone, *self.private, *self.unlicensed))

    def as_json(self) -> dict[str, Any]:
        """Returns what there is to say, for JSON."""
        return asdict(self)

    def check_plausible(self, root: str) -> None:
        """Sees that not so many are lost that a fault is more likely.

        Raises:
            SetupError: If they are.
        """
        if self.asked >= FEW and len(self.lost) > SUSPICIOUS * self.asked:
            raise SetupError(
                root,
                f"{len(self.lost):,} of {self.asked:,} photos are said to be gone, private or"
                " under another licence: more than owners do at once.",
                "Look at some of their pages; if it is true, --accept-many forgets them.",
            )


@dataclass(frozen=True, slots=True)
class Due:
    """A photo that is to be asked about."""

    photo_id: str
    owner: str
    licence: int
    uploaded_at: Any


def recheck_dataset(
    store: Store,
    flickr: Flickr,
    allowed: frozenset[int],
    *,
    today: date,
    since: date,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Recheck:
    """Asks about every kept photo that was not asked about since a day.

    Args:
        store: The dataset; notes are written into it, cell by cell.
        flickr: The client, which keeps to the limit.
        allowed: Flickr's ids of the licences that photos may have.
        today: The day that is noted.
        since: Photos that were asked about on this day or later are passed over.
        limit: The most photos to ask about.
        progress: Hears how far it is.

    Raises:
        FlickrRefusal, TroubleRemains, SetupError: As the client does; what was found out is noted.
    """
    found = Recheck()
    latest = latest_generations(store)
    due = {cell: _due(store, cell, latest[cell], since) for cell in sorted(latest)}
    everything = sum(map(len, due.values()))
    wanted = everything if limit is None else min(limit, everything)
    before = flickr.sent

    def tell() -> None:
        found.calls = flickr.sent - before
        progress("asking Flickr", found.asked, wanted)

    try:
        for cell, photos in due.items():
            _recheck_cell(
                store, flickr, allowed, cell, photos[: wanted - found.asked], found, today, tell
            )
    finally:
        found.left = everything - found.asked
        tell()
    return found


def ask_flickr(store: Store, settings: Settings, allowed: frozenset[int], **more: Any) -> Recheck:
    """Does so with the key and the limits of the settings; see `recheck_dataset`.

    Raises:
        SetupError: If there is no key.
    """
    from collectors.flickr import Flickr
    from flows.limits.limits import open_limits

    key, secret = settings.flickr_login()
    limits = open_limits(settings)
    try:
        with Flickr(
            key, secret, url=settings.flickr_url, throttle=limits.flickr,
            patience=settings.patience,
        ) as flickr:  # fmt: skip
            return recheck_dataset(store, flickr, allowed, **more)
    finally:
        limits.close()


def _due(store: Store, cell: str, generation: int, since: date) -> list[Due]:
    """Returns the photos of a cell that are to be asked about, owner by owner."""
    noted = read_notes(store, cell)
    photos = newest_tables(store, cell, generation).photos
    columns = ["photo_id", "owner", "licence", "uploaded_at"]
    return [
        Due(row["photo_id"], row["owner"], licence_id_by_code(row["licence"]), row["uploaded_at"])
        for row in sorted(
            photos.select(columns).to_pylist(), key=lambda row: (row["owner"], row["photo_id"])
        )
        if noted.get(row["photo_id"], "") < since.isoformat()
    ]


def _recheck_cell(
    store: Store,
    flickr: Flickr,
    allowed: frozenset[int],
    cell: str,
    due: list[Due],
    found: Recheck,
    today: date,
    tell: Callable[[], None],
) -> None:
    by_owner: defaultdict[str, list[Due]] = defaultdict(list)
    for one in due:
        by_owner[one.owner].append(one)
    fine: list[str] = []
    try:
        for owner, photos in by_owner.items():
            known: Mapping[str, PhotoStanding] = {}
            if len(photos) > 1:
                times = [one.uploaded_at for one in photos]
                known = ask_owner(
                    flickr, owner, Cell.parse(cell).box, {one.photo_id for one in photos},
                    (min(times), max(times)),
                )  # fmt: skip
            for one in photos:
                standing = known.get(one.photo_id) or ask_photo(flickr, one.photo_id)
                if _count(found, one, standing, allowed):
                    fine.append(one.photo_id)
                tell()
    finally:
        if fine:
            noted = read_notes(store, cell) | dict.fromkeys(fine, today.isoformat())
            data = json.dumps({"photos": noted}, indent=1, sort_keys=True).encode()
            store.replace(f"{NOTES}/{cell}.json", data)


def _count(found: Recheck, one: Due, standing: PhotoStanding, allowed: frozenset[int]) -> bool:
    """Counts what became of a photo; says whether it may stay."""
    found.asked += 1
    if standing.standing is Standing.GONE:
        found.gone.append(one.photo_id)
    elif standing.standing is Standing.PRIVATE:
        found.private.append(one.photo_id)
    elif standing.licence not in allowed:
        found.unlicensed.append(one.photo_id)
    elif standing.licence != one.licence:
        found.relicensed += 1
        return True
    else:
        found.fine += 1
        return True
    return False


def read_notes(store: Store, cell: str) -> dict[str, str]:
    """Returns when photos of a cell were asked about last, by id; none that cannot be read."""
    try:
        noted = json.loads(store.read(f"{NOTES}/{cell}.json"))["photos"]
    except (Missing, ValueError, KeyError, TypeError):
        return {}
    return {str(name): str(day) for name, day in noted.items()}


def show_recheck(console: Console, found: Recheck) -> None:
    """Prints what came of asking."""
    lines = [
        (
            f"asked about {found.asked:,} photos in {found.calls:,} calls;"
            f" {found.left:,} that are due are left for another time"
        ),
        (
            f"{found.fine:,} are as they were, {found.relicensed:,} under another licence that is"
            " allowed as well"
        ),
        (
            f"to be forgotten: {len(found.gone):,} gone, {len(found.private):,} private,"
            f" {len(found.unlicensed):,} under a licence that is not allowed"
        ),
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)
