"""Who is downloaded next: held to a plain search of everyone at every pick."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from fractions import Fraction
from random import Random  # noqa: TC003

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cells import Cell
from filters.sampling import photo_hash
from filters.selection import BOXES_ACROSS, Candidate, Held, box_of, choose
from tests.filters.photos import photo

ids = st.text(alphabet="0123456789", min_size=1, max_size=4)
candidates = st.builds(
    Candidate, st.integers(0, 9), ids, st.sampled_from("abc"),
    st.tuples(st.integers(0, 1), st.integers(0, 1)), st.integers(2019, 2021),
)  # fmt: skip
shares = st.floats(0.001, 1)


def held_of(kept: list[Candidate]) -> Held:
    """What a cell holds that kept these."""
    held = Held()
    for candidate in kept:
        held.take(candidate)
    return held


def plainly(
    waiting: list[Candidate], kept: list[Candidate], room: int, cap: int
) -> list[Candidate]:
    """The rule in words: least box, least year of it, smallest hash; looked up anew each time."""
    held, left, chosen = list(kept), set(waiting), []
    while len(chosen) < room:
        owners = Counter(one.owner for one in held)
        boxes = Counter(one.box for one in held)
        strata = Counter((one.box, one.year) for one in held)
        allowed = [one for one in left if owners[one.owner] < cap]
        if not allowed:
            break
        best = min(allowed, key=lambda one: (boxes[one.box], strata[one.box, one.year], one))
        left.remove(best)
        held.append(best)
        chosen.append(best)
    return chosen


@given(
    st.lists(candidates, max_size=30),
    st.randoms(use_true_random=False),
    st.lists(candidates, max_size=12),
    st.integers(1, 40),
    shares,
    st.integers(0, 20),
)
def test_choice_is_the_plain_rule_whatever_the_order(
    waiting: list[Candidate], chance: Random, kept: list[Candidate], quota: int,
    owner_share: float, batch: int,
) -> None:  # fmt: skip
    """Quota, batch, owner cap and strata, as a search of everyone finds them; order is nothing."""
    held = held_of(kept)
    chosen = choose(waiting, held, quota=quota, owner_share=owner_share, batch=batch)
    cap = max(1, math.ceil(Fraction(round(owner_share * quota, 9)).limit_denominator(10**9)))
    assert chosen == plainly(waiting, kept, max(0, min(quota - len(kept), batch)), cap)
    assert held == held_of(kept)
    chance.shuffle(waiting)
    assert choose(waiting, held, quota=quota, owner_share=owner_share, batch=batch) == chosen


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8), st.integers(1, 60))
def test_a_crowded_box_gets_no_more_than_a_sparse_one_can_give(
    sizes: list[int], quota: int
) -> None:
    """No box falls short by more than one photo of any other while it has photos left."""
    waiting = [
        Candidate(photo_hash(1, f"{box}-{number}"), f"{box}-{number}", f"{box}-{number}",
                  (0, box), 2020)
        for box, size in enumerate(sizes) for number in range(size)
    ]  # fmt: skip
    chosen = choose(waiting, Held(), quota=quota, owner_share=1.0, batch=10**6)
    assert len(chosen) == min(quota, sum(sizes))
    counts = Counter(one.box[1] for one in chosen)
    most = max(counts.values(), default=0)
    for box, size in enumerate(sizes):
        assert counts[box] >= min(size, most - 1)


def test_years_of_a_box_take_turns() -> None:
    """A summer with a festival does not fill the box."""
    waiting = [
        Candidate(number, str(number), str(number), (0, 0), 2019 if number < 50 else 2020)
        for number in range(60)
    ]
    chosen = choose(waiting, Held(), quota=20, owner_share=1.0, batch=20)
    assert Counter(one.year for one in chosen) == {2019: 10, 2020: 10}


def test_owner_share_is_never_nothing() -> None:
    """One photo of each owner is always allowed."""
    waiting = [Candidate(rank, str(rank), owner, (0, 0), 2020)
               for rank, owner in ((1, "a"), (2, "a"), (3, "b"))]  # fmt: skip
    chosen = choose(waiting, Held(), quota=10, owner_share=0.01, batch=9)
    assert [candidate.photo_id for candidate in chosen] == ["1", "3"]


def test_owner_share_of_nothing_is_refused() -> None:
    """A cap of no photos at all is a mistake in the catalogue."""
    with pytest.raises(ValueError, match="owner"):
        choose([], Held(), quota=1, owner_share=0, batch=1)


def test_candidate_of_a_photo_has_its_hash_and_its_stratum() -> None:
    """A candidate's rank is the photo's place in the order of chance."""
    one = photo(taken_at=datetime(2021, 12, 31, 23, 59))  # noqa: DTZ001 - local, as Flickr has it
    candidate = Candidate.of(one, 5)
    assert candidate.rank == photo_hash(5, one.photo_id)
    assert (candidate.photo_id, candidate.owner) == (one.photo_id, one.owner)
    assert (candidate.box, candidate.year) == (box_of(one), 2021)


@given(st.floats(-180, 179.999), st.floats(-80, 80))
def test_a_box_lies_in_its_cell(lon: float, lat: float) -> None:
    """A hundred boxes make a cell, counted from the same corner."""
    cell = Cell.at(lon, lat)
    row, column = box_of(photo(lon=lon, lat=lat))
    # On an edge, to the last bits of a float, either side will do.
    if min(lon - cell.box.west, cell.box.east - lon) > 1e-9:
        assert column // BOXES_ACROSS == cell.column
    if min(lat - cell.box.south, cell.box.north - lat) > 1e-9:
        assert row // BOXES_ACROSS == cell.row
