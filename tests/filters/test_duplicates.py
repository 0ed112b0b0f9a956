"""Bursts, against the rule written out plainly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random  # noqa: TC003 - read by Hypothesis
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from filters.duplicates import bursts
from tests.filters.photos import photo

if TYPE_CHECKING:
    from collectors.records import Photo

NOON = datetime(2020, 6, 1, 12)  # noqa: DTZ001 - capture times have no zone
UPLOAD = datetime(2020, 6, 2, tzinfo=UTC)
GEOD = Geod(ellps="WGS84")


def shot(
    photo_id: str, seconds: float = 0, metres: float = 0, *, owner: str = "a", uploaded: int = 0,
    at: tuple[float, float] = (7.0, 46.0), azimuth: float = 90,
) -> Photo:  # fmt: skip
    """Returns a photo so many seconds and metres from a first one."""
    lon, lat, _ = GEOD.fwd(*at, azimuth, metres)
    return photo(
        photo_id=photo_id, owner=owner, lon=lon, lat=lat,
        taken_at=NOON + timedelta(seconds=seconds), uploaded_at=UPLOAD + timedelta(hours=uploaded),
    )  # fmt: skip


def plain_rule(photos: list[Photo], before: list[Photo]) -> dict[str, str]:
    """The rule as its text says it, comparing all with all."""

    def by_upload(one: Photo) -> tuple[datetime, int, str]:
        return (one.uploaded_at, len(one.photo_id), one.photo_id)

    kept = list(before)
    repeats = {}
    for one in sorted(photos, key=by_upload):
        if one.photo_id in {other.photo_id for other in before}:
            continue
        close = [
            other
            for other in kept
            if other.owner == one.owner
            and abs((other.taken_at - one.taken_at).total_seconds()) <= 60
            and GEOD.inv(one.lon, one.lat, other.lon, other.lat)[2] <= 50
        ]
        if close:
            repeats[one.photo_id] = min(close, key=by_upload).photo_id
        else:
            kept.append(one)
    return repeats


PLACES = [(7.0, 46.0), (179.9999, -16.0), (10.0, 89.9999), (0.0, 0.0)]


@st.composite
def scattered(draw: st.DrawFn) -> tuple[list[Photo], list[Photo]]:
    """Draws shots around one place, dense enough for chains, as new ones and kept ones."""
    at = draw(st.sampled_from(PLACES))
    one = st.tuples(
        st.integers(0, 240), st.floats(0, 150), st.floats(0, 360), st.sampled_from("ab"),
        st.integers(0, 3),
    )  # fmt: skip
    drawn = draw(st.lists(one, max_size=25))
    shots = [
        shot(str(number * 37 % 101), seconds, metres, owner=owner, uploaded=hours, at=at,
             azimuth=azimuth)
        for number, (seconds, metres, azimuth, owner, hours) in enumerate(drawn)
    ]  # fmt: skip
    cut = draw(st.integers(0, len(shots)))
    return shots[cut:], shots[:cut]


@given(scattered(), st.randoms(use_true_random=False))
def test_bursts_follow_the_plain_rule_in_any_order(
    drawn: tuple[list[Photo], list[Photo]], chance: Random
) -> None:
    """Bins and sorting change nothing, at the antimeridian and the pole as elsewhere."""
    photos, before = drawn
    expected = plain_rule(photos, before)
    assert bursts(photos, before) == expected
    chance.shuffle(photos)
    chance.shuffle(before)
    assert bursts(photos, before) == expected


@pytest.mark.parametrize(
    ("seconds", "metres", "owner", "repeats"),
    [
        (60, 0, "a", True),
        (61, 0, "a", False),
        (-60, 0, "a", True),
        (0, 49.9, "a", True),
        (0, 50.1, "a", False),
        (0, 0, "b", False),
    ],
)
def test_both_limits_and_the_owner_count(
    seconds: float, metres: float, owner: str, repeats: bool
) -> None:
    """A minute and fifty metres, each on its own, and never another person's photo."""
    photos = [shot("1"), shot("2", seconds, metres, owner=owner, uploaded=1)]
    assert bursts(photos) == ({"2": "1"} if repeats else {})


def test_the_first_upload_stays_then_the_smaller_number() -> None:
    """Upload decides, whatever was taken first; ids count as numbers, not as text."""
    assert bursts([shot("5", 0, uploaded=1), shot("9", 10)]) == {"5": "9"}
    assert bursts([shot("100"), shot("99")]) == {"100": "99"}


def test_a_dropped_shot_drops_no_others() -> None:
    """Of a chain with 40 s between shots, the first and the third stay."""
    chain = [shot("1", 0), shot("2", 40), shot("3", 80), shot("4", 120)]
    assert bursts(chain) == {"2": "1", "4": "3"}


def test_what_was_kept_before_stays() -> None:
    """An earlier instalment's photo wins against an earlier upload, and is never dropped."""
    before = [shot("7", 0, uploaded=9), shot("8", 1, uploaded=9)]
    assert bursts([shot("1"), shot("8", 1, uploaded=9)], before) == {"1": "7"}


def test_an_id_that_comes_twice_is_refused() -> None:
    """The same photo on two pages is no burst."""
    with pytest.raises(ValueError, match="twice"):
        bursts([shot("1"), shot("1", 300)])


def test_many_photos_of_one_moment_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up capture time that an owner gave to all photos does not make the rule quadratic."""
    compared = 0

    class Counting(Geod):
        """Counts the pairs whose distance is asked for."""

        def inv(self, *args: Any) -> Any:
            """Counts, then measures."""
            nonlocal compared
            compared += len(args[0])
            return super().inv(*args)

    monkeypatch.setattr("filters.duplicates.Geod", Counting)
    grid = [
        shot(str(number), at=(7 + number % 50 / 1000, 46 + number // 50 / 1000))
        for number in range(2500)
    ]
    assert bursts(grid) == {}
    assert compared < 10 * len(grid)
