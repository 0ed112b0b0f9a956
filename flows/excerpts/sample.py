"""A small dataset of the same form as a large one, its pairs drawn evenly over the cells."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc

from collectors.records import Stage
from collectors.shards import pack, read_member, write_shard
from collectors.storage import open_store
from collectors.transport import SetupError, WrongUse
from filters.evenness import fair_shares
from filters.sampling import seeded_hash
from flows.catalogue.blocks import SensorSource, SplitBlock
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.cells.inference import INFERENCE
from flows.cells.state import CellState, commit_cell, latest_generations, read_commit
from flows.products.revoked import while_published
from flows.products.rows import ROWS
from flows.products.table_rows import CellTables, row_groups
from flows.products.tables import check_products, from_arrow
from flows.products.versions import open_beside, read_version, settle_seed
from flows.progress import no_progress
from flows.publishing.publish import publish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.products.versions import Version
    from flows.progress import Progress

PAIRS: Final = 1_000
RECORD: Final = "sample.json"
"""What the sample was drawn from, and how."""

_MEMBERS: Final = 64
"""Photos, or chips, of a shard."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn.

    Attributes:
        photos: Ids of photos, by cell.
        shares: Of a cell's paired photos, the share that was drawn, by cell.
    """

    photos: Mapping[str, frozenset[str]]
    shares: Mapping[str, float]


def draw(store: Store, version: Version, pairs: int, seed: int) -> Drawn:
    """Draws photos evenly over the cells, until they have about so many pairs.

    Every cell gives as many photos as any other, or all that it has; where there are more cells
    than photos wanted, a seeded hash says which cells. Of a cell, the photos of smallest hash are
    taken, with all their pairs. Photos without a pair are not drawn.

    Args:
        store: The dataset.
        version: Its version.
        pairs: Pairs wanted.
        seed: Orders chance.
    """
    of_cell: Counter[str] = Counter()
    for table in row_groups(store, version, "pairs", ["photo_id", "cell"]):
        for cell, count in _distinct(table).items():
            of_cell[cell] += count
    cells = sorted(of_cell, key=lambda cell: (seeded_hash(seed, cell), cell))
    wanted = round(pairs * of_cell.total() / max(1, version.rows("pairs")))
    shares = dict(zip(cells, fair_shares([of_cell[cell] for cell in cells], wanted), strict=True))
    drawn: dict[str, frozenset[str]] = {}
    for table in row_groups(store, version, "pairs", ["photo_id", "cell"]):
        for cell in table["cell"].unique().to_pylist():
            mine = table.filter(pc.equal(table["cell"], cell))["photo_id"].unique().to_pylist()
            ranked = sorted(mine, key=lambda photo: (seeded_hash(seed, photo), photo))
            if shares[cell]:
                drawn[cell] = frozenset(ranked[: shares[cell]])
    return Drawn(drawn, {cell: shares[cell] / of_cell[cell] for cell in drawn})


def _distinct(table: Any) -> Counter[str]:
    """Returns how many photos of each cell a table of pairs has."""
    groups = table.group_by("cell").aggregate([("photo_id", "count_distinct")])
    counts = groups["photo_id_count_distinct"].to_pylist()
    return Counter(dict(zip(groups["cell"].to_pylist(), counts, strict=True)))


def sample_dataset(
    root: str,
    output: str,
    *,
    version_name: str | None = None,
    pairs: int = PAIRS,
    seed: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Writes a sample of a version as a dataset of its own, and publishes it.

    The photos drawn come with all their pairs and chips, and with as large a share of the cell's
    rejected photos and chips without pixels. Rows keep what they say, but for where the bytes lie
    and how many photos a chip has. With owner-disjoint splits, owners are dealt by the pairs that
    were drawn of them: what is trained on such a sample is tested on it, not on the rest of the
    dataset. Stopped and run again, it ends the same.

    Args:
        root: The dataset.
        output: Where the sample goes: empty, or the same sample begun.
        version_name: A version; the newest by default.
        pairs: About how many pairs.
        seed: Orders the drawing; the dataset's own by default. The sample keeps the dataset's.
        progress: Hears how many cells are copied.

    Returns:
        For JSON: `root`, `version`, and rows by product.

    Raises:
        WrongUse: If there is no such version, or the output holds anything else.
        SetupError: If the version was revoked, before or meanwhile.
    """
    store = open_store(root, writable=False)
    version = read_version(store, version_name)
    if version is None or not version.rows("pairs"):
        raise WrongUse(root, "has no published pairs.", "Build some: terrapair build --root …")
    target = open_beside(store, output)
    own = int(version.manifest["seed"])
    record = {"of": version.name, "tables": version.fingerprint, "pairs_wanted": pairs,
              "seed": own if seed is None else seed}  # fmt: skip
    data = json.dumps(record, indent=1, sort_keys=True).encode()
    begun = target.exists(RECORD)
    if (target.list() and not begun) or not target.create(RECORD, data):
        raise WrongUse(
            output, "holds another sample." if begun else "holds other files.",
            "Give --output an empty folder.",
        )  # fmt: skip
    catalogue = catalogue_of(version)
    with while_published(store, version.name):
        drawn = draw(store, version, pairs, own if seed is None else seed)
        settle_seed(target, own)
        if store.exists(INFERENCE):
            target.create(INFERENCE, store.read(INFERENCE))
        with CellTables(store, version, list(ROWS)) as tables:
            for done, cell in enumerate(sorted(drawn.photos)):
                progress("cells copied", done, len(drawn.photos))
                rows = {product: from_arrow(tables.read(product, cell), kind)
                        for product, kind in ROWS.items()}  # fmt: skip
                _copy_cell(store, target, version, cell, rows, drawn, catalogue)
    progress("cells copied", len(drawn.photos), len(drawn.photos))
    published, _ = publish(target, catalogue, own)
    assert published is not None  # noqa: S101 - it has cells
    return {"root": target.root, "version": published.name, "cells": len(drawn.photos)} | {
        product: published.rows(product) for product in ROWS
    }


