"""Chance, quotas and who is downloaded next."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from random import Random  # noqa: TC003

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.sampling import Candidate, choose, photo_hash, quota_for
from tests.filters.photos import photo

ids = st.text(alphabet="0123456789", min_size=1, max_size=4)
candidates = st.builds(Candidate, st.integers(0, 9), ids, st.sampled_from("abc"))
shares = st.floats(0.001, 1)


@pytest.mark.parametrize(
    ("seed", "photo_id", "expected"),
    [
        (0, "49514337848", 12684821537463038168),
        (1, "49514337848", 15829048900326909126),
        (-7, "", 6601188067515572393),
        (10**100, "1", 13071728397342687500),
    ],
)
def test_hash_is_the_same_for_ever(seed: int, photo_id: str, expected: int) -> None:
    """Published data sets depend on these numbers."""
    assert photo_hash(seed, photo_id) == expected


@given(st.integers(), st.integers(), ids, ids)
def test_hash_tells_seeds_and_ids_apart(seed: int, other: int, one: str, two: str) -> None:
    """Equal inputs alone give equal hashes, and a hash has 64 bits."""
    first, second = photo_hash(seed, one), photo_hash(other, two)
    assert 0 <= first < 2**64
    assert (first == second) == ((seed, one) == (other, two))


@pytest.mark.parametrize(
    ("quota", "share", "expected"),
    [(100, 0.07, 7), (100, 0.0701, 8), (100, 1.0, 100), (3, 1 / 3, 1), (1000, 1e-9, 1)],
)
def test_quota_is_rounded_up_but_not_for_rounding_errors(
    quota: int, share: float, expected: int
) -> None:
    """0.07 of 100 is 7, although the product of the floats lies above it."""
    assert quota_for(quota, share) == expected


@pytest.mark.parametrize(("quota", "share"), [(0, 0.5), (5, 0.0), (5, 1.1), (5, math.nan)])
def test_quota_refuses_what_makes_no_sense(quota: int, share: float) -> None:
    """A share of nothing or of more than all is a mistake."""
    with pytest.raises(ValueError, match="share"):
        quota_for(quota, share)


@given(
    st.lists(candidates, max_size=40),
    st.randoms(use_true_random=False),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    st.integers(1, 40),
    shares,
    st.integers(0, 12),
)
def test_choice_keeps_every_limit_and_wastes_no_room(
    waiting: list[Candidate], chance: Random, kept_by_owner: dict[str, int], quota: int,
    owner_share: float, batch: int,
) -> None:  # fmt: skip
    """Quota, batch and owner cap hold; each one passed over had a full owner; order is nothing."""
    kept = sum(kept_by_owner.values())
    limits = {
        "kept_by_owner": kept_by_owner, "kept": kept, "quota": quota,
        "owner_share": owner_share, "batch": batch,
    }  # fmt: skip
    chosen = choose(waiting, **limits)
    room = max(0, min(quota - kept, batch))
    cap = max(1, math.ceil(Fraction(round(owner_share * quota, 9)).limit_denominator(10**9)))
    assert len(chosen) == len(set(chosen)) <= room
    assert chosen == sorted(chosen)
    owners = Counter(candidate.owner for candidate in chosen)
    for owner, number in owners.items():
        assert number + kept_by_owner.get(owner, 0) <= cap
    last = chosen[-1] if len(chosen) == room and chosen else None
    for left in set(waiting) - set(chosen):
        if room and (last is None or left < last):
            assert owners[left.owner] + kept_by_owner.get(left.owner, 0) >= cap
    shuffled = list(waiting)
    chance.shuffle(shuffled)
    assert choose(shuffled, **limits) == chosen


def test_owner_share_is_never_nothing() -> None:
    """One photo of each owner is always allowed."""
    waiting = [Candidate(1, "1", "a"), Candidate(2, "2", "a"), Candidate(3, "3", "b")]
    limits = {"kept": 0, "quota": 10, "owner_share": 0.01, "batch": 9}
    chosen = choose(waiting, kept_by_owner={}, **limits)
    assert [candidate.photo_id for candidate in chosen] == ["1", "3"]


def test_owner_share_of_nothing_is_refused() -> None:
    """A cap of no photos at all is a mistake in the catalogue."""
    with pytest.raises(ValueError, match="owner"):
        choose([], kept_by_owner={}, kept=0, quota=1, owner_share=0, batch=1)


def test_candidate_of_a_photo_has_its_hash() -> None:
    """A candidate's rank is the photo's place in the order of chance."""
    one = photo()
    assert Candidate.of(one, 5) == Candidate(photo_hash(5, one.photo_id), one.photo_id, one.owner)
