"""Files that are kept: the same as when they were made, made once, within the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.sandbox.answer_cache import AnswerCache
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.pictures import Pictures
from collectors.sandbox.scenes import Sensor
from tests.sandbox.services import running
from tests.sandbox.test_prerendered import WORLD, body, scene_of

if TYPE_CHECKING:
    from collections.abc import Callable


def counting(content: bytes) -> tuple[Callable[[], bytes], list[int]]:
    """Returns what makes a file, and a list that grows each time."""
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return content

    return make, made


def test_what_was_made_is_not_made_again_while_there_is_room() -> None:
    """Two files of 6 and 3 bytes fit into 10, a third of 3 does not and is made each time."""
    kept = AnswerCache(10)
    for key, content, times in (("a", b"first!", 1), ("b", b"two", 1), ("c", b"new", 3)):
        make, made = counting(content)
        assert [kept.get(key, make) for _ in range(3)] == [content] * 3
        assert len(made) == times


def test_without_room_nothing_is_kept() -> None:
    """A limit of 0, which is the sandbox's own, makes every file anew."""
    make, made = counting(b"x")
    kept = AnswerCache(0)
    assert [kept.get("a", make) for _ in range(2)] == [b"x", b"x"]
    assert len(made) == 2


def test_kept_pixels_are_those_of_their_own_request() -> None:
    """Asked for twice, other bands, other places and other scenes give what they give without."""
    first, other = scene_of(Sensor.S2_L2A), scene_of(Sensor.NAIP)
    asked = [(first, body(first)), (first, body(first, east_px=960)), (other, body(other))]
    asked += [(first, body(first) | {"bandIds": bands}) for bands in (["B2", "B3"], ["B3", "B2"])]
    for _, one in asked:
        one["grid"]["dimensions"] = {"width": 20, "height": 20}
    with running(WORLD) as plain, running(WORLD, kept=AnswerCache(2**20)) as keeping:
        expected = [plain.pixels(scene.asset_id, one).content for scene, one in asked]
        assert len(set(expected)) == len(asked)
        for _ in range(2):
            for (scene, one), content in zip(asked, expected, strict=True):
                assert keeping.pixels(scene.asset_id, one).content == content


def test_kept_pictures_are_those_of_their_photo_and_size() -> None:
    """Asked for twice, each photo's files of each size are as without keeping."""
    photos = People(0).search(PhotoQuery(-123, 37, -122, 38), 0, 4)[1]
    asked = [(photo, suffix) for photo in photos for suffix in ("t", "m")]
    keeping, plain = (Pictures(0, Landcover(0), kept) for kept in (AnswerCache(2**20), None))
    expected = [plain.jpeg(*one) for one in asked]
    assert len(set(expected)) == len(asked)
    assert [[keeping.jpeg(*one) for one in asked] for _ in range(2)] == [expected] * 2
