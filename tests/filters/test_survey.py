"""The survey's plan, against a made-up Flickr of points."""

from __future__ import annotations

import math
from datetime import date, timedelta
from random import Random  # noqa: TC003

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.geo import Box
from filters.survey import SHORTEST_SIDE_M, Probe, Survey, order, split

Point = tuple[float, float, date]

BOX = Box(7.0, 46.0, 8.2, 46.9)
ALL_DAYS = Probe(BOX, date(2017, 3, 28), date(2026, 1, 1))

sides = st.floats(0.0001, 60)


@st.composite
def probes(draw: st.DrawFn) -> Probe:
    """Draws a probe anywhere on Earth, from metres to continents, from a day to decades."""
    west, south = draw(st.floats(-180, 119)), draw(st.floats(-90, 29))
    east, north = west + draw(sides), south + draw(sides)
    first = draw(st.dates(date(1995, 1, 1), date(2030, 1, 1)))
    days = draw(st.integers(1, 9000))
    return Probe(Box(west, south, east, north), first, first + timedelta(days=days))


def holds(probe: Probe, point: Point) -> bool:
    """Says whether a point lies in a probe."""
    lon, lat, day = point
    return probe.box.holds(lon, lat) and probe.taken_from <= day < probe.taken_until


@given(probes(), st.integers(1, 4), st.data())
def test_strata_are_exactly_the_probe(probe: Probe, years: int, data: st.DataObject) -> None:
    """Each point of the probe lies in one stratum, corners and first days included."""
    strata = split(probe, years=years)
    assert len(set(strata)) == len(strata)
    corners = data.draw(st.sampled_from(strata))
    lons = [probe.box.west, corners.box.west, math.nextafter(corners.box.east, -999)]
    lats = [probe.box.south, corners.box.south, math.nextafter(corners.box.north, -999)]
    last = (probe.taken_until - probe.taken_from).days - 1
    days = [
        probe.taken_from + timedelta(days=data.draw(st.integers(0, last))),
        corners.taken_from,
        corners.taken_until - timedelta(days=1),
    ]
    for point in [(lon, lat, day) for lon in lons for lat in lats for day in days]:
        assert sum(holds(stratum, point) for stratum in strata) == 1
    for stratum in strata:
        assert probe.box.west <= stratum.box.west < stratum.box.east <= probe.box.east
        assert probe.box.south <= stratum.box.south < stratum.box.north <= probe.box.north
        assert probe.taken_from <= stratum.taken_from < stratum.taken_until <= probe.taken_until


@given(probes(), st.integers(1, 4))
def test_strata_lie_in_their_years_and_are_not_too_small(probe: Probe, years: int) -> None:
    """No stratum spans two groups of years, and no side was cut below the shortest."""
    for stratum in split(probe, years=years):
        last = stratum.taken_until - timedelta(days=1)
        assert stratum.taken_from.year // years == last.year // years
        for low, high, was, scale in (
            (stratum.box.south, stratum.box.north, probe.box.north - probe.box.south, 1.0),
            (
                stratum.box.west, stratum.box.east, probe.box.east - probe.box.west,
                math.cos(math.radians(max(abs(probe.box.south), abs(probe.box.north)))),
            ),
        ):  # fmt: skip
            length_m = (high - low) * 111_195 * scale
            assert high - low == pytest.approx(was) or length_m >= SHORTEST_SIDE_M * 0.999


def test_a_cell_and_ten_years_give_forty_strata() -> None:
    """The first cut is by calendar year and by quarter of the box at once."""
    strata = split(Probe(BOX, date(2016, 5, 1), date(2025, 7, 1)))
    assert len(strata) == 40
    assert strata[0] == Probe(BOX.quarters()[0], date(2016, 5, 1), date(2017, 1, 1))
    assert strata[-1] == Probe(BOX.quarters()[3], date(2025, 1, 1), date(2025, 7, 1))


def test_a_window_is_halved_where_the_box_cannot_be_cut() -> None:
    """A square of 1 km with too many photos in a year is cut in time, down to a day."""
    tiny = Box(7.0, 46.0, 7.01, 46.01)
    halves = split(Probe(tiny, date(2020, 1, 1), date(2020, 1, 4)))
    assert halves == (
        Probe(tiny, date(2020, 1, 1), date(2020, 1, 2)),
        Probe(tiny, date(2020, 1, 2), date(2020, 1, 4)),
    )
    assert split(halves[0]) == (halves[0],)