def catalogue_of(version: Version) -> Catalogue:
    """Returns the catalogue that a version was made by, as far as publishing needs it.

    Rules, sensors, splits and the meanings of columns are the version's; regions, which it does not
    say, are those of the catalogue here.
    """
    base = load_catalogue(find_catalogue(None))
    check_products(base)
    manifest = version.manifest
    sensors = {
        name: SensorSource.model_validate({"kind": "sensor", **block})
        for name, block in manifest["sensors"].items()
    }
    splits = {name: manifest["splits"][name] for name in SplitBlock.model_fields}
    products = {
        product: block.model_copy(update={"columns": {
            name: column.model_copy(update={
                word: manifest["columns"][product].get(name, {}).get(word, getattr(column, word))
                for word in ("unit", "meaning")
            })
            for name, column in block.columns.items()
        }})
        for product, block in base.products.items()
    }  # fmt: skip
    return base.model_copy(update={
        "sources": {"flickr": base.flickr} | sensors,
        "rules": type(base.rules).model_validate(manifest["rules"]),
        "splits": SplitBlock.model_validate(splits),
        "products": products,
    })  # fmt: skip


def _copy_cell(
    store: Store, target: Store, version: Version, cell: str, rows: Mapping[str, Sequence[Any]],
    drawn: Drawn, catalogue: Catalogue,
) -> None:  # fmt: skip
    """Copies what was drawn of a cell, and commits it.

    Raises:
        SetupError: If the cell holds something else already.
    """
    pairs = [row for row in rows["pairs"] if row.photo_id in drawn.photos[cell]]
    in_chip = Counter(pair.chip_id for pair in pairs)
    photos = [row for row in rows["photos"] if row.photo_id in drawn.photos[cell]]
    chips = [
        replace(chip, photos=in_chip[chip.chip_id])
        for chip in rows["chips"] if chip.chip_id in in_chip
    ]  # fmt: skip
    seed = int(version.manifest["seed"])
    empty = [chip for chip in rows["chips"] if not chip.kept]
    # A photo whose picture another cell shows would name one that may not be in the sample.
    others = [row for row in rows["rejects"] if row.stage != Stage.PUBLISH]
    share = drawn.shares[cell]
    chips += _part(empty, share, seed, "chip_id")
    rejects = _part(others, share, seed, "photo_id")
    photos = _with_bytes(store, target, cell, photos, "photo_id", "jpg")
    chips = _with_bytes(store, target, cell, chips, "chip_id", "tif")
    generation = int(version.manifest["cells"][cell])
    commit = read_commit(store, cell, generation)
    state = CellState(
        cell_id=cell, generation=generation, photos=tuple(photos), rejects=tuple(rejects),
        chips=tuple(chips), pairs=tuple(pairs), judgement=commit["judgement"],
        weights=commit["weights"], engine=commit["engine"],
    )  # fmt: skip
    if not commit_cell(target, state, catalogue, seed) or (
        latest_generations(target)[cell] != generation
    ):
        raise WrongUse(
            target.root, f"holds another state of cell {cell}.", "Give --output an empty folder."
        )


def _part(rows: Sequence[Any], share: float, seed: int, name: str) -> list[Any]:
    """Returns a share of rows: those whose names have the smallest hashes."""
    ranked = sorted(
        rows, key=lambda row: (seeded_hash(seed, getattr(row, name)), getattr(row, name))
    )
    return ranked[: round(share * len(rows))]


def _with_bytes(
    store: Store, target: Store, cell: str, rows: Sequence[Any], name: str, ending: str
) -> list[Any]:
    """Copies the bytes of rows into shards of their own, and returns the rows as they then are."""
    found = [row for row in rows if row.shard is None]
    kept = sorted(
        (row for row in rows if row.shard is not None), key=lambda row: getattr(row, name)
    )
    for start in range(0, len(kept), _MEMBERS):
        batch = kept[start : start + _MEMBERS]
        members = []
        for row in batch:
            data = read_member(store, row.shard, row.offset, row.size)
            if hashlib.sha256(data).hexdigest() != row.sha256:
                raise SetupError(
                    f"{store.root}/{row.shard}",
                    f"does not hold {getattr(row, name)} with the checksum that its row states.",
                    "terrapair verify says what else is damaged.",
                )
            members.append((f"{getattr(row, name)}.{ending}", data))
        index = [{"item_id": getattr(row, name), "work_key": "sample", "beside": "",
                  "member": member, "verdict": {}}
                 for row, (member, _) in zip(batch, members, strict=True)]  # fmt: skip
        packed = pack(members, index)
        path = write_shard(target, cell, packed)
        for row, (member, _) in zip(batch, members, strict=True):
            place = packed.places[member]
            found.append(replace(row, shard=path, offset=place.offset, size=place.size))
    return found
