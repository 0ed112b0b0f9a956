"""What goes wrong, where, how often and when: by the plan, its seed and a clock alone."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.__main__ import main
from collectors.sandbox.fault_plans import parse_latency, parse_plan, read_plan
from collectors.sandbox.faults import Fault, FaultKind, FaultPlan, Faults
from collectors.sandbox.request_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RESET = FaultKind.RESET


def strikes(requests: Sequence[str], *faults: Fault, seed: int = 0) -> list[bool]:
    """Whether each of the requests for files, named by their paths, goes wrong."""
    drawn = Faults(FaultPlan(faults, seed), lambda: 0.0)
    return [drawn.draw("photo.get", lambda path=path: path) is not None for path in requests]


def test_nothing_is_planned_and_nothing_goes_wrong() -> None:
    """Without a plan a request is not even read."""

    def read() -> str:
        raise AssertionError("read")

    faults = Faults(FaultPlan(), lambda: 0.0)
    assert faults.draw("photo.get", read) is None
    assert faults.done() == {}


def test_a_fault_without_a_frequency_happens_always() -> None:
    """Each request meets it."""
    assert strikes("aab", Fault(RESET)) == [True] * 3


@given(st.integers(1, 7), st.integers(0, 5), st.integers(0, 40))
def test_every_nth_request_meets_it(every: int, after: int, count: int) -> None:
    """After those that pass freely, the n-th and each n-th after it."""
    numbers = [n for n, struck in enumerate(strikes(["x"] * count, Fault(RESET, every=every,
               after=after)), 1) if struck]  # fmt: skip
    assert numbers == list(range(after + every, count + 1, every))


@given(st.integers(0, 7), st.integers(0, 5), st.integers(0, 20))
def test_the_first_requests_meet_it(first: int, after: int, count: int) -> None:
    """After those that pass freely, so many, whatever they ask for."""
    paths = [str(number) for number in range(count)]
    numbers = [n for n, s in enumerate(strikes(paths, Fault(RESET, first=first, after=after))) if s]
    assert numbers == [n for n in range(after, after + first) if n < count]


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(0, 3))
def test_the_first_tries_of_each_request_meet_it(paths: list[str], tries: int) -> None:
    """Each request fails so often and then passes, in whatever order they come."""
    seen: dict[str, int] = {}
    for path, struck in zip(paths, strikes(paths, Fault(RESET, first_tries=tries)), strict=True):
        assert struck == (seen.get(path, 0) < tries)
        seen[path] = seen.get(path, 0) + 1


def test_a_probability_is_a_share() -> None:
    """Of many requests the share meets it, of none none, and of all all."""
    paths = [str(number) for number in range(4_000)]
    assert sum(strikes(paths, Fault(RESET, probability=0.3))) == pytest.approx(1_200, rel=0.08)
    assert not any(strikes(paths, Fault(RESET, probability=0.0)))
    assert all(strikes(paths, Fault(RESET, probability=1.0)))


def test_a_probability_is_drawn_anew_for_each_try() -> None:
    """One request tried often fails now and then, not always or never."""
    assert sum(strikes(["x"] * 2_000, Fault(RESET, probability=0.5))) == pytest.approx(
        1_000, rel=0.1
    )


@given(st.permutations(["a", "b", "c", "d"] * 4), st.integers(0, 3))
def test_the_order_of_requests_does_not_matter(paths: list[str], seed: int) -> None:
    """A request's first, second … try meets the same whatever came between."""

    def by_try(order: Sequence[str]) -> dict[tuple[str, int], bool]:
        struck = strikes(order, Fault(RESET, probability=0.5), seed=seed)
        count = {path: itertools.count() for path in set(order)}
        return {(path, next(count[path])): one for path, one in zip(order, struck, strict=True)}

    assert by_try(paths) == by_try(sorted(paths))


