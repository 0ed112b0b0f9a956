"""Cells in which there is nothing to do are recognised from their commits, and no others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cells import Cell, Ground
from flows.catalogue.catalogue import load_catalogue
from flows.cells.cell import collect_cell
from flows.cells.finished import Rules, finished, leave_out_finished
from flows.cells.orders import Order
from flows.cells.state import latest_generations, load_cell, read_commit
from tests.flows.made_up_services import (
    CELL,
    DAWN,
    AskedError,
    World,
    memory_store,
    part_of_cell,
    services,
)
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from collectors.flickr import PhotoSearch, SearchPage
    from flows.catalogue.catalogue import Catalogue


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalogue]:
    """Two photos a chip, tiny chips; chips without scene are given up, or asked for again."""
    found = {}
    for no_scene in ("give_up", "ask_again"):

        def change(document: Any, no_scene: str = no_scene) -> None:
            document["rules"] |= {"photos_per_chip": 2, "owner_share_of_chip": 0.5}
            for sensor in ("sentinel2", "naip"):
                document["sources"][sensor] |= {"size_px": 64, "area_px": 32, "no_scene": no_scene}

        path = tmp_path_factory.mktemp(no_scene) / "data_catalog.yaml"
        found[no_scene] = load_catalogue(small_catalogue(path, change, quota=10))
    return found


SENSORS = st.sampled_from([("sentinel2",), ("naip",), ("sentinel2", "naip")])
ORDERS = st.builds(
    lambda share, sensors, day, until: Order(
        part_of_cell(share), sensors, date(2017, 4, 1), date(2023, 12, until),
        DAWN + timedelta(days=day), 5,
    ),
    share=st.sampled_from([1, 0.6]),
    sensors=SENSORS,
    day=st.sampled_from([40, 100, 200, 290, 291, 300, 400]),
    until=st.sampled_from([30, 31]),
)  # fmt: skip


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    cloudy=st.sampled_from([0.0, 0.4]),
    no_scene=st.sampled_from(["give_up", "give_up", "ask_again"]),
    before=st.lists(ORDERS, min_size=1, max_size=3),
    order=ORDERS,
    again=st.booleans(),
    quota=st.sampled_from([10, 10, 10, 4, 60]),
)
def test_recognised_are_just_those_that_would_end_unchanged(
    catalogues: dict[str, Catalogue], seed: int, cloudy: float, no_scene: str,
    before: list[Order], order: Order, again: bool, quota: int,
) -> None:  # fmt: skip
    """Whatever was built before: a cell is recognised if and only if nobody would be asked."""
    catalogue = catalogues[no_scene]
    store, world = memory_store(), World(seed, cloudy=cloudy)
    for one in before:
        collect_cell(one, services(store, catalogue, world))
    order = before[-1] if again else order
    rules = catalogue.rules.model_copy(update={"quota_per_cell": quota})
    silent = services(store, replace_rules(catalogue, rules), replace(world, silent=True))
    latest = latest_generations(store)
    if not latest:
        return
    commit = read_commit(store, CELL.cell_id, latest[CELL.cell_id])
    recognised = finished(commit, order, Rules.of(silent), store)
    try:
        collected = collect_cell(order, silent)
    except AskedError:
        collected = None
    if collected is None or collected.cells != Counter(unchanged=1):
        assert recognised is None
    else:
        assert recognised == collected


def replace_rules(catalogue: Catalogue, rules: Any) -> Catalogue:
    """Returns the catalogue with other rules."""
    return catalogue.model_copy(update={"rules": rules})


class CheckedWorld(World):
    """A world whose Flickr writes a search down, as the real client does, before it answers."""

    def search(self, wanted: PhotoSearch, page: int) -> SearchPage:
        """Answers a search that asks for something."""
        wanted.arguments()
        return super().search(wanted, page)


def order_of(day: int, **changes: Any) -> Order:
    """Returns an order on the whole cell, so many days into the world."""
    whole = Order(
        part_of_cell(1), ("sentinel2", "naip"), date(2017, 4, 1), date(2024, 12, 31),
        DAWN + timedelta(days=day), 5,
    )  # fmt: skip
    return replace(whole, **changes)


def test_a_photo_that_waits_for_a_scene_is_due_on_the_day(
    catalogues: dict[str, Catalogue],
) -> None:
    """A cell with its quota is finished until the first deferred photo is 60 days old."""
    store = memory_store()
    mine = services(store, catalogues["give_up"], World(1, count=60))
    collect_cell(order_of(150), mine)
    commit = read_commit(store, CELL.cell_id, 1)
    assert commit["surveyed"][0]["ended"] == "quota"
    first = datetime.fromisoformat(commit["unpaired"]["sentinel2"]["deferred"]["first_taken"])
    for days, done in ((59, True), (60, False)):
        due = replace(order_of(0), now=first.replace(tzinfo=UTC) + timedelta(days=days))
        assert (finished(commit, due, Rules.of(mine), store) is not None) == done
    silent = services(store, catalogues["give_up"], World(1, silent=True))
    with pytest.raises(AskedError):
        collect_cell(due, silent)


def test_a_photo_that_is_listed_late_is_found_by_a_later_build(
    catalogues: dict[str, Catalogue],
) -> None:
    """Flickr's index has a photo only some time after its upload."""
    store, world = memory_store(), World(1, count=4)
    day = timedelta(days=1)
    first = replace(order_of(300), now=DAWN + 300 * day)
    late = replace(world.photos[0], photo_id="51111111111", owner="77777777@N01",
                   lon=world.photos[0].lon + 0.02, uploaded_at=first.now - day / 48)  # fmt: skip
    collect_cell(first, services(store, catalogues["give_up"], world))
    world.photos.append(late)
    collect_cell(replace(first, now=first.now + 7 * day),
                 services(store, catalogues["give_up"], world))  # fmt: skip
    state = load_cell(store, CELL.cell_id)
    assert late.photo_id in {row.photo_id for row in (*state.photos, *state.rejects)}


