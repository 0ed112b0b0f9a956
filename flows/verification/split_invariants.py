"""The promise that no ground, no photo and, if so asked, no owner is in two splits."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial import KDTree

from collectors.geo import transformer
from filters.splits import Split, splits_of, strongest
from flows.catalogue.blocks import SplitBlock
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.products.rows import ChipRow
    from flows.verification.row_invariants import CellRows

_CENTRES_APART: Final = 1.5
"""How far the centres of two chips of different splits are from one another, at least, in the sum
of their widths: their outlines are that sum apart, and each has half a width or more inside."""


@dataclass(slots=True)
class _Centres:
    """Chips of one split and width: geocentric x, y, z of their centres in metres, and names."""

    xyz: array[float] = field(default_factory=lambda: array("d"))
    names: list[str] = field(default_factory=list)

    def tree(self) -> KDTree:
        return KDTree(np.frombuffer(self.xyz).reshape(-1, 3))


@dataclass(slots=True)
class _Owner:
    """What the ground gives an owner's pairs, and what is stated for those of each split of it."""

    by_ground: set[Split] = field(default_factory=set)
    stated: dict[tuple[Split, Split], str] = field(default_factory=dict)


class SplitInvariants:
    """Checks cells one after the other; what crosses cells is remembered in a small form."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        """Takes the rule from a version's manifest."""
        said = manifest["splits"]
        block = SplitBlock(**{name: said[name] for name in SplitBlock.model_fields})
        self._rule = block.rule(int(manifest["seed"]))
        self._owner_disjoint = block.owner_disjoint
        self._owners: defaultdict[str, _Owner] = defaultdict(_Owner)
        self._centres: defaultdict[tuple[Split, float], _Centres] = defaultdict(_Centres)
        self.apart = Finding(
            "splits-apart",
            "each pair is in the split that the version's rule gives it; chips of different splits"
            " are at least both their widths apart; no photo is in two splits, and no owner where"
            " the version says so",
        )

    def check(self, rows: CellRows) -> None:
        """Checks the pairs of one cell."""
        chips = {chip.chip_id: chip for chip in rows.chips}
        by_ground = dict(
            zip(chips, splits_of([chip.grid for chip in rows.chips], self._rule), strict=True)
        )
        owner_of = {photo.photo_id: photo.owner for photo in rows.photos}
        of_photos: defaultdict[str, set[Split]] = defaultdict(set)
        of_chips: defaultdict[str, set[Split]] = defaultdict(set)
        for pair in rows.pairs:
            where = f"pair {pair.photo_id} / {pair.chip_id}"
            if pair.split not in set(Split) or pair.chip_id not in chips:
                self.apart.expect(False, f"{where}: split {pair.split!r}, or its chip is missing")
                continue
            stated, ground = Split(pair.split), by_ground[pair.chip_id]
            self._check_stated(where, stated, ground, owner_of.get(pair.photo_id, ""))
            if stated is not Split.NONE:
                of_photos[pair.photo_id].add(stated)
                of_chips[pair.chip_id].add(stated)
        for photo_id, splits in of_photos.items():
            self.apart.expect(
                len(splits) == 1, f"photo {photo_id} is in {', '.join(sorted(splits))}"
            )
        for chip_id, splits in of_chips.items():
            for split in splits:
                self._remember(chips[chip_id], split)

    def _check_stated(self, where: str, stated: Split, ground: Split, owner: str) -> None:
        """Compares a pair's split with the rule; where the owner decides, after the last cell."""
        if not self._owner_disjoint:
            self.apart.expect(stated == ground, f"{where}: {stated}, and its ground is {ground}")
            return
        known = self._owners[owner]
        known.by_ground |= {ground} - {Split.NONE}
        known.stated.setdefault((ground, stated), where)

    def _remember(self, chip: ChipRow, split: Split) -> None:
        lon, lat = transformer(chip.crs, "EPSG:4326").transform(*chip.grid.centre)
        here = self._centres[split, chip.width * chip.scale_m]
        here.xyz.extend(transformer("EPSG:4979", "EPSG:4978").transform(lon, lat, 0.0))
        here.names.append(chip.chip_id)

    def finish(self) -> None:
        """Compares owners, and the chips of all cells with one another."""
        for owner, known in self._owners.items():
            kept = strongest(known.by_ground) if known.by_ground else Split.NONE
            for (ground, stated), where in known.stated.items():
                right = ground if ground == kept else Split.NONE
                self.apart.expect(
                    stated == right,
                    f"{where}: {stated}; its ground is {ground}, and its owner is in {kept}",
                )
            splits = {stated for _, stated in known.stated} - {Split.NONE}
            self.apart.expect(len(splits) <= 1, f"owner {owner} is in {', '.join(sorted(splits))}")
        for (one, width), (other, other_width) in combinations(sorted(self._centres), 2):
            if one == other:
                continue
            first, second = self._centres[one, width], self._centres[other, other_width]
            reach = _CENTRES_APART * (width + other_width)
            distances, nearest = second.tree().query(
                np.frombuffer(first.xyz).reshape(-1, 3), distance_upper_bound=reach
            )
            for name, distance_m, at in zip(first.names, distances, nearest, strict=True):
                self.apart.expect(
                    distance_m == np.inf,
                    f"chip {name} of {one}: its centre is {distance_m:,.0f} m from that of a chip"
                    f" of {other}, {second.names[at] if at < len(second.names) else ''}",
                )
