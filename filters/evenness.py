"""How evenly a sample covers the ground: figures over cells, and when more calls bring little."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def gini(values: Sequence[float]) -> float:
    """Returns the Gini coefficient: 0 where all are equal, towards 1 where one has everything.

    It is half the mean difference between any two values, over their mean (Gini 1912). Computed
    from the sorted values x_1 ≤ … ≤ x_n as Σ (2 i − n − 1) x_i / (n Σ x_i).

    Args:
        values: Zero or more each; shape (n,).

    Returns:
        The coefficient; 0 where there are no values, or all are 0.

    Raises:
        ValueError: If a value is below 0 or not finite.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.size and not (np.isfinite(ordered).all() and ordered[0] >= 0):
        msg = "the Gini coefficient is of finite values of 0 or more"
        raise ValueError(msg)
    total, count = float(ordered.sum()), ordered.size
    if not total:
        return 0.0
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float(weights @ ordered) / (count * total)


def coverage(kept: Sequence[float], wanted: Sequence[float]) -> float:
    """Returns the mean share of what was wanted that is there, a surplus not counted: 0 to 1.

    Args:
        kept: What each place has, shape (n,).
        wanted: What each place should have, shape (n,); places that should have nothing are left
            out.

    Returns:
        The mean over places; 1 where nothing was wanted anywhere.
    """
    shares = [min(1.0, have / want) for have, want in zip(kept, wanted, strict=True) if want > 0]
    return float(np.mean(shares)) if shares else 1.0


def fair_shares(available: Sequence[int], quota: int) -> list[int]:
    """Returns the most even way to take a quota from places that hold so much.

    Every place gives as much as any other, or all that it has ("water filling"); what cannot be
    divided goes to the first places.

    Args:
        available: What each place has, shape (n,).
        quota: How much to take, at most.
    """
    shares = [0] * len(available)
    left = min(quota, sum(available))
    while left:
        open_places = [i for i, have in enumerate(available) if shares[i] < have]
        room = min(available[i] - shares[i] for i in open_places)
        step = max(1, min(left // len(open_places), room))
        for i in open_places:
            if left:
                shares[i] += step
                left -= step
    return shares


def uniqueness(surveys: Iterable[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
    """Returns how the share of new photos falls from call to call.

    Args:
        surveys: For each survey: photos on the answer to each call, in the order of asking, and of
            those the ones that no call before had brought.

    Returns:
        For the first call, the second and so on: new over found, of all surveys that got so far
        together; 0 where nothing was found.
    """
    found: Counter[int] = Counter()
    new: Counter[int] = Counter()
    for counts, fresh in surveys:
        found.update(dict(enumerate(counts)))
        new.update(dict(enumerate(fresh)))
    return [new[call] / found[call] if found[call] else 0.0 for call in range(len(found))]
