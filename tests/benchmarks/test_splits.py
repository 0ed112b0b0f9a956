"""Splits: leaks by brute force, how even they are, what stays, and what they cost."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.ndimage import gaussian_filter

from collectors.cells import COLUMNS, Cell
from collectors.geo import transformer
from collectors.storage import open_store
from filters.sampling import seeded_hash
from filters.splits import Shares, Split, SplitRule, splits_of
from flows.publishing.publish import publish
from tests.benchmarks.lines import report
from tests.filters.split_worlds import ROWS, apart, grid_at, made_world, splits_within
from tests.flows.test_splitting import CATALOGUE, commit, rows_of, split_of
from tests.sensors import NAIP, SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.geo import ChipGrid

pytestmark = pytest.mark.benchmark

ASKED: Final = Shares(80, 10, 10)
DEALT: Final = (Split.TRAIN, Split.VAL, Split.TEST)
QUOTA: Final = 300
CHIPS: Final = 2


def square(row: int, column: int, high: int, wide: int) -> list[Cell]:
    """Returns a rectangle of cells, over the antimeridian where it comes to that."""
    return [Cell(row + i, (column + j) % COLUMNS) for i in range(high) for j in range(wide)]


def too_near(grids: Sequence[ChipGrid], splits: Sequence[Split]) -> int:
    """Counts the pairs of chips of two splits that are not both their widths apart."""
    groups = [[grid for grid, split in zip(grids, splits, strict=True) if split is wanted]
              for wanted in DEALT]  # fmt: skip
    return sum(len(apart(groups[i], groups[j])) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_split_leaks() -> None:
    """Both sensors, half of the chips near borders: temperate, at the antimeridian, far north."""
    rule = SplitRule(0, ASKED, 1)
    cells = square(110, 160, 25, 28) + square(60, 343, 15, 10) + square(142, 170, 5, 30)
    world = made_world(cells, 12, Random(0))
    grids = [made.grid for made in world]
    splits = splits_of(grids, rule)
    within = splits_within(grids, 1.0, rule)
    near = sum(split is not Split.NONE and found != {split}
               for split, found in zip(splits, within, strict=True))  # fmt: skip
    needless = sum(split is Split.NONE and len(found) == 1
                   for split, found in zip(splits, within, strict=True))  # fmt: skip
    twins = [
        grid_at(*transformer(grid.crs, "EPSG:4326").transform(*grid.centre), NAIP) for grid in grids
    ]
    photos = sum(len({one, other} - {Split.NONE}) > 1
                 for one, other in zip(splits, splits_of(twins, rule), strict=True))  # fmt: skip
    pairs = too_near(grids, splits)
    by_photo = [DEALT[int(np.searchsorted((0.8, 0.9), seeded_hash(0, str(number)) / 2**64))]
                for number in range(len(world))]  # fmt: skip
    by_cell = [rule.split_of(made.cell) for made in world]
    report(
        "split_leaks", near + pairs + photos, "leaks", "0",
        peer=too_near(grids, by_cell), peer_is="the same blocks, without a border between them",
        by_photo=too_near(grids, by_photo), cells=len(cells), chips=len(world), seed=0,
        near_another_split=near, pairs_too_near=pairs, photos_in_two=photos,
        none=splits.count(Split.NONE), none_further_than_needed=needless,
    )  # fmt: skip


@dataclass(frozen=True)
class ByHash:
    """Deals each cell alone, which is the plain way."""

    seed: int

    def split_of(self, cell: Cell) -> Split:
        """Returns the split of a cell's ground."""
        place = seeded_hash(self.seed, cell.cell_id) / 2**64
        return DEALT[int(np.searchsorted((0.8, 0.9), place, side="right"))]


