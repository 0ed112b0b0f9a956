"""Sharing a limit among processes: never exceeded, well used, and nobody is left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.transport import TroubleRemains
from flows.limits.terms import FULL_PACE, PACE, WAITING, Terms
from tests.flows.shared_limits import LOOP_S, World, most_within

ONE_AT_A_TIME = Terms("flickr", "Flickr", slots=1, block=1, calls_per_s=1.0)
MANY = Terms("ee", "Earth Engine", slots=40, block=5, calls_per_s=80.0)
TICKED = Terms("ee", "Earth Engine", slots=40, block=5, calls_per_s=20.0)
"""A rate that the world's clock can show."""


def test_one_process_alone_has_all_of_it() -> None:
    """It takes what it needs within a second, and nothing more than it needs."""
    world = World(MANY, 1)
    world.want(0, 40)
    world.run(1)
    assert world.shares[0].held == 40
    world.want(0, 12)
    world.run(30)
    assert world.shares[0].held == 15
    world.want(0, 0)
    world.run(30)
    assert world.keeper.active == {"ee": 0}


def test_a_block_costs_little() -> None:
    """Ten minutes at forty calls at once take three questions to the keeper in two seconds."""
    world = World(MANY, 1)
    world.want(0, 40)
    world.run(600)
    assert world.keeper.asked < 600 * 1.5
    assert len(world.began()) > 40 * 600


@pytest.mark.parametrize("processes", [1, 2, 4, 7])
def test_one_holder_at_a_time_and_the_rate_across_its_changes(processes: int) -> None:
    """However many share Flickr: 11 calls in any 10 s at most, over 90 % used, all have turns."""
    world = World(ONE_AT_A_TIME, processes)
    for number in range(processes):
        world.want(number, 3)
    world.run(600)
    began = world.began()
    assert world.most_at_once == 1
    assert most_within(began, 10) <= 11
    assert len(began) >= 0.9 * 600
    least = min(len(calls.began) for calls in world.calls)
    assert least >= 0.3 * 600 / processes


@pytest.mark.parametrize("processes", [2, 4, 11])
def test_many_slots_are_shared_and_used(processes: int) -> None:
    """Forty slots and their rate are used, never exceeded; the first to come leaves room."""
    world = World(TICKED, processes, call_s=1.0)
    for number in range(processes):
        world.want(number, 40)
        world.run(2)
    world.run(400)
    began = world.began()
    assert world.most_at_once <= 40
    assert most_within(began, 1) <= 20 + processes
    assert len(began) >= 0.9 * 20 * 400
    assert min(len(calls.began) for calls in world.calls) >= 100


def test_a_dead_process_gives_its_slots_back() -> None:
    """Killed in mid-work, it holds its slots until its lease has ended, and not much longer."""
    world = World(ONE_AT_A_TIME, 2)
    world.want(0, 1)
    world.run(10)
    world.kill(0)
    world.want(1, 1)
    world.run(40)
    assert world.calls[1].began == []
    world.run(MANY.lease_s + LOOP_S - 40 + 2)
    assert world.calls[1].began


def test_a_refusal_slows_all_down_and_quiet_brings_the_rate_back() -> None:
    """After a 429 in one process both go at half the rate; at full rate again after half a minute.

    Two processes that are refused together count once.
    """
    world = World(MANY, 2)
    for number in range(2):
        world.want(number, 20)
    world.run(20)
    for calls in world.calls:
        calls.refused = True
    world.run(MANY.look_s + 1)
    assert world.keeper.limits["ee" + PACE] == FULL_PACE // 2
    assert [calls.rate for calls in world.calls] == pytest.approx([20, 20])
    world.run(MANY.recovery_s + 2 * MANY.look_s)
    assert world.keeper.limits["ee" + PACE] == FULL_PACE
    assert [calls.rate for calls in world.calls] == pytest.approx([40, 40])
    assert sum("refuses" in line for line in world.lines) == 2


def test_a_refusal_never_raises_what_others_have_lowered() -> None:
    """A process that is refused while others have slowed down further takes their pace."""
    world = World(MANY, 1)
    world.want(0, 40)
    world.run(10)
    world.keeper.ensure("ee" + PACE, 8)
    world.calls[0].refused = True
    world.run(1)
    assert world.keeper.limits["ee" + PACE] == 8
    assert world.calls[0].rate == pytest.approx(80 * 8 / FULL_PACE)


def test_whoever_takes_over_keeps_to_the_pace() -> None:
    """A process that had no slot when another was refused begins at the lowered rate."""
    world = World(ONE_AT_A_TIME, 2)
    world.want(0, 1)
    world.run(5)
    world.calls[0].refused = True
    world.run(5)
    world.want(0, 0)
    world.run(5)
    world.want(1, 1)
    world.run(5)
    assert world.calls[1].rate == pytest.approx(0.5)


