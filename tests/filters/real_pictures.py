"""Real photographs that installed packages carry, tiles of them, and what becomes of copies."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import skimage
import sklearn
from PIL import Image

from collectors.photo_pictures import PictureRules, prepare
from collectors.records import PhotoImage, PhotoSize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PHOTOGRAPHS = (
    *(Path(skimage.__file__).parent / "data" / name for name in (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
        "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
        "motorcycle_left.png", "retina.jpg", "rocket.jpg",
    )),
    *(Path(sklearn.__file__).parent / "datasets" / "images" / name
      for name in ("china.jpg", "flower.jpg")),
)  # fmt: skip
"""Pictures that a camera took, of anything; those that lie in the packages themselves."""


@lru_cache(maxsize=32)
def photograph(path: Path) -> Image.Image:
    """A photograph in RGB."""
    return Image.open(path).convert("RGB")


def tiles(picture: Image.Image, count: int) -> Iterator[Image.Image]:
    """Cuts a picture into count × count parts that share nothing, at least 336 px each."""
    width, height = picture.size
    for row in range(count):
        for column in range(count):
            edges = (width * column // count, height * row // count,
                     width * (column + 1) // count, height * (row + 1) // count)  # fmt: skip
            part = picture.crop(edges)
            scale = max(1.0, 336 / min(part.size))
            yield part.resize((round(part.width * scale), round(part.height * scale)),
                              Image.Resampling.BICUBIC)  # fmt: skip


def jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    """A picture as somebody uploads it."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def stored(file: bytes) -> bytes:
    """What is stored of an upload, by the same code that a build runs."""
    width, height = Image.open(io.BytesIO(file)).size
    found = prepare(file, PhotoSize("l", "u", width, height), PictureRules(minimum_side_px=100))
    assert isinstance(found, PhotoImage), found
    return found.jpeg


@dataclass(frozen=True)
class Cut:
    """Cuts away: left, top, right and bottom edges as shares of the picture."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def __call__(self, picture: Image.Image) -> bytes:
        width, height = picture.size
        box = (round(self.left * width), round(self.top * height), round(self.right * width),
               round(self.bottom * height))  # fmt: skip
        return jpeg(picture.crop(box), 85)


def _scaled(picture: Image.Image, scale: float) -> bytes:
    size = (round(picture.width * scale), round(picture.height * scale))
    return jpeg(picture.resize(size, Image.Resampling.LANCZOS), 88)


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "exact": jpeg,
    "resized to 0.7": lambda picture: _scaled(picture, 0.7),
    "resized to 0.5": lambda picture: _scaled(picture, 0.5),
    "recompressed, quality 70": lambda picture: jpeg(picture, 70),
    "recompressed, quality 50": lambda picture: jpeg(picture, 50),
    "cropped by 5 %, centre": Cut(0.025, 0.025, 0.975, 0.975),
    "cropped by 5 %, corner": Cut(0.05, 0.05, 1.0, 1.0),
    "cropped by 5 %, other corner": Cut(0.0, 0.0, 0.95, 0.95),
    "cropped by 5 %, anywhere": Cut(0.013, 0.041, 0.963, 0.991),
    "cropped by 5 %, one side": Cut(0.0, 0.0, 0.95, 1.0),
}
"""How a picture comes a second time."""