def test_builds_that_begin_in_the_same_second_both_end_well(
    catalogues: dict[str, Catalogue],
) -> None:
    """Flickr's times are whole seconds: between the two nothing can be asked for."""
    store, world = memory_store(), CheckedWorld(1, count=4)
    first = replace(order_of(300), now=DAWN + timedelta(days=300, milliseconds=100))
    for later in (timedelta(0), timedelta(milliseconds=500)):
        mine = services(store, catalogues["give_up"], world)
        collect_cell(replace(first, now=first.now + later), mine)


def test_a_commit_of_an_earlier_release_is_left_to_the_work_itself(
    catalogues: dict[str, Catalogue],
) -> None:
    """It does not say which photos wait, so nothing is concluded from it."""
    store = memory_store()
    mine = services(store, catalogues["give_up"], World(1))
    collect_cell(order_of(300), mine)
    commit = read_commit(store, CELL.cell_id, 1)
    assert finished(commit, order_of(300), Rules.of(mine), store) is not None
    del commit["unpaired"]
    assert finished(commit, order_of(300), Rules.of(mine), store) is None


def test_other_rules_or_weights_are_left_to_the_work_itself(
    catalogues: dict[str, Catalogue],
) -> None:
    """It refuses them, or goes on if it is told to; neither is decided before."""
    store = memory_store()
    mine = services(store, catalogues["give_up"], World(1))
    collect_cell(order_of(300), mine)
    commit = read_commit(store, CELL.cell_id, 1)
    for changes in ({"judgement": "0" * 64}, {"weights": "0" * 64}):
        other = replace(Rules.of(mine), **changes)
        assert finished(commit, order_of(300), other, store) is None


