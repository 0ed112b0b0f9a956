"""Pictures made for the tests of the indoor filter."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def jpeg(
    width: int = 320, height: int = 240, *, seed: int = 0, mode: str = "RGB", orientation: int = 1
) -> bytes:
    """Returns a JPEG of smooth coloured noise, with an EXIF orientation."""
    chance = np.random.default_rng(seed)
    bands = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    coarse = chance.integers(0, 256, (6, 8, bands), dtype=np.uint8)
    picture = Image.fromarray(coarse.squeeze(), mode=None).resize((width, height))
    if picture.mode != mode:
        picture = picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def room_or_field(*, seed: int, indoor: bool) -> bytes:
    """Returns a picture with upright bars (a room, say) or level ones (a field)."""
    chance = np.random.default_rng([seed, indoor])
    wave = np.sin(np.arange(256) / chance.uniform(4, 12) + chance.uniform(0, 6))
    plane = np.tile(wave, (256, 1)) if indoor else np.tile(wave[:, None], (1, 256))
    tint = chance.uniform(0.4, 1, 3)
    noisy = (plane[..., None] + 1) * 110 * tint + chance.normal(0, 8, (256, 256, 3))
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
