"""Whether two pictures are the same one, and which of many are kept.

Two pictures are the same where, laid over each other as well as it goes, they agree.
"""

from __future__ import annotations

import io
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from filters.picture_hashes import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

_SIDE: Final = 48
"""Rows and columns of the points that are compared."""

_STEPS: Final = 8
"""Steps towards the best edges; more than four are seldom needed."""

_STILL: Final = 0.02
"""Step, in points, from which on edges count as found."""

_MARGIN: Final = 0.12
"""Share of its width or height that a copy lacks at one edge, at most."""

_FIRST: Final = np.array([0.0, 0.0, 1 - _MARGIN, 1 - _MARGIN])
_LAST: Final = np.array([_MARGIN, _MARGIN, 1.0, 1.0])
"""How far left, top, right and bottom edges may be moved, as shares of the picture."""


def agreement(one: bytes, other: bytes) -> float:
    """Returns how well two pictures agree where one is laid over the other.

    One picture is taken for a cut-out of the other, and the four edges of the cut-out are moved
    until the two agree best (least squares of the brightness, by Gauss and Newton's method, as
    Lucas and Kanade align images, 1981); then the other way round. Overall brightness and contrast
    do not count.

    Args:
        one: A picture's bytes.
        other: Another's.

    Returns:
        Pearson's correlation of the brightness at 48 × 48 points, −1 to 1: the better of the two
        ways. 0 for a picture of one shade.
    """
    first, second = _grey(one), _grey(other)
    return max(_as_cutout(first, second), _as_cutout(second, first))


def settle(near: Iterable[tuple[int, int]], same: Callable[[int, int], bool]) -> dict[int, int]:
    """Finds the pictures that repeat one which is kept.

    Pictures are numbered in the order in which they have a claim: those that are kept already, then
    by upload. One that repeats a picture that is kept is dropped, and never drops others.

    Args:
        near: Pairs of numbers worth a look, each once, in any order.
        same: Says whether two pictures are the same, given the numbers of the earlier and the
            later; asked only where it matters.

    Returns:
        For each picture that repeats another, the number of the one kept: of several, the first.
    """
    candidates: defaultdict[int, list[int]] = defaultdict(list)
    for pair in near:
        candidates[max(pair)].append(min(pair))
    repeats: dict[int, int] = {}
    for later in sorted(candidates):
        for earlier in sorted(candidates[later]):
            if earlier not in repeats and same(earlier, later):
                repeats[later] = earlier
                break
    return repeats


def _grey(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("L")


def _as_cutout(part: Image.Image, whole: Image.Image) -> float:
    """Returns the agreement of a picture with the best cut-out of another."""
    wanted = _standard(_sample(part, np.array(WINDOWS[0])))
    best, edges = max(
        (float((_standard(_sample(whole, np.array(window))) * wanted).mean()), window)
        for window in WINDOWS
    )
    found = np.array(edges)
    near = 1 - (np.arange(_SIDE) + 0.5) / _SIDE
    for _ in range(_STEPS):
        seen = _sample(whole, found)
        down, right = np.gradient(seen)
        # What happens to the brightness when an edge moves by a point, and with gain and offset.
        slopes = np.stack([
            right * near, down * near[:, None], right * (1 - near), down * (1 - near)[:, None],
            seen, np.ones_like(seen),
        ]).reshape(6, -1)  # fmt: skip
        gap = wanted * seen.std() + seen.mean() - seen
        # By the normal equations: six unknowns are too few for a threaded solver to be of use.
        moves, *_ = np.linalg.lstsq(slopes @ slopes.T, slopes @ gap.ravel(), rcond=None)
        point = np.array([found[2] - found[0], found[3] - found[1]] * 2) / _SIDE
        found = np.clip(found + moves[:4] * point, _FIRST, _LAST)
        best = max(best, float((_standard(_sample(whole, found)) * wanted).mean()))
        if np.abs(moves[:4]).max() < _STILL:
            break
    return best


def _sample(picture: Image.Image, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the brightness of a cut-out, (rows, columns), averaged over each point's area."""
    left, top, right, bottom = edges.tolist()
    box = (left * picture.width, top * picture.height, right * picture.width,
           bottom * picture.height)  # fmt: skip
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.HAMMING, box=box)
    return np.asarray(small, dtype=np.float64)


def _standard(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns a plane with mean 0 and standard deviation 1; zeros for a plane of one shade."""
    centred: NDArray[np.float64] = plane - plane.mean()
    spread = float(centred.std())
    return centred / spread if spread else centred
