"""The made-up photos: where they are, when they were taken, and how they are found."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.sandbox.people import BoxTooLargeError, Order, People, PhotoQuery, Span
from collectors.sandbox.photo_tiles import (
    TILE_COLUMNS,
    TILE_ROWS,
    WORLD_END,
    count_photos,
    find_tile,
    make_tile,
)

ALLOWED = frozenset({4, 5, 7, 8, 9, 10, 11, 12})
PEOPLE = People(0)
# Two degrees of latitude by two of longitude.
WEST, SOUTH, EAST, NORTH = -123.0, 37.0, -121.0, 39.0
REGION = PhotoQuery(WEST, SOUTH, EAST, NORTH)


def number_of_tile(longitude: float, latitude: float) -> int:
    """The tile of a place, counted from the south-west."""
    return int((latitude + 90) * 4) * TILE_COLUMNS + int((longitude + 180) * 4)


def every_photo(query: PhotoQuery, people: People = PEOPLE) -> list:
    """All photos of a query."""
    return people.search(query, 0, 10**6)[1]


@pytest.fixture(scope="module")
def region() -> list:
    """All photos of four square degrees."""
    return every_photo(REGION)


def test_ids_have_eleven_digits_and_are_unique(region: list) -> None:
    """No two photos share an id, and each is a number of eleven digits."""
    assert len({photo.photo_id for photo in region}) == len(region) > 1000
    assert all(re.fullmatch(r"[1-9]\d{10}", photo.photo_id) for photo in region)
    assert all(re.fullmatch(r"\d{8}@N0\d", photo.owner) for photo in region)


def test_every_photo_is_found_by_its_id(region: list) -> None:
    """An id leads back to the very photo, without a search."""
    assert all(PEOPLE.find(photo.photo_id) == photo for photo in region[::40])


@pytest.mark.parametrize("photo_id", ["", "1", "x" * 11, "٤٩٥١٤٣٣٧٨٤٨", "09514337848", "9" * 12])
def test_no_photo_is_found_by_what_is_no_id(photo_id: str) -> None:
    """Texts that are no ids find nothing and do no harm."""
    assert PEOPLE.find(photo_id) is None


def test_another_seed_is_another_world(region: list) -> None:
    """Ids and places change with the seed; the same seed gives the same world."""
    other = every_photo(REGION, People(1))
    assert {photo.photo_id for photo in other}.isdisjoint(photo.photo_id for photo in region)
    assert every_photo(REGION, People(0)) == region


@given(st.integers(0, TILE_ROWS - 1), st.integers(0, TILE_COLUMNS - 1), st.integers(-5, 5))
@settings(max_examples=40, deadline=None)
def test_photos_lie_in_their_own_tile(row: int, column: int, seed: int) -> None:
    """A tile's photos lie in it, half-open, up to the poles and the antimeridian, with its ids."""
    tile = row * TILE_COLUMNS + column
    photos = make_tile(seed, tile)
    west, south = column / 4 - 180, row / 4 - 90
    assert len(photos) == count_photos(seed, tile)
    assert ((photos.longitude >= west) & (photos.longitude < west + 0.25)).all()
    assert ((photos.latitude >= south) & (photos.latitude < south + 0.25)).all()
    assert all(find_tile(int(photo_id), seed) == tile for photo_id in photos.photo_id[:5])


def test_squares_hold_hundreds_of_photos_and_a_few_of_them_thousands() -> None:
    """The median square degree has about 400 photos; most have 200 to 1,500, some above 5,000."""
    totals = np.array([
        sum(
            count_photos(0, (4 * latitude + row) * TILE_COLUMNS + 4 * longitude + column)
            for row in range(4)
            for column in range(4)
        )
        for latitude in range(50, 150, 5)
        for longitude in range(0, 360, 20)
    ])  # fmt: skip
    assert 330 < np.median(totals) < 480
    assert totals.min() > 190
    assert 0.01 < (totals > 5000).mean() < 0.08
    assert ((totals > 1510) & (totals < 5000)).sum() == 0


@given(
    st.floats(WEST, EAST), st.floats(WEST, EAST), st.floats(SOUTH, NORTH), st.floats(SOUTH, NORTH)
)
@settings(max_examples=40, deadline=None)
def test_a_box_finds_exactly_the_photos_within_it(a: float, b: float, c: float, d: float) -> None:
    """Whatever the box, it finds what a look at every photo of the region finds."""
    box = PhotoQuery(min(a, b), min(c, d), max(a, b), max(c, d))
    wanted = {
        photo.photo_id
        for photo in every_photo(REGION)
        if box.west <= photo.longitude <= box.east and box.south <= photo.latitude <= box.north
    }
    total, photos = PEOPLE.search(box, 0, 10**6)
    assert {photo.photo_id for photo in photos} == wanted
    assert total == len(wanted)


