"""Chance and quotas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.sampling import photo_hash, quota_for

ids = st.text(alphabet="0123456789", min_size=1, max_size=4)


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