def test_a_limit_lowered_by_hand_is_followed() -> None:
    """Whoever lowers the limit at the server is obeyed by all, in slots and in rate."""
    world = World(MANY, 2)
    for number in range(2):
        world.want(number, 20)
    world.run(10)
    world.keeper.limits["ee"] = 10
    world.run(30)
    assert sum(share.held for share in world.shares) <= 10
    assert sum(calls.rate for calls in world.calls if calls.allowed) <= 20 + 1e-9


def test_without_an_answer_what_is_held_is_used_until_its_lease_ends() -> None:
    """Calls go on for as long as the lease is safe, then wait, then end in trouble, then go on."""
    world = World(Terms("flickr", "Flickr", 1, 1, 1.0, patience_s=100), 1)
    world.want(0, 1)
    world.run(10)
    world.keeper.away = True
    world.run(35)
    assert world.calls[0].began[-1] > 44
    world.run(40)
    assert world.calls[0].began[-1] < 10 + MANY.lease_s
    assert world.calls[0].trouble is None
    world.run(60)
    trouble = world.calls[0].trouble
    assert trouble is not None
    assert isinstance(trouble(), TroubleRemains)
    assert "has not answered" in str(trouble())
    world.keeper.away = False
    world.run(20)
    assert world.calls[0].trouble is None
    assert world.calls[0].began[-1] > world.now - 2
    told = [line for line in world.lines if "does not answer" in line]
    assert [line.partition("answer; ")[2].partition(" (")[0] for line in told] == [
        "going on with what is held", "waiting for it",
    ]  # fmt: skip
    assert all(line.startswith("Flickr: ") for line in told)


def test_a_server_that_forgot_its_leases_is_put_right() -> None:
    """After a restart, slots whose leases were forgotten are freed by who held them."""
    world = World(MANY, 2)
    for number in range(2):
        world.want(number, 20)
    world.run(10)
    world.keeper.restart()
    world.run(40)
    assert [share.held for share in world.shares] == [20, 20]
    assert world.keeper.active["ee"] == 40
    assert sum("forgotten" in line for line in world.lines) == 2


def test_who_has_what_it_needs_does_not_stand_in_line() -> None:
    """The line is empty again when all have a block, and blocks are no longer handed round."""
    world = World(MANY, 4)
    for number in range(4):
        world.want(number, 40)
        world.run(1)
    world.run(120)
    assert world.keeper.active["ee" + WAITING] == 0
    held = [share.held for share in world.shares]
    world.run(60)
    assert [share.held for share in world.shares] == held
    assert sum(held) == 40


Event = tuple[float, int, str, int]
EVENTS = st.lists(
    st.tuples(
        st.floats(0.5, 40),
        st.integers(0, 3),
        st.sampled_from(["want", "want", "want", "kill", "away", "back", "refuse"]),
        st.integers(0, 8),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40)
@given(EVENTS, st.sampled_from([1, 6]), st.floats(0.2, 4.0))
def test_whatever_happens_the_limit_holds_and_nobody_is_left_out(
    events: list[Event], slots: int, call_s: float
) -> None:
    """Processes come, go and die, and the server is away for a time: never too many calls at once.

    In the end, with the server there, whoever lives and wants to call has had a turn. Calls are
    shorter than a lease's margin.
    """
    world = World(Terms("limit", "Flickr", slots, min(slots, 2), 2.0 * slots), 4, call_s)
    for wait_s, number, what, calls in events:
        if what == "want":
            world.want(number, calls)
        elif what == "kill" and len(world.dead) < 3:
            world.kill(number)
        elif what == "refuse":
            world.calls[number].refused = True
        else:
            world.keeper.away = what == "away"
        world.run(wait_s)
    assert world.most_at_once <= slots
    world.keeper.away = False
    before = world.now
    world.run(2 * (MANY.lease_s + LOOP_S) + 4 * MANY.turn_s + 64)
    assert world.most_at_once <= slots
    for number, calls in enumerate(world.calls):
        if calls.wanted_calls and number not in world.dead:
            assert calls.began
            assert calls.began[-1] > before


@settings(max_examples=20)
@given(st.lists(st.floats(1, 30), min_size=1, max_size=8), st.integers(0, 3))
def test_the_end_of_a_run_leaves_nothing_taken(waits: list[float], last: int) -> None:
    """A process that leaves in good order gives all back, whatever it was doing."""
    world = World(MANY, 4)
    for number, wait_s in enumerate(waits):
        world.want(number % 4, 5 * number + 1)
        world.run(wait_s)
    for number in range(4):
        world.want(number, 0)
    world.run(5 + last)
    assert all(share.leave() for share in world.shares)
    assert set(world.keeper.active.values()) == {0}
