"""Chance by hashing: repeatable, free of order, evenly spread."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.chance import Chance, Draws, hash_keys


def test_mixing_gives_the_same_numbers_on_every_machine() -> None:
    """The mixed value is a fixed number, worked out by hand from the published finaliser."""
    assert hash_keys(0) == 0xE220A8397B1DCDAF
    assert hash_keys(0, 0) == hash_keys(hash_keys(0))


@given(st.lists(st.integers(0, 2**62), min_size=1), st.integers())
def test_a_draw_does_not_depend_on_the_draws_beside_it(index: list[int], seed: int) -> None:
    """Asking for many draws at once gives what asking for each alone gives."""
    chance = Chance(seed, "x")
    together = chance.bits(np.array(index)).tolist()
    assert together == [int(chance.bits(np.array([one]))[0]) for one in index]


def test_arrays_and_scalars_are_mixed_alike() -> None:
    """The array form is the scalar form, so that ids and rows agree."""
    assert Chance(5, "a").bits(np.array([7]))[0] == hash_keys(5, "a", 7)


def test_uniform_numbers_fill_the_unit_interval() -> None:
    """Each tenth of [0, 1) holds a tenth of the draws, and 1 is never reached."""
    numbers = Chance(3).uniforms(np.arange(20_000))
    shares = np.histogram(numbers, bins=10, range=(0.0, 1.0))[0] / 20_000
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    assert np.abs(shares - 0.1).max() < 0.01


def test_normal_numbers_have_mean_0_and_deviation_1() -> None:
    """Box and Muller's transform is written down rightly."""
    numbers = Chance(4).normals(np.arange(20_000))
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1.0) < 0.02


def test_picks_follow_their_weights() -> None:
    """A choice of weight 0 never comes, one of three times the weight three times as often."""
    counts = np.bincount(Chance(9).picks(np.arange(8000), np.array([1.0, 0.0, 3.0])))
    assert counts[1] == 0
    assert 2.7 < counts[2] / counts[0] < 3.3


def test_draws_reach_both_ends_of_an_integer_range() -> None:
    """Integers are drawn from a range that includes both its ends, and nothing else."""
    draws = Draws("ends")
    assert {draws.integer(2, 5) for _ in range(200)} == {2, 3, 4, 5}


def test_draws_go_on_beyond_a_block() -> None:
    """The draws are one sequence, however many are taken."""
    draws = Draws(1, "long")
    expected = Chance(1, "long").uniforms(np.arange(300)).tolist()
    assert [draws.uniform() for _ in range(300)] == expected
