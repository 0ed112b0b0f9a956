"""The pictures of the made-up photos, painted when they are asked for."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from collectors.sandbox.answer_cache import AnswerCache
from collectors.sandbox.chance import Draws, hash_keys
from collectors.sandbox.interiors import paint_indoors
from collectors.sandbox.scenery import Viewpoint, paint_outdoors

if TYPE_CHECKING:
    from PIL import Image

    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.photo_records import Photo

SAMPLE_SIDE: Final = 320
_LONGEST_PAINTED: Final = 1024
_SAMPLE_SIZES: Final = ((320, 240), (320, 213), (240, 320), (213, 320), (320, 320))


class Pictures:
    """Paints the picture of any photo, always the same one.

    Args:
        seed: the world's seed.
        landcover: the ground that outdoor pictures show.
        kept: keeps the photos' files.
    """

    def __init__(self, seed: int, landcover: Landcover, kept: AnswerCache | None = None) -> None:
        self._seed = seed
        self._landcover = landcover
        self._kept = kept or AnswerCache(0)

    def jpeg(self, photo: Photo, suffix: str) -> bytes:
        """Paints one of a photo's files.

        A re-upload shows the same picture, packed at its own quality.

        Args:
            photo: the photo.
            suffix: the ending of the file's name that stands for the size.

        Returns:
            A JPEG file of the size that `Photo.size` gives.

        Raises:
            KeyError: when the service has no such size.
            ValueError: when the photo's original is smaller than that.
        """
        size = photo.size(suffix)
        if size is None:
            raise ValueError(f"photo {photo.photo_id} has no file of the size {suffix!r}")
        return self._kept.get((photo, suffix), lambda: self._paint(photo, size))

    def _paint(self, photo: Photo, size: tuple[int, int]) -> bytes:
        draws = Draws(self._seed, "picture", photo.scene)
        wanted, size = size, _paintable(size)
        if photo.indoor:
            image = paint_indoors(draws, size)
        else:
            taken = datetime.fromtimestamp(photo.taken, tz=UTC)
            viewpoint = _look(photo.longitude, photo.latitude, taken)
            image = paint_outdoors(draws, size, self._landcover, viewpoint)
        if wanted != size:
            image = image.resize(wanted)
        return _pack(image, 78 + hash_keys("quality", photo.photo_id) % 13)

    def sample(self, count: int, seed: int) -> list[tuple[bytes, bool]]:
        """Paints pictures that belong to no photo, to fit a classifier on.

        Args:
            count: how many; every second one, on average, is taken indoors.
            seed: which ones.

        Returns:
            JPEG files, 320 px on the longest side, each with whether it was taken indoors.
        """
        return [self._paint_sample(Draws("sample", seed, number)) for number in range(count)]

    def _paint_sample(self, draws: Draws) -> tuple[bytes, bool]:
        indoor = draws.happens(0.5)
        size = draws.pick(_SAMPLE_SIZES)
        if indoor:
            return _pack(paint_indoors(draws, size), 85), True
        viewpoint = Viewpoint(
            longitude=draws.uniform(-180.0, 180.0),
            latitude=draws.uniform(-56.0, 70.0),
            hour=draws.uniform(5.0, 22.0),
            summer=draws.uniform(),
        )
        return _pack(paint_outdoors(draws, size, self._landcover, viewpoint), 85), False


def _paintable(size: tuple[int, int]) -> tuple[int, int]:
    """Gives the size in which a picture is painted: what is larger than 1024 px is blown up."""
    longest = max(size)
    if longest <= _LONGEST_PAINTED:
        return size
    width, height = (round(edge * _LONGEST_PAINTED / longest) for edge in size)
    return width, height


def _look(longitude: float, latitude: float, taken: datetime) -> Viewpoint:
    """Gives the light and the season of a place at a moment of local time."""
    # Summer is at its height some weeks after the solstice: 22 July in the north.
    season = math.cos(2 * math.pi * (taken.timetuple().tm_yday - 203) / 365.25)
    return Viewpoint(
        longitude=longitude,
        latitude=latitude,
        hour=taken.hour + taken.minute / 60.0,
        summer=0.5 + 0.5 * math.copysign(season, season * (latitude or 1.0)),
    )


def _pack(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
