"""The painted pictures: repeatable, of the right size, and showing what they should."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from collectors.sandbox.landcover import Cover, Landcover
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.pictures import Pictures

LANDCOVER = Landcover(0)
PICTURES = Pictures(0, LANDCOVER)
PHOTOS = People(0).search(PhotoQuery(-123, 37, -122, 38), 0, 200)[1]
OUTDOORS = next(photo for photo in PHOTOS if not photo.indoor and photo.size("b"))
INDOORS = next(photo for photo in PHOTOS if photo.indoor and photo.size("b"))


def open_picture(file: bytes) -> np.ndarray:
    """A JPEG as floats, (rows, columns, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), dtype=float)


@pytest.mark.parametrize("photo", [OUTDOORS, INDOORS])
def test_a_picture_is_always_the_same(photo: object) -> None:
    """Painting twice gives the same bytes; another world gives others."""
    file = PICTURES.jpeg(photo, "z")
    assert Pictures(0, Landcover(0)).jpeg(photo, "z") == file
    assert Pictures(1, Landcover(0)).jpeg(photo, "z") != file


@pytest.mark.parametrize("suffix", ["s", "q", "t", "m", "n", "w", "", "z", "c", "b"])
@pytest.mark.parametrize("photo", [OUTDOORS, INDOORS])
def test_every_size_is_the_announced_one(photo: object, suffix: str) -> None:
    """Each ending of the file's name gives just the size that is announced for it."""
    size = Image.open(io.BytesIO(PICTURES.jpeg(photo, suffix))).size
    assert size == photo.size(suffix)


def test_a_size_beyond_the_original_is_refused() -> None:
    """A photo that is too small has no larger file, and there are no unknown sizes."""
    with pytest.raises(ValueError, match="no file of the size 'b'"):
        PICTURES.jpeg(replace(OUTDOORS, width=700, height=467), "b")
    with pytest.raises(KeyError):
        PICTURES.jpeg(OUTDOORS, "x")


@pytest.mark.parametrize("photo", [OUTDOORS, INDOORS])
def test_all_sizes_show_the_same_picture(photo: object) -> None:
    """The small file is the large one made small, but for detail."""
    large = Image.open(io.BytesIO(PICTURES.jpeg(photo, "b"))).resize(photo.size("t"), Image.BOX)
    small = open_picture(PICTURES.jpeg(photo, "t"))
    apart = np.abs(np.asarray(large, dtype=float) - small).mean()
    other = np.abs(small - small[:, ::-1]).mean()
    assert apart < 8.0
    assert apart < other


def test_a_second_upload_shows_the_same_picture_in_another_file() -> None:
    """The same scene under another id is packed anew: other bytes, the same picture."""
    ids = [f"{number:011d}" for number in range(40_000_000_000, 40_000_000_012)]
    files = {PICTURES.jpeg(replace(OUTDOORS, photo_id=photo_id), "z") for photo_id in ids}
    pictures = [open_picture(file) for file in files]
    assert len(files) > 1
    assert max(np.abs(picture - pictures[0]).mean() for picture in pictures) < 4.0


def find_places(cover: Cover, count: int) -> list[tuple[float, float]]:
    """Places in the middle of 200 m of one kind of ground."""
    grid = np.meshgrid(np.linspace(-123, -120, 400), np.linspace(36, 39, 400))
    around = [LANDCOVER.cover(grid[0] + dx, grid[1] + dy) == cover
              for dx in (-0.002, 0, 0.002) for dy in (-0.002, 0, 0.002)]  # fmt: skip
    rows, columns = np.nonzero(np.logical_and.reduce(around))
    step = max(1, len(rows) // count)
    return [(float(grid[0][r, c]), float(grid[1][r, c]))
            for r, c in zip(rows[::step], columns[::step], strict=True)]  # fmt: skip


def paint_ground(cover: Cover) -> np.ndarray:
    """The median colour of the lowest fifth of daylight pictures on one kind of ground."""
    colours = []
    for number, (longitude, latitude) in enumerate(find_places(cover, 25)):
        photo = replace(
            OUTDOORS, longitude=longitude, latitude=latitude, scene=number,
            taken=1_752_580_800, width=4608, height=3456,
        )  # fmt: skip
        picture = open_picture(PICTURES.jpeg(photo, "m"))
        colours.append(picture[-36:].mean(axis=(0, 1)))
    return np.median(colours, axis=0)


def test_the_ground_in_a_picture_is_the_ground_of_its_place() -> None:
    """Water is blue, forest and grass are green, crops are yellow, where the map has them."""
    red, _, blue = paint_ground(Cover.WATER)
    assert blue > red
    for green_cover in (Cover.FOREST, Cover.GRASS):
        red, green, blue = paint_ground(green_cover)
        assert green > max(red, blue)
    red, green, blue = paint_ground(Cover.CROPS)
    assert red > green > blue


def test_indoor_pictures_do_not_show_the_place() -> None:
    """A room looks the same wherever it is; an outdoor picture does not."""
    moved = {"longitude": 10.0, "latitude": 50.0}
    assert PICTURES.jpeg(replace(INDOORS, **moved), "m") == PICTURES.jpeg(INDOORS, "m")
    assert PICTURES.jpeg(replace(OUTDOORS, **moved), "m") != PICTURES.jpeg(OUTDOORS, "m")


def test_samples_are_half_indoors_and_repeatable() -> None:
    """A sample has both kinds in like number, 320 px, and depends on its seed alone."""
    sample = PICTURES.sample(100, seed=3)
    assert Pictures(5, LANDCOVER).sample(100, seed=3) == sample
    assert PICTURES.sample(5, seed=4) != sample[:5]
    assert 35 <= sum(indoor for _, indoor in sample) <= 65
    assert all(max(Image.open(io.BytesIO(file)).size) == 320 for file, _ in sample)


def read_features(count: int, seed: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Pictures shrunk to 1 and to 4 x 4 pixels, and +1 for indoors, -1 for outdoors."""
    rows: dict[int, list] = {1: [], 4: []}
    signs = []
    for file, indoor in PICTURES.sample(count, seed):
        image = Image.open(io.BytesIO(file))
        for side, kept in rows.items():
            small = np.asarray(image.resize((side, side), Image.BOX), dtype=float)
            kept.append([*(small.ravel() / 255), 1.0])
        signs.append(1.0 if indoor else -1.0)
    return {side: np.array(kept) for side, kept in rows.items()}, np.array(signs)


def test_rooms_are_told_from_the_open_by_their_layout_not_by_one_colour() -> None:
    """A linear rule on 4 x 4 pixels is right far more often than one on the mean colour."""
    known, known_signs = read_features(400, 1)
    new, new_signs = read_features(250, 2)
    right = {}
    for side in (1, 4):
        features = known[side]
        square = features.T @ features + 0.5 * np.eye(features.shape[1])
        weights = np.linalg.solve(square, features.T @ known_signs)
        right[side] = float((np.sign(new[side] @ weights) == new_signs).mean())
    assert right[4] > 0.85
    assert right[1] < 0.85
