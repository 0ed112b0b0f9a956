"""The first half of a cell's story: survey and judge in rounds until the quota is met."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from collectors.flickr import PhotoSearch, SearchPage
from collectors.records import Outcome, Photo, Stage
from filters.duplicates import Shot, bursts
from filters.metadata import Rules, screen
from filters.sampling import photo_hash, quota_for
from filters.selection import Candidate, Held, choose
from filters.survey import Probe, Survey
from flows.cells.blocked import Screen, forgotten_row
from flows.cells.photo_work import judge_photos, kept_row, rejected_row, unreadable_row
from flows.cells.picture_comparison import name_of
from flows.cells.state import Surveyed, searched_until
from flows.products.block_list import is_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from flows.cells.batches import Finished, Piece
    from flows.cells.state import CellState
    from flows.cells.work import CellWork
    from flows.products.rows import PhotoRow, RejectRow

PHOTO_BATCH: Final = 64
"""Photos in a shard: a few seconds of work to repeat at most, and still one object for many."""

SURPLUS: Final = 4
"""A round of searches goes on until this many times the missing photos wait: about a third of what
is found passes the rules. A search that announces more than this is cut into strata of box and
year, because Flickr lists the newest uploads first and a few pages would be no even sample."""

FULL_PAGE: Final = 250
"""Results of one search; what fits into it needs no strata."""

INDEX_LAG: Final = timedelta(days=1)
"""Uploads so much older than the last survey are searched for again. Flickr's index lists a photo
some time after its upload, and says nowhere how long; what is known costs a place on a page."""

REVISITED: Final = frozenset({"over_quota", "owner_share", "outside_region", "outside_window"})
"""Reasons that hold for one order only: another region, window or quota may want the photo."""


@dataclass(slots=True)
class PhotoStage:
    """The photos of one cell under one order.

    Attributes:
        work: The cell, the order and what they are worked on with.
        state: The cell as it was committed last.
        tell: Called with photos kept, after each batch.
    """

    work: CellWork
    state: CellState
    tell: Callable[[int], None]
    _waiting: dict[str, Photo] = field(default_factory=dict)
    _judged: dict[str, Photo] = field(default_factory=dict)
    _rejects: dict[str, RejectRow] = field(default_factory=dict)
    _photos: list[PhotoRow] = field(default_factory=list)
    _held: Held = field(default_factory=Held)
    _met: set[str] = field(default_factory=set)
    _found: list[int] = field(default_factory=list)
    _new: list[int] = field(default_factory=list)

    @property
    def quota(self) -> int:
        """Kept photos that the order wants in its part of the cell."""
        return quota_for(
            self.work.services.catalogue.rules.quota_per_cell, self.work.order.ground.share
        )

    def run(self) -> CellState:
        """Returns the cell's state with what was found and judged; not yet committed."""
        here = [row for row in self.state.photos if self.work.order.ground.holds(row.lon, row.lat)]
        for row in here:
            self._held.add(row)
        until = searched_until(self.state.surveyed, self.work.order, self.quota)
        if self._held.total >= self.quota or (until is not None and until >= self.work.now):
            self._say_short()
            return self.state
        since = None if until is None else until - INDEX_LAG
        survey = self._start()
        while (ending := survey.ending(self._held.total)) is None:
            survey = self._search(survey, since)
            self._judge()
        self._close()
        self._say_short()
        surveyed = Surveyed(
            ground=self.work.order.ground_key,
            taken_from=str(self.work.order.taken_from),
            taken_until=str(self.work.order.taken_until),
            uploaded_until=self.work.now.isoformat(),
            quota=self.quota,
            ended=ending,
            found=tuple(self._found),
            new=tuple(self._new),
        )
        old = {row.photo_id: row for row in self.state.rejects}
        new = [row for name, row in self._rejects.items() if not _same(old.get(name), row)]
        gone = {row.photo_id for row in new} | {row.photo_id for row in self._photos}
        return replace(
            self.state,
            photos=(*self.state.photos, *self._photos),
            rejects=(*(row for row in self.state.rejects if row.photo_id not in gone), *new),
            surveyed=(*self.state.surveyed, surveyed),
        )

    def _say_short(self) -> None:
        if self._held.total < self.quota:
            self.work.summary.short[self.work.order.cell_id] = self.quota - self._held.total

    def _start(self) -> Survey:
        flickr = self.work.services.catalogue.flickr
        probe = Probe(
            self.work.order.ground.bounds,
            self.work.order.taken_from,
            self.work.order.taken_until + timedelta(days=1),
        )
        seed = self.work.order.seed
        if any(one.ground == self.work.order.ground_key for one in self.state.surveyed):
            # The calls of an earlier survey were not enough: other strata come first this time.
            seed = photo_hash(seed, self.work.now.isoformat())
        return Survey.start(
            [probe], seed, self.quota, flickr.calls_per_cell,
            split_above=min(flickr.split_above, max(FULL_PAGE, SURPLUS * self.quota)),
        )  # fmt: skip

    def _search(self, survey: Survey, since: datetime | None) -> Survey:
        """Makes searches until enough photos wait, and screens what they bring."""
        known = {row.photo_id for row in self.state.photos}
        known |= {row.photo_id for row in self.state.rejects if row.reason not in REVISITED}
        known |= self._judged.keys() | self._rejects.keys() | self._waiting.keys()
        licences = tuple(sorted(self.work.services.catalogue.rules.licence_ids))
        arrived: list[Photo] = []
        wanted = SURPLUS * (self.quota - self._held.total)
        while (question := survey.next()) is not None:
            self.work.services.keep_going()
            probe, page = question

            def ask(probe: Probe = probe, page: int = page) -> SearchPage:
                self.work.summary.searched += 1
                wanted = PhotoSearch(
                    probe.box, probe.taken_from, probe.taken_until, self.work.now, licences, since
                )
                found = self.work.services.flickr.search(wanted, page)
                return Screen(self.work.services.blocks).clean(found)

            answer = self.work.steps.remember(f"search-{len(self._found):04d}", SearchPage, ask)
            # A step of a stopped run may be older than the list.
            answer = Screen(self.work.services.blocks).clean(answer)
            box = self.work.order.ground.cell.box
            fresh = [
                photo for photo in answer.photos
                # Flickr's boxes are closed: what lies on the far edge is the neighbour's.
                if photo.photo_id not in known and box.holds(photo.lon, photo.lat)
            ]  # fmt: skip
            known.update(photo.photo_id for photo in fresh)
            arrived.extend(fresh)
            for row in answer.unreadable:
                if row.photo_id and row.photo_id not in known:
                    known.add(row.photo_id)
                    self.work.summary.seen += 1
                    cell_id, generation = self.work.order.cell_id, self.work.generation
                    self._rejects[row.photo_id] = (
                        forgotten_row(row.photo_id, cell_id, generation)
                        if is_token(row.photo_id)
                        else unreadable_row(row.photo_id, row.detail, cell_id, generation)
                    )
            self._found.append(len(answer.ids))
            self._new.append(len(set(answer.ids) - self._met))
            self._met.update(answer.ids)
            survey = survey.answered(
                probe, page, total=answer.total, pages=answer.pages,
                new_ids=self._new[-1], exhausted=answer.exhausted,
            )  # fmt: skip
            # Every stratum is looked at once before anyone is chosen, and there is at least one
            # search each time: those who wait may all be of owners who have their share.
            upcoming = survey.next()
            all_visited = upcoming is None or upcoming[1] > 1
            if all_visited and len(self._waiting) + len(arrived) >= wanted:
                break
        self._screen(arrived)
        return survey

    def _screen(self, arrived: Sequence[Photo]) -> None:
        """Lets the rules on metadata speak, then drops all but one of each burst."""
        rules = self.work.services.catalogue.rules
        asked = Rules(
            min_accuracy=rules.min_accuracy,
            licences=rules.licence_ids,
            taken_from=self.work.order.taken_from,
            taken_until=self.work.order.taken_until + timedelta(days=1),
        )
        self.work.summary.seen += len(arrived)
        passed = []
        for photo in arrived:
            reason = screen(photo, self.work.order.ground, asked)
            if reason is None:
                passed.append(photo)
            else:
                self._reject(photo, Stage.SCREEN, reason)
        before: list[Shot] = [*self._waiting.values(), *self._judged.values()]
        before += self.state.photos
        doubles = bursts(passed, before)
        for photo in passed:
            if photo.photo_id in doubles:
                self._reject(photo, Stage.SCREEN, "burst", detail=doubles[photo.photo_id])
            else:
                self._waiting[photo.photo_id] = photo
                self.work.summary.screened += 1

    def _judge(self) -> None:
        """Downloads and judges, batch after batch, until the quota is met or nobody waits."""
        rules = self.work.services.catalogue.rules
        queue = [Candidate.of(photo, self.work.order.seed) for photo in self._waiting.values()]
        while queue:
            chosen = choose(
                queue, self._held, quota=self.quota, owner_share=rules.owner_share,
                batch=PHOTO_BATCH,
            )  # fmt: skip
            if not chosen:
                return
            taken = set(chosen)
            queue = [one for one in queue if one not in taken]
            self._judge_batch(chosen)

    def _judge_batch(self, chosen: Sequence[Candidate]) -> None:
        photos = [self._waiting.pop(one.photo_id) for one in chosen]
        self._judged.update((photo.photo_id, photo) for photo in photos)
        done = self.work.batches.run(
            [photo.photo_id for photo in photos],
            lambda: self._judged_pieces(photos),
            beside=name_of(self._kept_photos()),
        )
        for photo, finished in zip(photos, done, strict=True):
            self._take(photo, finished)
        self.tell(len(self._photos))

    def _judged_pieces(self, photos: Sequence[Photo]) -> list[Piece]:
        self.work.summary.downloaded += len(photos)
        return judge_photos(photos, self._kept_photos(), self.work.services)

    def _kept_photos(self) -> list[PhotoRow]:
        """Returns what the cell keeps so far, before and in this run."""
        return [*self.state.photos, *self._photos]

    def _take(self, photo: Photo, finished: Finished) -> None:
        """Makes a row of a judged photo."""
        verdict, location = finished.verdict, finished.location
        if verdict["outcome"] != Outcome.KEPT or location is None:
            self._reject(
                photo,
                Stage(verdict["stage"]),
                verdict["reason"],
                detail=verdict["detail"],
                outcome=Outcome(verdict["outcome"]),
                probability=verdict["probability"],
            )
            return
        self._held.add(photo)
        self.work.summary.kept += 1
        self._photos.append(
            kept_row(photo, verdict, location, self.work.order.cell_id, self.work.generation)
        )

    def _close(self) -> None:
        """Gives a reason to every photo that still waits."""
        rules = self.work.services.catalogue.rules
        limit = quota_for(self.quota, rules.owner_share)
        for photo in self._waiting.values():
            full = self._held.total < self.quota and self._held.by_owner[photo.owner] >= limit
            self._reject(photo, Stage.SELECT, "owner_share" if full else "over_quota")
        self._waiting.clear()

    def _reject(self, photo: Photo, stage: Stage, reason: str, **more: Any) -> None:
        self._rejects[photo.photo_id] = rejected_row(
            photo, stage, reason, self.work.order.cell_id, self.work.generation, **more
        )


def _same(old: RejectRow | None, new: RejectRow) -> bool:
    """Says whether a photo that came up again ended as it did before."""
    return old is not None and replace(new, generation=old.generation) == old