def test_threads_do_not_matter() -> None:
    """Many threads at once meet what one alone meets, and nothing is lost in counting."""
    plan = FaultPlan((Fault(RESET, probability=0.4), Fault(FaultKind.HTML, first_tries=1)), seed=5)
    paths = [str(number % 200) for number in range(2_000)]

    def run(threads: int) -> tuple[dict[str, int], list[str]]:
        faults = Faults(plan, lambda: 0.0)

        def draw(path: str) -> str:
            fault = faults.draw("photo.get", lambda: path)
            return f"{path} {'' if fault is None else fault.fault}"

        with ThreadPoolExecutor(threads) as pool:
            drawn = sorted(pool.map(draw, paths))
        return faults.done(), drawn

    done, drawn = run(16)
    assert (done, drawn) == run(1)
    assert sum(done.values()) == sum(not one.endswith(" ") for one in drawn)


def test_the_seed_decides() -> None:
    """Another seed lets other requests fail, the same seed the same."""
    paths = [str(number) for number in range(200)]
    zero, one, again = (strikes(paths, Fault(RESET, probability=0.5), seed=s) for s in (0, 1, 0))
    assert zero == again != one


def test_faults_of_one_plan_are_drawn_apart() -> None:
    """Two lines of the same probability do not strike together: one in four meets neither."""
    paths = [str(number) for number in range(2_000)]
    twice = strikes(paths, Fault(RESET, probability=0.5), Fault(RESET, probability=0.5))
    assert sum(twice) == pytest.approx(1_500, rel=0.06)


def test_the_first_line_that_strikes_happens() -> None:
    """And no other; each is counted under its name and the kind of request."""
    faults = Faults(
        FaultPlan((Fault(RESET, every=2), Fault(FaultKind.HTML, where="flickr"))), lambda: 0.0
    )
    drawn = [faults.draw("flickr.search", lambda: "same") for _ in range(4)]
    assert [fault.fault if fault else None for fault in drawn] == ["html", "reset"] * 2
    assert faults.draw("photo.get", lambda: "same") is None
    assert faults.done() == {"html flickr.search": 2, "reset flickr.search": 2}


def test_a_window_of_time_opens_and_closes() -> None:
    """From its first second on, up to but not including its last."""
    clock = [100.0]
    faults = Faults(FaultPlan((Fault(RESET, from_s=10.0, until_s=20.0),)), lambda: clock[0])
    for passed_s, struck in ((0, False), (9.9, False), (10, True), (19.9, True), (20, False)):
        clock[0] = 100.0 + passed_s
        assert (faults.draw("photo.get", lambda: "x") is not None) is struck


def test_requests_outside_the_window_do_not_count() -> None:
    """The first of a window is the first within it."""
    clock = [0.0]
    faults = Faults(FaultPlan((Fault(RESET, first=1, from_s=5.0),)), lambda: clock[0])
    drawn = []
    for clock[0] in (1.0, 2.0, 6.0, 7.0):
        drawn.append(faults.draw("photo.get", lambda: "x") is not None)
    assert drawn == [False, False, True, False]


def test_another_plan_begins_anew() -> None:
    """Time, tries and counts start when the plan is put in place."""
    clock = [0.0]
    plan = FaultPlan((Fault(RESET, first_tries=1, until_s=5.0),))
    faults = Faults(plan, lambda: clock[0])
    assert faults.draw("photo.get", lambda: "x") is not None
    assert faults.draw("photo.get", lambda: "x") is None
    clock[0] = 50.0
    faults.replace(plan)
    assert faults.done() == {}
    assert faults.draw("photo.get", lambda: "x") is not None


@pytest.mark.parametrize(
    ("where", "kinds"),
    [
        ("*", KINDS),
        ("ee", {kind for kind in KINDS if kind.startswith("ee.")}),
        ("ee.get*", {"ee.get_pixels"}),
        ("*pixels", {"ee.get_pixels", "ee.compute_pixels"}),
        ("flickr.search", {"flickr.search"}),
        ("photo", {"photo.get"}),
    ],
)
def test_where_names_a_kind_a_service_or_a_pattern(where: str, kinds: set[str]) -> None:
    """Each form meets just the kinds that it names."""
    fault = Fault(RESET, where=where)
    assert {kind for kind in KINDS if fault.concerns(kind, "")} == kinds