def test_all_four_edges_belong_to_the_box(region: list) -> None:
    """A box that is no larger than a photo's own place finds it, at tile edges too."""
    for photo in region[::97]:
        x, y = photo.longitude, photo.latitude
        assert photo in every_photo(PhotoQuery(x, y, x, y))


def test_photos_at_a_tile_edge_are_found_from_a_box_that_starts_there() -> None:
    """The western and southern edge of a tile belong to it, and to no other."""
    assert PEOPLE.search(PhotoQuery(-180, -90, -179.9, -89.9), 0, 9)[0] >= 0
    whole = PEOPLE.search(PhotoQuery(-122.5, 37.0, -122.0, 37.5), 0, 1)[0]
    quarters = [
        PEOPLE.search(PhotoQuery(west, south, west + 0.25, south + 0.25), 0, 1)[0]
        for west in (-122.5, -122.25)
        for south in (37.0, 37.25)
    ]
    assert sum(quarters) == whole


def test_places_of_the_sorted_list_are_cut_out() -> None:
    """Start and stop count photos of the sorted list; beyond its end there are none."""
    total, photos = PEOPLE.search(REGION, 0, 10**6)
    assert PEOPLE.search(REGION, 10, 25) == (total, photos[10:25])
    assert PEOPLE.search(REGION, total, total + 5) == (total, [])


@pytest.mark.parametrize(
    ("order", "attribute", "falling"),
    [
        (Order.POSTED_DESCENDING, "uploaded", True),
        (Order.POSTED_ASCENDING, "uploaded", False),
        (Order.TAKEN_DESCENDING, "taken", True),
        (Order.TAKEN_ASCENDING, "taken", False),
    ],
)
def test_photos_are_sorted_as_asked(order: Order, attribute: str, falling: bool) -> None:
    """Each order sorts by its own time, falling or rising."""
    query = PhotoQuery(WEST, SOUTH, EAST, NORTH, order=order)
    times = [getattr(photo, attribute) for photo in every_photo(query)]
    assert times == sorted(times, reverse=falling)


def test_interestingness_is_the_same_list_from_either_end() -> None:
    """The rising order turns the falling one around, and is another than that by time."""
    falling, rising = (
        [p.scene for p in every_photo(PhotoQuery(WEST, SOUTH, EAST, NORTH, order=order))]
        for order in (Order.INTERESTINGNESS_DESCENDING, Order.INTERESTINGNESS_ASCENDING)
    )
    assert falling == rising[::-1]
    assert falling != [photo.scene for photo in every_photo(REGION)]


@pytest.mark.parametrize("name", ["taken", "uploaded"])
def test_both_ends_of_a_time_span_belong_to_it(name: str, region: list) -> None:
    """A span finds the photos of its first and of its last second, and none outside."""
    times = sorted(getattr(photo, name) for photo in region)
    first, last = times[len(times) // 3], times[len(times) // 2]
    query = PhotoQuery(WEST, SOUTH, EAST, NORTH, **{name: Span(first, last)})
    found = sorted(getattr(photo, name) for photo in every_photo(query))
    assert found == [time for time in times if first <= time <= last]


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({"licences": ALLOWED}, lambda photo: photo.licence in ALLOWED),
        ({"least_accuracy": 14}, lambda photo: photo.accuracy >= 14),
        ({"videos": False}, lambda photo: not photo.video),
        ({"photos": False}, lambda photo: photo.video),
        ({"contents": frozenset({1, 3})}, lambda photo: photo.content in {1, 3}),
    ],
)
def test_filters_keep_what_they_name(wanted: dict, rule: object, region: list) -> None:
    """Each filter keeps just the photos of its rule, and there are such photos and others."""
    found = every_photo(PhotoQuery(WEST, SOUTH, EAST, NORTH, **wanted))
    assert found == [photo for photo in region if rule(photo)]
    assert 0 < len(found) < len(region)


def test_one_owner_can_be_asked_for(region: list) -> None:
    """All photos of an owner are found, and no one else's."""
    owner = region[0].owner
    found = every_photo(PhotoQuery(WEST, SOUTH, EAST, NORTH, owner=owner))
    assert found == [photo for photo in region if photo.owner == owner]


def test_a_box_of_half_the_world_is_refused_at_once() -> None:
    """What would take minutes is refused, with the reason."""
    with pytest.raises(BoxTooLargeError, match="smaller box"):
        PEOPLE.search(PhotoQuery(-180, -90, 0, 90), 0, 1)


