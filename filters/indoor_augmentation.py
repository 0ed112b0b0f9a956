"""Changed forms of a picture, as another photographer or camera might have taken it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from filters.indoor_pictures import CROP_PX, SHORTER_SIDE_PX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SMALLEST_SIDE: Final = 0.6
"""Share of the shorter side that a cut-out keeps at least: what is seen must stay a scene."""

_GREY_SHARE: Final = 0.25
"""So many forms lose their colour, so that the answer does not hang on colour alone."""


def base_of(picture: Image.Image) -> Image.Image:
    """Returns a picture with its shorter side brought to the network's, never enlarged twice."""
    shorter = min(picture.size)
    size = tuple(int(SHORTER_SIDE_PX * side / shorter) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)


def changed(base: Image.Image, *, seed: Sequence[int]) -> NDArray[np.uint8]:
    """Returns a form of a picture: another cut-out, other light and colour, perhaps mirrored.

    Args:
        base: From `base_of`.
        seed: Of all chance in it.

    Returns:
        (rows, columns, bands), as the network takes it.
    """
    chance = np.random.default_rng(list(seed))
    side = chance.uniform(_SMALLEST_SIDE, 1.0) * min(base.size)
    stretch = np.exp(chance.uniform(-0.25, 0.25))
    width, height = (min(side * stretch, base.width), min(side / stretch, base.height))
    left, top = chance.uniform(0, base.width - width), chance.uniform(0, base.height - height)
    seen = base.resize(
        (CROP_PX, CROP_PX), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
    )
    if chance.random() < 0.5:
        seen = ImageOps.mirror(seen)
    seen = ImageEnhance.Brightness(seen).enhance(float(np.exp(chance.uniform(-0.4, 0.4))))
    seen = ImageEnhance.Contrast(seen).enhance(float(np.exp(chance.uniform(-0.35, 0.35))))
    if chance.random() < _GREY_SHARE:
        return np.asarray(seen.convert("L").convert("RGB"))
    seen = ImageEnhance.Color(seen).enhance(float(chance.uniform(0.5, 1.5)))
    warmth = np.exp(chance.uniform(-0.12, 0.12) * np.array([1.0, 0.0, -1.0]))
    return (np.asarray(seen) * warmth).clip(0, 255).astype(np.uint8)
