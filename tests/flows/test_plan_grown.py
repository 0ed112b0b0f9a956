"""Plans of more photos for a dataset that has some: what it has seen is not planned again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from collectors.cells import Cell, Ground
from flows.cells.orders import Order
from flows.cells.state import CellState, Surveyed
from flows.planning.estimates import Range
from flows.planning.groups import Plot
from flows.planning.held import Held
from flows.planning.miniature import Miniature, Question
from flows.planning.outlooks import pool_of
from flows.planning.planning import _cut
from flows.planning.populations import Uploads
from tests.collectors.photos import make_photo
from tests.flows.planned import beside, plan_of, stored_bytes
from tests.flows.product_rows import CATALOGUE, photo
from tests.flows.runs import small_catalogue
from tests.flows.small_worlds import shrink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

FIGURES = (
    "found", "screened", "photos", "chips", "flickr_calls", "downloads", "earth_engine_requests",
    "bytes",
)  # fmt: skip

CELL = Cell(118, 55)
END = datetime(2026, 11, 1, tzinfo=UTC)
ORDER = Order(
    Ground(CELL, CELL.box.polygon(), 1.0), ("naip",), date(2020, 1, 1), END.date(), END, 0
)
PLOT = Plot(CELL, (ORDER,))


def test_a_plan_of_a_larger_quota_is_near_what_is_built(run: Run, tmp_path: Path) -> None:
    """Cells with 12 photos are to have 40: all figures within the range and 1.5 of likely.

    With two groups for two regions, no search brings all of a cell's photos.
    """
    few = small_catalogue(tmp_path / "few.yaml", shrink, quota=12)
    more = small_catalogue(tmp_path / "more.yaml", shrink, quota=40)
    root = tmp_path / "dataset"
    run.build(root, catalogue=few)
    before = stored_bytes(root)
    plans = {
        offline: plan_of(run, root, catalogue=more, offline=offline, probes=2)
        for offline in (False, True)
    }
    outcome = run.build(root, catalogue=more)
    for offline, plan in plans.items():
        figures = beside(plan, outcome, root, before)
        assert [name for name in FIGURES if not figures[name]["within"]] == [], (offline, figures)
        for name in FIGURES:
            came, likely = figures[name]["came"], figures[name]["likely"]
            assert likely / 1.5 <= came <= likely * 1.5, (offline, name, figures[name])


def _survey(**more: Any) -> Surveyed:
    plain = Surveyed(
        ORDER.ground_key, "2004-02-10", "2026-11-01", END.isoformat(), 5, "quota", (250, 3), (250,)
    )
    return replace(plain, **more)


@pytest.mark.parametrize(
    ("survey", "seen"),
    [
        (_survey(), False),
        (_survey(ended="exhausted"), True),
        (_survey(found=(249,)), True),
        (_survey(found=(249,), taken_until="2026-10-01"), False),
        (_survey(found=(249,), ground="another"), False),
    ],
)
def test_whether_all_of_a_cell_was_seen(survey: Surveyed, *, seen: bool) -> None:
    """A survey that came to its end or fits one page has, whatever its quota, on other days too."""
    later = replace(ORDER, taken_until=date(2027, 1, 1))
    for order in (ORDER, later):
        state = CellState(CELL.cell_id, surveyed=(survey,))
        held = Held.of(state, Plot(CELL, (order,)), {4})
        assert held.until == (END if seen else None)


def test_what_is_announced_is_new_only_beyond_what_is_held() -> None:
    """Of 1,000 announced with 900 held, 100 are new, and they lie where new ones were seen."""
    neighbour = Cell(118, 56)
    grounds = Ground(neighbour, neighbour.box.polygon(), 1.0)
    other = Plot(neighbour, (replace(ORDER, ground=grounds),))
    old = [_photo(number, CELL) for number in range(900)]
    new = [_photo(number, neighbour) for number in range(1000, 1050)]
    held = {CELL: Held(tuple(old), 900, 0, None)}
    pool = pool_of([PLOT, other], 1000, [*old[:200], *new], {}, held)
    assert pool.total == 100
    here, there = pool.likely()
    assert here < 5
    assert there > 95
    alone = pool_of([PLOT], 900, old[:250], {}, held)
    assert alone.outlooks[0].known == 0
    assert len(alone.outlooks[0].seen or ()) == 900


def _photo(number: int, cell: Cell) -> Any:
    day = datetime(2020, 6, 1 + number % 28, tzinfo=UTC)
    return make_photo(
        photo_id=str(number), owner=f"{number}@N00", lon=cell.box.west + 0.1 + number / 4000,
        lat=cell.box.south + 0.1, uploaded_at=day, taken_at=day.replace(tzinfo=None), licence=4,
    )  # fmt: skip


def test_uploads_after_a_moment_are_the_rest_of_the_curve() -> None:
    """What was uploaded before is left out; after the end there is nothing but the end."""
    uploads = Uploads((0.0, 100.0, 200.0), (0.0, 0.8, 1.0))
    later = uploads.after(datetime.fromtimestamp(100, UTC))
    assert later.times == (100.0, 200.0)
    assert later.shares == pytest.approx((0.0, 1.0))
    halfway = uploads.after(datetime.fromtimestamp(50, UTC))
    assert halfway.shares == pytest.approx((0.0, 2 / 3, 1.0))
    assert uploads.after(datetime.fromtimestamp(900, UTC)).times == (200.0, 200.0)


def test_bytes_of_next_to_nothing_have_a_range_that_suits_its_photos() -> None:
    """One repetition in four brings a photo: a few photos at most, and as many bytes."""
    nothing: Any = None
    made = Miniature(nothing, CATALOGUE, [], nothing, nothing, {})
    made.rounds = [{"photos": n, "chips": n, "bytes": n * 300_000.0} for n in (0, 0, 0, 1) * 2]
    high = made.figure("photos").high
    assert made.figure("bytes").high < 4 * (high + 1) * 300_000


def test_photos_that_are_there_may_get_chips_of_another_sensor() -> None:
    """Where the quota is met no photo comes, and still every photo may get a chip."""
    nothing: Any = None
    here = {"lon": CELL.box.west + 0.1, "lat": CELL.box.south + 0.1}
    rows = [photo(str(number), CELL.cell_id, **here) for number in range(40)]
    quota = CATALOGUE.rules.quota_per_cell
    states = {CELL.cell_id: CellState(CELL.cell_id, photos=tuple(rows))}
    question = Question([ORDER], [ORDER], None, None, 0, 1)
    made = Miniature(question, CATALOGUE, [], nothing, nothing, states)
    figures = {
        "photos": Range(100, 200, 1000), "flickr_calls": Range(0, 0, 0),
        "chips_naip": Range(10, 20, 30), "pairs_naip": Range(10, 20, 3000),
    }  # fmt: skip
    cut = _cut(figures, question, CATALOGUE, made)
    assert cut["photos"].high == quota - 40
    none = _cut(figures | {"photos": Range(0, 0, 0)}, question, CATALOGUE, made)
    assert none["chips_naip"] == figures["chips_naip"]
    assert none["pairs_naip"].high == 40