def test_faults_of_one_service_stay_there() -> None:
    """What only one service does wrong does not happen at the others, whatever the pattern."""
    services = {
        FaultKind.TOKEN_REFUSED: {"ee"}, FaultKind.QUOTA_GONE: {"ee"},
        FaultKind.KEY_EXPIRED: {"flickr"}, FaultKind.WRONG_BODY: {"flickr"},
        FaultKind.FAILURE: {"flickr"}, FaultKind.CLOCK_SKEW: {"ee", "flickr"},
    }  # fmt: skip
    for kind in FaultKind:
        met = {one.partition(".")[0] for one in KINDS if Fault(kind).concerns(one, "")}
        assert met == services.get(kind, {"ee", "flickr", "photo", "weights"}), kind


def test_match_looks_into_the_request() -> None:
    """Only requests whose path, query or body hold the text meet the fault, and are counted."""
    fault = Fault(RESET, match="B8", every=2)
    assert strikes(["B4", "B8", "B4", "B8"], fault) == [False, False, False, True]


def test_a_token_asked_for_again_is_the_same_request() -> None:
    """The assertion is new at each try, so that its text cannot tell tries apart."""
    faults = Faults(FaultPlan((Fault(RESET, first_tries=1),)), lambda: 0.0)
    drawn = [faults.draw("ee.token", lambda text=text: text) for text in ("first", "second")]
    assert [one is not None for one in drawn] == [True, False]


def test_latency_is_by_kind_then_by_service() -> None:
    """The nearest name counts; what is not named is not held back."""
    faults = Faults(FaultPlan(latency_s={"ee": 0.2, "ee.get_pixels": 0.5}), lambda: 0.0)
    assert [faults.latency_s(kind) for kind in ("ee.value", "ee.get_pixels", "photo.get")] == [
        0.2, 0.5, 0.0,
    ]  # fmt: skip


# Reading plans.


def test_a_plan_is_read_as_it_is_written(tmp_path: Path) -> None:
    """All fields of a line come through, from a file as from a document."""
    document = {
        "seed": 7,
        "latency": {"ee": 0.2, "photo.get": 1},
        "faults": [
            {"fault": "cut_off", "where": "photo", "match": "_b.jpg", "first_tries": 1, "after": 2,
             "from_s": 1.5, "until_s": 60, "share": 0.25},
            {"fault": "clock_skew", "where": "flickr", "seconds": -900, "probability": 0.5},
            {"fault": "server_error", "status": 502, "every": 3},
            {"fault": "failure", "code": 10, "first": 4},
        ],
    }  # fmt: skip
    plan = parse_plan(document)
    assert plan == FaultPlan(
        (
            Fault(FaultKind.CUT_OFF, "photo", "_b.jpg", first_tries=1, after=2, from_s=1.5,
                  until_s=60, share=0.25),
            Fault(FaultKind.CLOCK_SKEW, "flickr", seconds=-900, probability=0.5),
            Fault(FaultKind.SERVER_ERROR, status=502, every=3),
            Fault(FaultKind.FAILURE, code=10, first=4),
        ),
        7,
        {"ee": 0.2, "photo.get": 1.0},
    )  # fmt: skip
    assert parse_plan(document["faults"]).faults == plan.faults
    assert parse_plan([]) == parse_plan({}) == FaultPlan()
    file = tmp_path / "plan.json"
    file.write_text('[{"fault": "reset"}]')
    assert read_plan(file) == FaultPlan((Fault(RESET),))