def shares_of(splits: Sequence[Split], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the share of each split in percent, by weight, of what has one."""
    sums = np.array([
        sum(weight for split, weight in zip(splits, weights, strict=True) if split is wanted)
        for wanted in DEALT
    ])  # fmt: skip
    return np.asarray(100 * sums / sums.sum())


def regions(random: Random) -> list[list[Cell]]:
    """Returns ten regions of 1,000 cells: five rectangles, and five of crooked outline."""
    found = []
    for high, wide in ((25, 40), (40, 25), (20, 50), (10, 100), (8, 125)):
        found.append(square(random.randrange(30, 100), random.randrange(COLUMNS), high, wide))
        noise = np.random.default_rng(random.randrange(2**32)).standard_normal((ROWS, COLUMNS))
        field = gaussian_filter(noise, 6, mode=("nearest", "wrap"))
        row, column = random.randrange(40, 100), random.randrange(40, 300)
        away = np.hypot(*np.ogrid[-row : ROWS - row, -column : COLUMNS - column])
        chosen = np.argsort((away / 12 - field / field.std()).ravel())[:1000]
        found.append([Cell(int(at) // COLUMNS, int(at) % COLUMNS) for at in chosen])
    return found


def densities(seed: int) -> NDArray[np.float64]:
    """Returns pairs by cell, (rows, columns): crowded and empty country, cut at the quota."""
    rng = np.random.default_rng(seed)
    noise = [gaussian_filter(rng.standard_normal((ROWS, COLUMNS)), width) for width in (2, 6, 0)]
    field = sum(size * one / one.std() for size, one in zip((1.8, 1.5, 1.0), noise, strict=True))
    return np.minimum(QUOTA, np.floor(60 * np.exp(field)))


def measured(rule: SplitRule | ByHash, seed: int) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Yields, for each region, the shares of ground and pairs, and of pairs in none, in percent."""
    random = Random(seed)
    density = densities(seed)
    for cells in regions(random):
        dense = np.repeat([density[cell.row, cell.column] for cell in cells], CHIPS)
        found = {"ground": shares_of([*map(rule.split_of, cells)], np.ones(len(cells)))}
        for sensor in (SENTINEL2, NAIP):
            grids = []
            for cell in cells:
                box = cell.box
                for _ in range(CHIPS):
                    lon = box.west + random.random() * (box.east - box.west)
                    grids.append(grid_at(lon, random.uniform(box.south, box.north), sensor))
            splits = splits_of(grids, rule)
            found[sensor.name] = shares_of(splits, np.ones(len(splits)))
            found[f"{sensor.name}_uneven"] = shares_of(splits, dense)
            found[f"{sensor.name}_none"] = np.array(100 * splits.count(Split.NONE) / len(splits))
        yield found


def summed_up(rule_of: Callable[[int], SplitRule | ByHash]) -> dict[str, dict[str, Any]]:
    """Returns how far shares are off, and their means, over ten regions for each of ten seeds."""
    all_found = [found for seed in range(10) for found in measured(rule_of(seed), seed)]
    shares = {name: np.array([found[name] for found in all_found]) for name in all_found[0]}
    off = {name: np.abs(one - astuple(ASKED)).max(axis=1)
           for name, one in shares.items() if one.ndim == 2}  # fmt: skip
    return {
        "percentile_99": {
            name: round(float(np.quantile(one, 0.99)), 2) for name, one in off.items()
        },
        "worst": {name: round(float(one.max()), 2) for name, one in off.items()},
        "means": {name: one.mean(axis=0).round(2).tolist() for name, one in shares.items()},
    }


EVEN: Final = ("ground", "sentinel2", "naip")


@pytest.mark.parametrize("block_cells", [1, 2, 3])
def test_split_shares(block_cells: int) -> None:
    """Ground, pairs all over it, and (uneven) pairs as dense as people are, cut at the quota."""
    ours = summed_up(lambda seed: SplitRule(seed, ASKED, block_cells))
    peer = summed_up(ByHash)
    report(
        "split_shares", max(ours["percentile_99"][name] for name in EVEN), "points",
        "within 3 of the shares asked for, on 1,000 cells: ground, and pairs of either sensor",
        peer=max(peer["percentile_99"][name] for name in EVEN),
        peer_is="each cell dealt by hash alone", seeds=10, regions=100, chips_a_cell=CHIPS,
        block_cells=block_cells, **ours, of_peer=peer,
    )  # fmt: skip


def test_split_growth_and_owners(tmp_path: Path) -> None:
    """A dataset that doubles, then owners in one split, each at home in two cells side by side."""
    store = open_store(str(tmp_path / "d"))
    half, rest = square(110, 160, 16, 8), square(110, 168, 16, 8)
    first = rows_of(made_world(half, 12, Random(1)))
    commit(store, first)
    before = split_of(store, publish(store, CATALOGUE, 0)[0])
    commit(store, first + rows_of(made_world(half, 6, Random(2)), generation=2), generation=2)
    commit(store, rows_of(made_world(rest, 6, Random(3)), generation=3))
    after = split_of(store, publish(store, CATALOGUE, 0)[0])
    changed = sum(after[photo_id] != split for photo_id, split in before.items())
    report(
        "split_changes", changed, "pairs", "0: existing pairs keep their split",
        before=len(before), after=len(after),
    )  # fmt: skip
    block = CATALOGUE.splits.model_copy(update={"owner_disjoint": True})
    disjoint = CATALOGUE.model_copy(update={"splits": block})
    version, _ = publish(store, disjoint, 0)
    found = split_of(store, version)
    assert version is not None
    owners: dict[str, set[str]] = {}
    for path in version.files("photos"):
        table = pq.read_table(store.local_path(path), columns=["photo_id", "owner"]).to_pydict()
        for photo_id, owner in zip(table["photo_id"], table["owner"], strict=True):
            if found[photo_id] != "none":
                owners.setdefault(owner, set()).add(found[photo_id])
    lost = version.manifest["splits"]["none_for_owner"]
    labelled = sum(split != "none" for split in after.values())
    report(
        "split_owner_leaks", sum(len(splits) > 1 for splits in owners.values()), "owners", "0",
        owners=len(owners), lost_for_owner=lost, pairs_with_a_split_before=labelled,
        lost_pct=round(100 * sum(lost.values()) / labelled, 2),
    )  # fmt: skip
