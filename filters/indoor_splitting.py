"""Parts a set of labelled pictures into a training part and a held-back one, by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import imagehash
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIKE_BITS: Final = 6
"""Pictures whose 64-bit perceptual hashes differ in at most so many bits count as one: copies at
another size or quality differ in 0 to 4 (the catalogue's duplicates are judged likewise)."""


def content_hash(picture: NDArray[np.uint8]) -> int:
    """Returns the 64-bit perceptual hash (DCT of 32 × 32) of an RGB picture."""
    bits = imagehash.phash(Image.fromarray(picture)).hash.ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def content_groups(hashes: Sequence[int]) -> NDArray[np.int64]:
    """Returns a group's number for each picture; pictures that look alike share one.

    Alike is passed on: a picture that is like two others brings them together.
    """
    codes = np.array(hashes, dtype=np.uint64)
    group = np.arange(len(codes))
    for place, code in enumerate(codes):
        alike = np.flatnonzero(np.bitwise_count(codes[: place + 1] ^ code) <= ALIKE_BITS)
        joined = np.unique(group[alike])
        if len(joined) > 1:
            group[np.isin(group, joined)] = joined[0]
    return group


def hold_back(
    groups: NDArray[np.int64], labels: NDArray[np.bool_], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """Chooses whole groups to be held back, until each kind has given its share.

    Args:
        groups: For each picture, from `content_groups`.
        labels: For each picture, whether it is indoors.
        share: Of the pictures of each kind, 0 to 1.
        seed: Of the order in which groups are tried.

    Returns:
        For each picture, whether it is held back.

    Raises:
        ValueError: If the pictures of a kind look so much alike that they cannot be parted.
    """
    held = np.zeros(len(groups), dtype=bool)
    wanted = {kind: max(1, round(share * int((labels == kind).sum()))) for kind in (False, True)}
    for group in np.random.default_rng(seed).permutation(np.unique(groups)):
        members = groups == group
        after = {kind: int(((held | members) & (labels == kind)).sum()) for kind in wanted}
        if all(after[kind] <= wanted[kind] for kind in wanted):
            held |= members
    for kind, name in ((True, "indoors"), (False, "outdoors")):
        if not (held & (labels == kind)).any() or not (~held & (labels == kind)).any():
            raise ValueError(
                f"the pictures taken {name} cannot be parted into a training part and a held-back"
                " one: there are too few, or they all look alike. Add others."
            )
    return held