BAD: dict[str, tuple[object, str]] = {
    "no plan": ("reset", "is an object or a list of faults, not 'reset'"),
    "misspelt part": ({"fault": []}, "a plan of faults has no fault"),
    "seed in words": ({"seed": "7"}, "the seed of a plan is a whole number"),
    "faults by name": ({"faults": {"reset": 1}}, "its faults are a list"),
    "no object": ([{"fault": "reset"}, "reset"], "fault 1: 'reset' is no object"),
    "no such fault": ([{"fault": "meteor"}], "fault 0: 'meteor' is none of too_many_requests, "),
    "no fault": ([{}], "fault 0: None is none of"),
    "misspelt field": ([{"fault": "reset", "evry": 2}], "fault 0: unknown evry"),
    "two frequencies": (
        [{"fault": "reset", "every": 2, "first": 1}],
        "fault 0: only one of probability, every, first, first_tries may be given",
    ),
    "every nothing": ([{"fault": "reset", "every": 0}], "fault 0: every cannot be 0"),
    "half a request": ([{"fault": "reset", "first": 0.5}], "fault 0: first cannot be 0.5"),
    "yes as a number": ([{"fault": "reset", "first": True}], "fault 0: first cannot be True"),
    "more than always": (
        [{"fault": "reset", "probability": 1.5}], "fault 0: probability cannot be 1.5",
    ),
    "a number in quotes": ([{"fault": "reset", "after": "2"}], "fault 0: after cannot be '2'"),
    "an end in words": ([{"fault": "reset", "until_s": "soon"}], "until_s cannot be 'soon'"),
    "not a number": ([{"fault": "hang", "seconds": float("nan")}], "seconds cannot be nan"),
    "for ever": ([{"fault": "hang", "seconds": float("inf")}], "seconds cannot be inf"),
    "backwards": ([{"fault": "hang", "seconds": -1}], "fault 0: seconds cannot be -1"),
    "an error that is none": ([{"fault": "server_error", "status": 200}], "status cannot be 200"),
    "a field without a use": ([{"fault": "reset", "seconds": 2}], "fault 0: reset has no seconds"),
    "a place that is a number": ([{"fault": "reset", "where": 3}], "fault 0: where is a text"),
    "nowhere": (
        [{"fault": "reset", "where": "flickr.serch"}],
        "fault 0: no request of the kind 'flickr.serch' can meet reset",
    ),
    "at the wrong service": (
        [{"fault": "key_expired", "where": "photo"}],
        "fault 0: no request of the kind 'photo' can meet key_expired",
    ),
    "latency of nobody": ({"latency": {"flicker": 1}}, "latency: there is no 'flicker'; there are"),
    "latency in words": ({"latency": {"ee": "1"}}, "latency of ee: '1' is no number of seconds"),
    "latency below zero": ({"latency": {"ee": -1}}, "latency of ee: -1 is no number of seconds"),
    "latency of a list": ({"latency": [1]}, "latency is an object of services and seconds"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD))
def test_a_wrong_plan_is_refused_and_its_line_named(name: str) -> None:
    """The message says which fault of the list, counted from 0, and what about it."""
    document, message = BAD[name]
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_plan(document)
    assert message in str(caught.value)


def test_latency_alone_is_read() -> None:
    """Names of services and of kinds, whole and broken numbers."""
    assert parse_latency({"ee": 1, "flickr.search": 0.5}) == {"ee": 1.0, "flickr.search": 0.5}


@pytest.mark.parametrize(
    ("arguments", "written", "message"),
    [
        (["--faults={}"], "[{", "plan.json: Expecting"),
        (["--faults={}"], '[{"fault": "reset", "evry": 2}]', "plan.json: fault 0: unknown evry"),
        (["--latency=flicker=1"], "", "latency: there is no 'flicker'"),
    ],
)
def test_the_sandbox_does_not_start_with_a_wrong_plan(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    written: str,
    message: str,
) -> None:
    """The command line ends with status 2 and names the file and the line."""
    file = tmp_path / "plan.json"
    file.write_text(written)
    assert main([argument.format(file) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("The sandbox cannot start: ")
    assert message in error


def test_a_folder_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read is said, and not a traceback."""
    assert main([f"--faults={tmp_path}"]) == 2
    assert "Is a directory" in capsys.readouterr().err