def test_a_long_strip_is_cut_along_its_length() -> None:
    """Only the side that is long enough is cut."""
    strip = Box(7.0, 46.0, 8.0, 46.01)
    west, east = split(Probe(strip, date(2020, 1, 1), date(2020, 2, 1)))
    assert (west.box, east.box) == (Box(7.0, 46.0, 7.5, 46.01), Box(7.5, 46.0, 8.0, 46.01))


def test_strata_of_no_years_are_refused() -> None:
    """A stratum has at least one calendar year."""
    with pytest.raises(ValueError, match="years"):
        split(ALL_DAYS, years=0)


@pytest.mark.parametrize(
    ("box", "first", "until"),
    [
        (BOX, date(2020, 1, 1), date(2020, 1, 1)),
        (Box(1, 1, 1, 2), date(2020, 1, 1), date(2020, 1, 2)),
        (Box(1, 2, 2, 1), date(2020, 1, 1), date(2020, 1, 2)),
    ],
)
def test_empty_probes_are_refused(box: Box, first: date, until: date) -> None:
    """A probe that can hold no photo is a mistake."""
    with pytest.raises(ValueError, match="empty"):
        Probe(box, first, until)


@given(st.randoms(use_true_random=False), st.integers())
def test_order_is_by_seed_alone(chance: Random, seed: int) -> None:
    """The order in which strata are given does not matter, and all of them are there."""
    strata = list(split(ALL_DAYS))
    expected = order(strata, seed)
    chance.shuffle(strata)
    assert order(strata, seed) == expected
    assert set(expected) == set(strata)


def test_order_differs_between_seeds() -> None:
    """Another seed visits the strata in another order."""
    assert order(split(ALL_DAYS), 1) != order(split(ALL_DAYS), 2)


class Flickr:
    """Points that answer like Flickr's search: newest first, some on each page."""

    def __init__(self, points: list[Point], per_page: int, cap: int) -> None:
        """Takes the points, newest upload first; `cap` results of a search are served."""
        self.points = points
        self.per_page = per_page
        self.cap = cap

    def page(self, probe: Probe, page: int) -> tuple[list[int], int, int, bool]:
        """Returns the numbers of the points on a page, the total, the pages, and exhaustion."""
        found = [number for number, point in enumerate(self.points) if holds(probe, point)]
        first = (page - 1) * self.per_page
        served = found[: self.cap][first : first + self.per_page]
        return served, len(found), math.ceil(len(found) / self.per_page), first >= self.cap


def walk(
    flickr: Flickr, survey: Survey, calls: int = 10_000
) -> tuple[set[int], list[tuple[Probe, int]], Survey]:
    """Runs a survey; returns what it saw, what it asked, and how it stands."""
    seen: set[int] = set()
    asked = []
    while len(asked) < calls and (ask := survey.next()) is not None:
        asked.append(ask)
        served, total, pages, exhausted = flickr.page(*ask)
        survey = survey.answered(
            *ask, total=total, pages=pages, new_ids=len(set(served) - seen), exhausted=exhausted
        )
        seen |= set(served)
    return seen, asked, survey


