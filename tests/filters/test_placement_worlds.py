"""What must always be true of placed chips, on random worlds that grow by instalments."""

from __future__ import annotations

from hypothesis import given, settings

from tests.filters.placement_worlds import World, grow, worlds


@settings(max_examples=100)
@given(worlds())
def test_promises_hold_while_a_dataset_grows_and_orders_do_not_matter(world: World) -> None:
    """Pairs, centres, members and scenes after each instalment; twice, in two orders, the same.

    At zone edges, in Norway and Svalbard, at 60° south and 80° north, at the antimeridian, inside
    cells and at the corner of four.
    """
    assert grow(world, 1).outcome == grow(world, 1).outcome
