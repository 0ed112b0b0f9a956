"""The whole story of one cell: photos, chips, commit. It needs no other cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 - the step's adapter needs it
from typing import TYPE_CHECKING, Final, Literal

from collectors.shards import shard_paths
from collectors.transport import TroubleRemains, WrongUse
from flows.cells.batches import Batches, ShardRemovedError
from flows.cells.blocked import names_blocked
from flows.cells.chip_stage import ChipStage
from flows.cells.forgetting import forget_in_cell
from flows.cells.forgotten_files import find_purge
from flows.cells.orders import Order, Summary
from flows.cells.photo_layout import lay_out
from flows.cells.photo_stage import PhotoStage
from flows.cells.state import CellState, commit_cell, load_cell, newest_generation
from flows.cells.steps import Steps
from flows.cells.sweep_marks import check_sweeps
from flows.cells.work import CellWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.cells.services import Services

TRIES: Final = 5
"""How often a cell is started again because another writer committed first."""

Step = Literal["photos", "chips"]


@dataclass(frozen=True, slots=True)
class _Begin:
    """The first step: since when this work counts; a restart goes on with the same."""

    now: datetime


def collect_cell(
    order: Order, services: Services, tell: Callable[[str, Step, int], None] | None = None
) -> Summary:
    """Collects one cell: goes on where a stopped run left off, and commits what is new.

    Args:
        order: What is asked.
        services: The outside world.
        tell: Called with the cell's name, what was counted, and how many there are so far.

    Returns:
        Counts of what was done.

    Raises:
        WrongUse: If the cell was judged by other rules.
        SetupError: If the set-up is wrong.
        TroubleRemains: If a service did not answer in time, or others committed first again and
            again; what was finished is kept.
    """
    summary, made = Summary(), False
    for _ in range(TRIES):
        blocks = services.renew_blocks()
        state = load_cell(services.store, order.cell_id)
        if names_blocked(state, blocks):
            _forget_again(order, services)
            state = load_cell(services.store, order.cell_id)
        _check_rules(state, order, services)
        now, committed = _collect_once(order, state, services, summary, tell)
        if committed is None:
            continue
        made = made or committed  # a stopped run's work, perhaps, before this order's own
        if now >= order.now:
            summary.cells["committed" if made else "unchanged"] += 1
            return summary
    raise TroubleRemains(order.cell_id, f"others committed first, {TRIES} times in a row")


def _collect_once(
    order: Order,
    state: CellState,
    services: Services,
    summary: Summary,
    tell: Callable[[str, Step, int], None] | None,
) -> tuple[datetime, bool | None]:
    """Makes one generation, or finds that there is nothing new.

    Returns:
        When the work counts from (a stopped run's own time, if one was found), and whether a
        generation was committed; None if it has to be begun again, because another writer was
        first or something in it was forgotten meanwhile.
    """
    rules, flickr = services.catalogue.rules, services.catalogue.flickr
    generation = state.generation + 1
    judgement = services.catalogue.judgement
    key = order.key(judgement + services.weights, rules.quota_per_cell, flickr.calls_per_cell)
    steps = Steps.of(services.store, order.cell_id, generation, key)
    check_sweeps(services.store, order.cell_id, steps.show_presence())
    now = steps.remember("begin", _Begin, lambda: _Begin(order.now)).now
    batches = Batches(
        services.store, order.cell_id, state.shards, f"{judgement[:16]}-{services.weights[:16]}"
    )
    work = CellWork(order, now, generation, services, steps.as_of(now), batches, summary)

    def say(step: Step) -> Callable[[int], None]:
        return lambda count: tell(order.cell_id, step, count) if tell else None

    try:
        with_photos = PhotoStage(work, state, say("photos")).run()
        with_chips = ChipStage(work, with_photos, say("chips")).run()
        done = replace(
            with_chips, generation=generation, judgement=judgement,
            weights=services.weights, engine=services.engine,
        ).ordered()  # fmt: skip
        _count_reasons(state, done, summary)
        if done.holds_same_rows(state):
            steps.clear()
            batches.clear()
            return now, False
        if names_blocked(done, services.renew_blocks()):  # not needed, but laying out takes time
            steps.clear()
            _forget_again(order, services)
            return now, None
        new = lay_out(services.store, done, state.shards, services.catalogue.sensors)
    except ShardRemovedError as error:
        if newest_generation(services.store, order.cell_id) > state.generation:
            steps.clear()
            return now, None  # another writer was first, and has tidied up
        raise _removed(error.path, order.cell_id) from error
    _check_shards(state, new, services)
    # The parts are written, then the list is read, then the commit is made. Who forgets writes the
    # list, then looks for commits and for parts of generations to come (`forget_in_cell`), and
    # where those name something makes a generation of that number. So either the list is seen here,
    # or the parts are seen there: then this commit fails, or is the one that is cleaned there. It
    # is safe wherever this run dies, and nothing is left to be looked at after the commit.
    committed = commit_cell(
        services.store, new, services.catalogue, order.seed,
        may_commit=lambda: not names_blocked(new, services.renew_blocks()),
    )  # fmt: skip
    steps.clear()
    if not committed:
        if names_blocked(new, services.blocks):
            _forget_again(order, services)  # the parts, which a forgetting may not have seen
        return now, None
    batches.clear(set(done.shards) - set(state.shards) - set(new.shards))
    return now, True


def _forget_again(order: Order, services: Services) -> None:
    """Takes out of a cell what was forgotten while the cell was in work."""
    forget_in_cell(services.store, order.cell_id, services.blocks, services.catalogue, order.seed)
    find_purge(services.store, order.cell_id, services.blocks).remove(services.store)


def _check_shards(state: CellState, new: CellState, services: Services) -> None:
    """Sees that the shards which a commit is about to name are still there."""
    lost = set(new.shards) - set(state.shards) - set(shard_paths(services.store, new.cell_id))
    if lost:
        raise _removed(min(lost), new.cell_id)


def _removed(path: str, cell_id: str) -> TroubleRemains:
    return TroubleRemains("storage", f"{path} was removed while cell {cell_id} was in work")


def _check_rules(state: CellState, order: Order, services: Services) -> None:
    """Stops where a cell was judged by other rules or other weights, unless told to go on."""
    if order.accept_changed_rules:
        return
    # Where all there was has been forgotten, or was never committed, no rule has judged anything.
    judged = bool(state.photos or state.rejects)
    judged_with = state.weights if judged else services.first_weights or services.weights
    if judged and state.judgement != services.catalogue.judgement:
        raise WrongUse(
            order.cell_id,
            "this cell was built by other rules than the catalogue's (licences, limits, thresholds"
            " or sensors changed).",
            "Use the catalogue of the first build, another root, or --accept-changed-rules to let"
            " new photos be judged by the new rules beside the old ones.",
        )
    if judged_with != services.weights:
        whose = "its" if judged else "the dataset's"
        raise WrongUse(
            order.cell_id,
            f"{whose} photos were judged with weights {judged_with[:12]}…, and these are"
            f" {services.weights[:12]}….",
            "Use the same weights, or --accept-changed-rules.",
        )


def _count_reasons(old: CellState, new: CellState, summary: Summary) -> None:
    """Counts the reasons of the photos that ended in this generation."""
    before = {row.photo_id for row in old.rejects}
    for row in new.rejects:
        if row.generation == new.generation or row.photo_id not in before:
            summary.reasons[f"{row.stage}: {row.reason}"] += 1
