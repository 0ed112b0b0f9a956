"""Arguments of a search are understood as the service understands them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.flickr_arguments import RefusalError, parse_search
from collectors.sandbox.people import Order, Span

NOW = 1_790_000_000
BOX = {"bbox": "-1,50,0,51", "min_taken_date": "2020-01-01"}


def refusal_of(arguments: dict[str, str]) -> int:
    """The code with which a search is refused."""
    with pytest.raises(RefusalError) as caught:
        parse_search(arguments, NOW)
    return caught.value.code


def test_a_box_is_west_south_east_north() -> None:
    """The four numbers are taken in the service's order."""
    query = parse_search(BOX, NOW).query
    assert query is not None
    assert (query.west, query.south, query.east, query.north) == (-1.0, 50.0, 0.0, 51.0)


@pytest.mark.parametrize(
    "box",
    ["1,50,0,51", "0,51,1,50", "0,50,1", "0,50,1,51,2", "a,b,c,d", "nan,50,1,51", "0,50,181,51",
     "0,-91,1,51", "179,0,-179,1", "inf,0,1,1"],
)  # fmt: skip
def test_what_is_no_box_is_refused_with_code_4(box: str) -> None:
    """West beyond east, beyond the poles, and anything but four numbers is no box."""
    assert refusal_of(BOX | {"bbox": box}) == 4


def test_a_search_without_a_box_is_refused_with_code_3() -> None:
    """The sandbox answers geo queries only."""
    assert refusal_of({"min_taken_date": "2020-01-01"}) == 3


@pytest.mark.parametrize(
    "limit", ["min_taken_date", "max_taken_date", "min_upload_date", "max_upload_date"]
)
def test_without_a_limit_only_the_last_twelve_hours_are_searched(limit: str) -> None:
    """A box alone finds what was just uploaded; any date lifts that."""
    bare = parse_search({"bbox": BOX["bbox"]}, NOW).query
    limited = parse_search({"bbox": BOX["bbox"], limit: "2020-01-01"}, NOW).query
    assert bare is not None
    assert limited is not None
    assert bare.uploaded == Span(NOW - 12 * 3600, None)
    assert limited.uploaded != bare.uploaded


@given(st.integers(0, 4_000_000_000))
def test_times_are_taken_as_numbers_and_as_clock_times(seconds: int) -> None:
    """A Unix time and the date and time that it stands for mean the same second."""
    from datetime import UTC, datetime

    written = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
    spans = [
        parse_search(BOX | {"min_taken_date": text, "max_upload_date": text}, NOW).query
        for text in (str(seconds), written)
    ]
    assert spans[0] == spans[1]
    assert spans[0] is not None
    assert spans[0].taken == Span(seconds, None)
    assert spans[0].uploaded == Span(None, seconds)


def test_a_date_alone_is_its_first_second() -> None:
    """A date without a time is midnight, at both ends of a span."""
    query = parse_search(BOX | {"max_taken_date": "2020-01-02"}, NOW).query
    assert query is not None
    assert query.taken == Span(1_577_836_800, 1_577_923_200)


@pytest.mark.parametrize(("asked", "given"), [("500", 250), ("250", 250), ("7", 7), ("0", 1),
                                              ("", 100), ("many", 100)])  # fmt: skip
def test_a_page_of_a_geo_query_holds_at_most_250(asked: str, given: int) -> None:
    """More is cut to 250, nothing sensible is the default of 100."""
    assert parse_search(BOX | {"per_page": asked}, NOW).per_page == given


def test_the_page_is_counted_from_one() -> None:
    """Pages start at 1, and what is no page is page 1."""
    pages = [parse_search(BOX | {"page": page}, NOW).page for page in ("3", "0", "-1", "x")]
    assert pages == [3, 1, 1, 1]


def test_media_content_and_licences_are_read() -> None:
    """Each closed set is read into what it stands for; the default is everything."""
    every = parse_search(BOX, NOW).query
    some = parse_search(
        BOX | {"media": "photos", "content_types": "0,3", "license": "4,5", "accuracy": "14",
               "sort": "date-taken-asc", "user_id": "1@N01"}, NOW
    ).query  # fmt: skip
    assert every is not None
    assert some is not None
    assert (every.photos, every.videos, every.contents, every.licences) == (True, True, None, None)
    assert (every.least_accuracy, every.order) == (None, Order.POSTED_DESCENDING)
    assert (some.photos, some.videos, some.contents) == (True, False, frozenset({0, 3}))
    assert (some.licences, some.least_accuracy) == (frozenset({4, 5}), 14)
    assert (some.order, some.owner) == (Order.TAKEN_ASCENDING, "1@N01")


def test_the_older_content_type_is_read() -> None:
    """Number 6 of the older list is photos and other, which are 0 and 2 of the newer."""
    query = parse_search(BOX | {"content_type": "6"}, NOW).query
    assert query is not None
    assert query.contents == frozenset({0, 2})


@pytest.mark.parametrize(
    "wrong",
    [{"license": "17"}, {"license": "4;5"}, {"media": "films"}, {"content_types": "4"},
     {"accuracy": "0"}, {"accuracy": "17"}, {"sort": "newest"}, {"min_taken_date": "2020-13-01"},
     {"min_taken_date": "yesterday"}, {"tags": "bridge"}, {"licence": "4"}],
)  # fmt: skip
def test_nothing_is_ignored_silently(wrong: dict[str, str]) -> None:
    """Values without a meaning, and arguments that the sandbox does not know, are refused."""
    assert refusal_of(BOX | wrong) == 18


@pytest.mark.parametrize("never", [{"geo_context": "1"}, {"geo_context": "2"}, {"has_geo": "0"}])
def test_what_no_recorded_photo_has_finds_nothing(never: dict[str, str]) -> None:
    """The context of every recorded photo is 0, so asking for another finds nothing."""
    assert parse_search(BOX | never, NOW).query is None
    assert parse_search(BOX | {"geo_context": "0", "has_geo": "1"}, NOW).query is not None