def test_shares_are_those_of_the_recorded_photos(region: list) -> None:
    """Unknown dates, licences, accuracies and indoor photos have the shares that are promised."""

    def share(rule: object) -> float:
        return sum(1 for photo in region if rule(photo)) / len(region)

    assert 0.11 < share(lambda photo: photo.taken_unknown) < 0.17
    assert 0.38 < share(lambda photo: photo.licence in ALLOWED) < 0.52
    assert 0.60 < share(lambda photo: photo.accuracy == 16) < 0.74
    assert 0.002 < share(lambda photo: photo.accuracy == 0) < 0.02
    assert 0.20 < share(lambda photo: photo.indoor) < 0.34
    assert 0.003 < share(lambda photo: not photo.geo_public) < 0.02
    assert 0.03 < share(lambda photo: photo.size("b") is None) < 0.10
    assert 0.002 < share(lambda photo: photo.removed) < 0.02
    assert {photo.licence for photo in region} >= set(range(7))


def test_an_unknown_date_is_the_time_of_upload(region: list) -> None:
    """Photos without a capture date show their upload time in its place, and only they do."""
    for photo in region:
        assert photo.taken_unknown == (photo.taken == photo.uploaded)


def test_photos_are_uploaded_after_they_were_taken(region: list) -> None:
    """Upload follows capture in the photographer's zone, and the world ends when it says."""
    # The region lies eight hours behind Greenwich, and photos known to the month start early.
    assert all(
        photo.uploaded > photo.taken + 8 * 3600 for photo in region if not photo.taken_unknown
    )
    assert all(photo.uploaded <= WORLD_END == PEOPLE.now for photo in region)
    assert min(photo.taken for photo in region) >= 1_420_070_400  # 2015-01-01


def test_coarse_dates_stand_at_the_start_of_their_month_or_year(region: list) -> None:
    """A date known to the month is its first second, one known to the year the first of January."""
    coarse = {photo.granularity: np.datetime64(photo.taken, "s") for photo in region}
    assert set(coarse) == {0, 4, 6}
    assert coarse[4] == coarse[4].astype("datetime64[M]").astype("datetime64[s]")
    assert coarse[6] == coarse[6].astype("datetime64[Y]").astype("datetime64[s]")


def test_most_photos_have_company_in_place_and_season(region: list) -> None:
    """More than half lie within 150 m of a photo of the same quarter that has another picture."""
    photos = make_tile(0, max(
        (number_of_tile(x / 4, y / 4) for x in range(-492, -484) for y in range(148, 156)),
        key=lambda tile: count_photos(0, tile),
    ))  # fmt: skip
    quarter = photos.taken.astype("datetime64[s]").astype("datetime64[M]").astype(int) // 3
    east = photos.longitude * 111_320 * np.cos(np.radians(photos.latitude))
    north = photos.latitude * 111_320
    near = np.hypot(east[:, None] - east, north[:, None] - north) < 150
    company = near & (quarter[:, None] == quarter) & (photos.scene[:, None] != photos.scene)
    assert company.any(axis=1).mean() > 0.5
    assert len(region) > 0


def test_some_photos_come_in_bursts(region: list) -> None:
    """Some owners took several pictures within seconds at one place."""
    known = sorted(
        (photo for photo in region if not photo.taken_unknown and photo.granularity == 0),
        key=lambda photo: (photo.owner, photo.taken),
    )
    bursts = [
        (one, two)
        for one, two in pairwise(known)
        if one.owner == two.owner and 0 < two.taken - one.taken <= 10
    ]
    assert len(bursts) > len(region) // 50
    assert all(abs(one.latitude - two.latitude) < 1e-4 for one, two in bursts)


def test_some_pictures_are_uploaded_twice(region: list) -> None:
    """A re-upload has its own id, the first one's picture, place and date, and comes later."""
    by_scene: dict[int, list] = {}
    for photo in region:
        by_scene.setdefault(photo.scene, []).append(photo)
    twice = [photos for photos in by_scene.values() if len(photos) > 1]
    assert 0.005 < len(twice) / len(region) < 0.04
    for photos in twice:
        assert len({photo.photo_id for photo in photos}) == len(photos)
        assert len({(photo.longitude, photo.latitude, photo.indoor) for photo in photos}) == 1
        assert len({photo.uploaded for photo in photos}) == len(photos)


def test_some_owners_are_prolific(region: list) -> None:
    """The ten most prolific owners hold more than a tenth of the photos, most owners a few."""
    counts = np.unique([photo.owner for photo in region], return_counts=True)[1]
    assert np.sort(counts)[-10:].sum() > len(region) / 10
    assert np.median(counts) <= 4


def test_some_titles_are_awkward(region: list) -> None:
    """Titles with marks of HTML and in other alphabets come up, so that they are dealt with."""
    titles = [photo.title for photo in region]
    assert any("<" in title for title in titles)
    assert any(not title.isascii() for title in titles)
    assert any(title == "" for title in titles)