points = st.lists(
    st.tuples(
        st.floats(BOX.west, BOX.east, exclude_max=True),
        st.floats(BOX.south, BOX.north, exclude_max=True),
        st.dates(ALL_DAYS.taken_from, ALL_DAYS.taken_until - timedelta(days=1)),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(points, st.integers(0, 99))
def test_survey_sees_every_photo_when_calls_suffice(world: list[Point], seed: int) -> None:
    """With distinct places nothing is lost to splitting, paging or repeats."""
    flickr = Flickr(list(dict.fromkeys(world)), per_page=5, cap=20)
    start = Survey.start([ALL_DAYS], seed, 999, 10_000, split_above=15, page_cap=4)
    seen, asked, survey = walk(flickr, start)
    crowded = len({point[:2] for point in world}) < len(flickr.points)
    assert crowded or seen == set(range(len(flickr.points)))
    assert survey.ending() == "exhausted"
    assert len(set(asked)) == len(asked)
    assert all(page <= 4 for _, page in asked)


@settings(deadline=None)
@given(points, st.integers(0, 99), st.integers(0, 30))
def test_survey_never_exceeds_its_budget(world: list[Point], seed: int, budget: int) -> None:
    """At most so many calls are made, and the ending says which limit was met."""
    start = Survey.start([ALL_DAYS], seed, 999, budget, split_above=15)
    _, asked, survey = walk(Flickr(world, per_page=5, cap=20), start)
    assert len(asked) <= budget
    assert survey.next() is None
    assert survey.ending() == ("budget" if survey.queue else "exhausted")
    assert survey.calls_left == budget - len(asked)


@settings(deadline=None)
@given(points, st.integers(0, 99), st.integers(0, 20))
def test_survey_goes_on_the_same_after_a_stop(world: list[Point], seed: int, calls: int) -> None:
    """Replaying the answers so far leads to the same state, and then to the same questions."""
    flickr = Flickr(world, per_page=5, cap=20)
    start = Survey.start([ALL_DAYS], seed, 999, 60, split_above=15)
    _, all_asked, end = walk(flickr, start)
    _, first_asked, halfway = walk(flickr, start, calls)
    _, again_asked, again = walk(flickr, start, calls)
    assert (first_asked, halfway) == (again_asked, again)
    assert first_asked == all_asked[:calls]
    assert walk(flickr, start)[2] == end


def test_strata_take_turns() -> None:
    """Every stratum has its first page before any has its second."""
    strata = split(ALL_DAYS)
    survey = Survey.start(strata, 3, 10, 200)
    asked = []
    for _ in range(2 * len(strata)):
        ask = survey.next()
        assert ask is not None
        asked.append(ask)
        survey = survey.answered(*ask, total=1000, pages=4, new_ids=250, exhausted=False)
    assert [page for _, page in asked] == [1] * len(strata) + [2] * len(strata)
    assert [probe for probe, _ in asked] == list(order(strata, 3)) * 2


def test_the_rest_of_a_stratum_behind_known_photos_is_reached() -> None:
    """A stratum whose newest page came with the whole cell's already is asked for its next page."""
    same = (7.1, 46.1, date(2020, 5, 5))
    newest = [(7.1 + number / 1e6, *same[1:]) for number in range(10)]
    elsewhere = [(8.0, 46.8, date(2018, 1, 1 + number)) for number in range(20)]
    flickr = Flickr([*newest[:5], *elsewhere, *newest[5:]], per_page=5, cap=20)
    seen, _, survey = walk(flickr, Survey.start([ALL_DAYS], 0, 99, 500, split_above=20))
    assert seen == set(range(30))
    assert survey.ending() == "exhausted"


@pytest.mark.parametrize(
    ("total", "pages", "new_ids", "exhausted"),
    [(9, 1, 9, False), (900, 4, 0, False), (900, 4, 250, True), (0, 0, 0, False)],
)
def test_a_stratum_ends(total: int, pages: int, new_ids: int, exhausted: bool) -> None:
    """At its last page, on a page of repeats, and when Flickr says so."""
    survey = Survey.start([ALL_DAYS], 0, 10, 10)
    after = survey.answered(
        ALL_DAYS, 1, total=total, pages=pages, new_ids=new_ids, exhausted=exhausted
    )
    assert after.next() is None
    assert after.ending() == "exhausted"


def test_a_probe_that_cannot_be_cut_is_paged_to_the_cap() -> None:
    """One day on one spot gives what Flickr serves, and no more is asked."""
    spot = Probe(Box(7.0, 46.0, 7.01, 46.01), date(2020, 1, 1), date(2020, 1, 2))
    survey = Survey.start([spot], 0, 10, 100)
    calls = 0
    while (ask := survey.next()) is not None:
        calls += 1
        survey = survey.answered(*ask, total=99_999, pages=400, new_ids=250, exhausted=False)
    assert calls == 16


def test_a_total_that_grows_while_paging_does_not_split() -> None:
    """Flickr's totals wander; only the first page's decides."""
    survey = Survey.start([ALL_DAYS], 0, 10, 10)
    survey = survey.answered(ALL_DAYS, 1, total=3000, pages=12, new_ids=250, exhausted=False)
    survey = survey.answered(ALL_DAYS, 2, total=3001, pages=13, new_ids=250, exhausted=False)
    assert survey.next() == (ALL_DAYS, 3)


def test_an_answer_to_another_question_is_refused() -> None:
    """A survey that lost its place must not go on."""
    survey = Survey.start([ALL_DAYS], 0, 10, 10)
    with pytest.raises(ValueError, match="page 2"):
        survey.answered(ALL_DAYS, 2, total=1, pages=1, new_ids=1, exhausted=False)


def test_a_met_quota_is_the_ending_before_all_others() -> None:
    """Enough photos is the good ending, even with the last call."""
    survey = Survey.start([], 0, 10, 0)
    assert survey.ending(kept=9) == "exhausted"
    assert survey.ending(kept=10) == "quota"
