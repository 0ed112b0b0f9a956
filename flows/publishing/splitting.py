"""Says of each pair of a version whether it is for training, validation or test."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from collectors.geo import ChipGrid
from collectors.transport import WrongUse
from filters.splits import Split, ground_shares, splits_of, strongest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from filters.splits import SplitRule
    from flows.catalogue.blocks import SplitBlock
    from flows.products.versions import Version

    ReadRows = Callable[[str, str], pa.Table]
    """Gives the rows of a cell and a product, by their names, that the version has."""

_FIXED: Final = ("train_pct", "val_pct", "test_pct", "block_cells")
"""What the first version of a dataset fixes, besides its seed."""

_COLUMNS: Final = ["chip_id", "crs", "transform", "scale_m", "width"]


def check_splits(block: SplitBlock, version: Version | None, root: str) -> None:
    """Holds the catalogue to the splits that a dataset was begun with.

    Args:
        block: What the catalogue asks for.
        version: The dataset's newest version; None if it has none.
        root: The dataset, to be named.

    Raises:
        WrongUse: If shares or blocks are others than those of the version.
    """
    said = {} if version is None else version.manifest.get("splits", {})
    asked = block.model_dump()
    changed = [name for name in _FIXED if name in said and said[name] != asked[name]]
    if not changed:
        return
    was = ", ".join(f"{name}: {said[name]:g}" for name in changed)
    now = ", ".join(f"{name}: {asked[name]:g}" for name in changed)
    raise WrongUse(
        root,
        f"its first version fixed its splits at {was}, and the catalogue now asks for {now}; what"
        " was in test would not stay in test.",
        "Write the dataset's values into `splits` of the catalogue, or begin another dataset under"
        " another root.",
    )


def same_splits(block: SplitBlock, version: Version) -> bool:
    """Says whether a version was made with just these splits."""
    said = version.manifest.get("splits", {})
    return {name: said.get(name) for name in type(block).model_fields} == block.model_dump()


class Splitting:
    """Gives the pairs of a version their splits, cell by cell, and counts them."""

    def __init__(
        self, rule: SplitRule, cells: Iterable[str], read: ReadRows, *, owner_disjoint: bool
    ) -> None:
        """Takes the rule; with owner-disjoint splits, looks at all cells once.

        Args:
            rule: How ground is dealt.
            cells: Names of the version's cells.
            read: Gives their rows.
            owner_disjoint: Whether an owner may have pairs in one split only.
        """
        self._rule, self._read = rule, read
        self._counts: dict[str, Counter[str]] = {}
        self._lost: Counter[str] = Counter()
        self._owners = self._owners_in_several(cells) if owner_disjoint else {}

    def add(self, cell: str, pairs: pa.Table) -> pa.Table:
        """Returns a cell's pairs with the column `split` at the end."""
        splits = self._by_ground(cell, pairs)
        if self._owners:
            photos = self._read(cell, "photos")
            owner_of = dict(
                zip(photos["photo_id"].to_pylist(), photos["owner"].to_pylist(), strict=True)
            )
            for place, photo_id in enumerate(pairs["photo_id"].to_pylist()):
                kept = self._owners.get(owner_of[photo_id])
                if kept is not None and splits[place] not in {kept, Split.NONE}:
                    self._lost[splits[place]] += 1
                    splits[place] = Split.NONE
        for sensor, split in zip(pairs["sensor"].to_pylist(), splits, strict=True):
            self._counts.setdefault(sensor, Counter())[split] += 1
        return pairs.append_column("split", pa.array(map(str, splits), pa.string()))

    def as_json(self, block: SplitBlock) -> dict[str, Any]:
        """Returns what a manifest says: the rule, and how many pairs it gave to each split."""
        dealt = ground_shares(self._rule.shares, self._rule.block_cells)
        shares = (round(100 * share, 4) for share in dealt)
        return block.model_dump() | {
            "ground_pct": dict(zip(("train", "val", "test"), shares, strict=True)),
            "pairs": {
                sensor: {split.value: counts[split] for split in Split}
                for sensor, counts in sorted(self._counts.items())
            },
            "none_for_owner": {
                split.value: self._lost[split] for split in Split if split != Split.NONE
            },
        }

    def _by_ground(self, cell: str, pairs: pa.Table) -> list[Split]:
        chips = self._read(cell, "chips").select(_COLUMNS)
        chips = chips.filter(pc.is_in(chips["chip_id"], pairs["chip_id"].combine_chunks()))
        rows = chips.to_pylist()
        grids = [
            ChipGrid(
                row["crs"], row["transform"][2], row["transform"][5], row["scale_m"], row["width"]
            )
            for row in rows
        ]
        by_chip = {
            row["chip_id"]: split
            for row, split in zip(rows, splits_of(grids, self._rule), strict=True)
        }
        return [by_chip[chip_id] for chip_id in pairs["chip_id"].to_pylist()]

    def _owners_in_several(self, cells: Iterable[str]) -> dict[str, Split]:
        """Finds the owners who have pairs in several splits, and the one that each one keeps."""
        with duckdb.connect() as base:
            base.execute("SET threads=2")
            base.execute("CREATE TABLE found (owner VARCHAR, split VARCHAR)")
            for cell in cells:
                pairs = self._read(cell, "pairs")
                splits = pa.array(map(str, self._by_ground(cell, pairs)), pa.string())
                dealt = pa.table({"photo_id": pairs["photo_id"], "split": splits})  # noqa: F841
                photos = self._read(cell, "photos").select(["photo_id", "owner"])  # noqa: F841
                base.execute(
                    "INSERT INTO found SELECT DISTINCT owner, split FROM dealt JOIN photos"
                    " USING (photo_id) WHERE split <> 'none'"
                )
            rows = base.execute(
                "SELECT owner, list(DISTINCT split) FROM found GROUP BY owner"
                " HAVING count(DISTINCT split) > 1"
            ).fetchall()
        return {owner: strongest(map(Split, splits)) for owner, splits in rows}


def line_about(splits: Mapping[str, Any]) -> str:
    """Returns how many pairs are in each split, all sensors together, as a line.

    Args:
        splits: What a manifest says of its splits.
    """
    by_sensor = splits["pairs"].values()
    counts = {split.value: sum(one[split] for one in by_sensor) for split in Split}
    line = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    lost = splits["none_for_owner"].items()
    owners = " and ".join(f"{count:,} of {split}" for split, count in lost if count)
    for_owner = f"; {owners} are in none for their owner" if owners else ""
    return f"splits of the pairs: {line}{for_owner}"