def test_of_several_orders_on_a_cell_all_are_done_or_none(
    catalogues: dict[str, Catalogue],
) -> None:
    """What one adds may be of another's ground; cells without a commit stay, in their order."""
    store = memory_store()
    mine = services(store, catalogues["give_up"], World(1))
    done = order_of(300)
    collect_cell(done, mine)
    said: list[str] = []
    other = Cell.at(10.0, 46.0)
    elsewhere = replace(done, ground=Ground(other, other.box.polygon(), 1.0))
    left, summaries = leave_out_finished([done, elsewhere, done], mine, said.append)
    assert left == [elsewhere]
    assert [one.cells for one in summaries] == [Counter(unchanged=1)] * 2
    assert said == ["2 of 3 cells have nothing new to do"]
    more = replace(done, ground=part_of_cell(0.6), now=done.now + timedelta(days=1))
    left, summaries = leave_out_finished([more, elsewhere, done], mine, said.append)
    assert (left, summaries) == ([more, elsewhere, done], [])


def test_photos_uploaded_while_a_clock_was_wrong_are_found(
    catalogues: dict[str, Catalogue],
) -> None:
    """A run dated a year ahead says that all was searched up to then; the next one doubts it."""
    store, world = memory_store(), World(4, count=8)
    world.photos.sort(key=lambda one: one.uploaded_at)
    early = replace(world, photos=world.photos[:4])
    ahead = order_of(600)
    collect_cell(ahead, services(store, catalogues["give_up"], early))
    before = load_cell(store, CELL.cell_id)
    said: list[str] = []
    mine = services(store, catalogues["give_up"], world)
    (order,), _ = leave_out_finished([order_of(290)], mine, said.append)
    assert "surveyed up to 2024-08-23" in said[0]
    assert "2023-10-18" in said[0]
    collect_cell(order, mine)
    after = load_cell(store, CELL.cell_id)
    seen = {one.photo_id for one in (*after.photos, *after.rejects)}
    assert {one.photo_id for one in world.photos} == seen
    kept = {one.photo_id for one in before.photos}
    assert kept < {one.photo_id for one in after.photos}


def test_a_run_that_began_long_ago_doubts_nobody(catalogues: dict[str, Catalogue]) -> None:
    """A cell that another run brought up to date meanwhile is done, not searched backwards."""
    store, world = memory_store(), World(4, count=9, crowds=1)
    collect_cell(order_of(300), services(store, catalogues["give_up"], world))
    left_over = [
        photo
        for photo in load_cell(store, CELL.cell_id).photos
        if photo.unpaired.get("sentinel2") in {"chip_full", "owner_share"}
    ]
    long_ago = order_of(185)
    assert any((long_ago.now.date() - one.taken_at.date()).days < 60 for one in left_over)
    silent = services(store, catalogues["give_up"], replace(world, silent=True))
    assert collect_cell(long_ago, silent).cells == Counter(unchanged=1)
    assert latest_generations(store) == {CELL.cell_id: 1}


def test_answers_as_of_two_times_are_not_mixed(catalogues: dict[str, Catalogue]) -> None:
    """A run is stopped while it tidies up; the next one does not take its searches for its own."""
    store, world = memory_store(), World(4, count=8)
    world.photos.sort(key=lambda one: one.uploaded_at)
    early = services(store, catalogues["give_up"], replace(world, photos=world.photos[:4]))
    mine = services(store, catalogues["give_up"], world)
    middle = world.photos[3].uploaded_at + timedelta(seconds=1)
    silent = services(store, catalogues["give_up"], replace(world, silent=True))
    with pytest.raises(AskedError):
        collect_cell(replace(order_of(0), now=middle), silent)
    # Of the stopped run's steps only a search is left.
    delete = store.delete

    def forget(path: str) -> None:
        if "-search-" not in path:
            delete(path)

    store.delete = forget  # type: ignore[method-assign]
    collect_cell(replace(order_of(0), now=middle), early)
    for path in store.list("cells"):
        delete(path)
    assert any("-search-" in path for path in store.list("steps"))
    store.delete = delete  # type: ignore[method-assign]
    collect_cell(order_of(400), mine)
    state = load_cell(store, CELL.cell_id)
    assert len(state.photos) + len(state.rejects) == len(world.photos)
