"""Pictures brought to a smaller size."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collectors.resampling import reduce_picture

ROOT: Final = Path(__file__).resolve().parents[2]

REDUCED: Final = """
import hashlib
from tests.collectors.test_resampling import noise
from collectors.resampling import reduce_picture
print(hashlib.sha256(reduce_picture(noise(640, 427, 7), 504, 336).tobytes()).hexdigest())
"""


def noise(width: int, height: int, seed: int) -> Image.Image:
    """A picture in which every pixel is drawn by itself: the hardest to resample alike.

    No value is so near to black or white that the filter's lobes go beyond: there, what is cut off
    between rows and columns depends on which of them come first.
    """
    values = np.random.default_rng(seed).integers(64, 192, (height, width, 3), np.uint8)
    return Image.fromarray(values)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(8, 400), height=st.integers(8, 400), across=st.floats(0.05, 1),
    down=st.floats(0.05, 1), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_filter_is_pillows(width, height, across, down, seed):
    """Of noise, the result is Pillow's but for two roundings, of rows and of columns."""
    picture = noise(width, height, seed)
    size = max(1, int(width * across)), max(1, int(height * down))
    ours = np.asarray(reduce_picture(picture, *size)).astype(int)
    theirs = np.asarray(picture.resize(size, Image.Resampling.LANCZOS)).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 2


def test_a_picture_of_one_colour_stays_so():
    """Weights sum to one: white stays white and dark stays dark, to the edge."""
    for level in (0, 1, 128, 254, 255):
        plain = Image.new("RGB", (97, 61), (level, level, level))
        assert set(np.asarray(reduce_picture(plain, 31, 17)).ravel()) == {level}


def test_the_picture_given_stays_as_it_is():
    """The result is new memory, and the original is not touched."""
    picture = noise(40, 30, 1)
    before = picture.tobytes()
    small = reduce_picture(picture, 20, 15)
    assert (small.size, small.mode, small.info) == ((20, 15), "RGB", {})
    assert picture.tobytes() == before


def test_every_processor_gives_the_same_bytes():
    """Without the processor's vectors, PyTorch computes the same whole numbers."""
    plain = subprocess.run(
        [sys.executable, "-c", REDUCED], cwd=ROOT, check=True, capture_output=True, text=True,
        env=os.environ | {"ATEN_CPU_CAPABILITY": "default"},
    )  # fmt: skip
    here = reduce_picture(noise(640, 427, 7), 504, 336).tobytes()
    assert plain.stdout.strip() == hashlib.sha256(here).hexdigest()
