"""Figures of evenness, held to their definitions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.evenness import coverage, fair_shares, gini, uniqueness

amounts = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


@given(amounts)
def test_gini_is_half_the_mean_difference_over_the_mean(values: list[int]) -> None:
    """The definition, pair by pair."""
    count, total = len(values), sum(values)
    differences = sum(abs(a - b) for a in values for b in values)
    expected = differences / (2 * count * total) if total else 0.0
    assert gini(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "expected"), [([], 0), ([0, 0], 0), ([5, 5, 5], 0), ([0, 0, 0, 8], 0.75)]
)
def test_gini_of_plain_cases(values: list[float], expected: float) -> None:
    """Nothing and equality are 0; all in one of n is 1 − 1/n."""
    assert gini(values) == expected


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_gini_refuses_what_is_no_amount(value: float) -> None:
    """A negative or undefined amount has no coefficient."""
    with pytest.raises(ValueError, match="Gini"):
        gini([1.0, value])


def test_coverage_counts_no_surplus() -> None:
    """Twice too much here does not make good for nothing there."""
    assert coverage([20, 0, 5, 7], [10, 10, 10, 0]) == pytest.approx(0.5)
    assert coverage([], []) == 1.0


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 20))
def test_fair_shares_are_the_most_even_of_all(available: list[int], quota: int) -> None:
    """No other way of taking as much has less squared difference; tried one by one."""
    shares = fair_shares(available, quota)
    assert all(0 <= share <= have for share, have in zip(shares, available, strict=True))
    assert sum(shares) == min(quota, sum(available))
    ways = itertools.product(*(range(have + 1) for have in available))
    least = min(sum(x * x for x in way) for way in ways if sum(way) == sum(shares))
    assert sum(x * x for x in shares) == least


calls = st.lists(st.tuples(st.integers(0, 250), st.integers(0, 250)), max_size=8)


@given(st.lists(calls, max_size=6))
def test_uniqueness_is_of_each_call_over_all_surveys(surveys: list[list[tuple[int, int]]]) -> None:
    """The n-th value is of the n-th calls alone; the longest survey gives the length."""
    pairs = [[(max(call), min(call)) for call in survey] for survey in surveys]
    curve = uniqueness(([a for a, _ in one], [b for _, b in one]) for one in pairs)
    assert len(curve) == max((len(one) for one in pairs), default=0)
    for number, share in enumerate(curve):
        found = sum(one[number][0] for one in pairs if len(one) > number)
        new = sum(one[number][1] for one in pairs if len(one) > number)
        assert share == (new / found if found else 0.0)
