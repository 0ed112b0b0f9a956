"""Which chips make a batch, and in which order batches come."""

from __future__ import annotations

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from collectors.chips import Chip
from collectors.geo import ChipGrid
from flows.cells.chip_batches import CHIP_BATCH, chip_batches

GRID = ChipGrid("EPSG:32610", 500_000.0, 4_100_000.0, 10.0, 448)
SIZES = st.dictionaries(st.sampled_from(["naip", "sentinel2", "landsat"]), st.integers(0, 200))


def chips(sizes: dict[str, int]) -> list[Chip]:
    """So many chips of each sensor."""
    return [
        Chip(f"{sensor}-{number:04d}", sensor, "2020Q1", GRID, date(2020, 2, 1))
        for sensor, size in sizes.items()
        for number in range(size)
    ]


@given(SIZES, st.randoms())
def test_every_chip_is_in_one_batch_of_its_sensor(sizes: dict[str, int], random: object) -> None:
    """Whatever order they come in: the batches are full but for each sensor's last."""
    given_order = chips(sizes)
    random.shuffle(given_order)  # type: ignore[attr-defined]
    batches = chip_batches(given_order)
    assert batches == chip_batches(chips(sizes))
    for sensor, size in sizes.items():
        mine = [batch for batch in batches if batch[0].sensor == sensor]
        ids = [chip.chip_id for batch in mine for chip in batch]
        assert ids == sorted(chip.chip_id for chip in given_order if chip.sensor == sensor)
        assert [len(batch) for batch in mine[:-1]] == [CHIP_BATCH] * (-(-size // CHIP_BATCH) - 1)
    assert sum(map(len, batches)) == len(given_order)


@given(SIZES)
def test_sensors_take_turns(sizes: dict[str, int]) -> None:
    """At any time the sensors are equally far, to a batch."""
    batches = chip_batches(chips(sizes))
    wanted = Counter(batch[0].sensor for batch in batches)
    done: Counter[str] = Counter()
    for batch in batches:
        done[batch[0].sensor] += 1
        parts = [sizes[name] / CHIP_BATCH for name in wanted]
        slack = max(1 / part for part in parts)
        shares = [done[name] * CHIP_BATCH / sizes[name] for name in wanted]
        assert max(shares) - min(shares) <= 2 * slack
