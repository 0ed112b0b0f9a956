"""Makes a large dataset quickly: commits and parts of many cells, as builds would leave them.

    python -m tests.benchmarks.large_dataset ROOT --photos 1000000 --publish

Rows are seeded and plausible: cells of two continents, owners by a power law, titles of which some
mean harm, bursts, refused scenes, photos at exact pixels of their chips, ids met in two cells. The
shards that they name are there, with bytes that can be decoded, but all shards of a kind are one
file under many names (hard links), so `sha256` and the files' names inside are not what rows say.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.cells import Cell
from collectors.storage import open_store
from filters.time_bins import time_bin
from flows.catalogue.catalogue import load_catalogue
from flows.cells.state import commit_path
from flows.products.tables import parquet_bytes, part_schema
from flows.products.versions import settle_seed
from tests.benchmarks import large_columns as made
from tests.benchmarks.large_cells import SCALE_M, SENSORS, Size, place
from tests.benchmarks.large_shards import link_shards, remove_templates, write_templates
from tests.benchmarks.large_tables import chip_columns, photo_columns, reject_columns
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from flows.catalogue.catalogue import Catalogue
    from tests.benchmarks.large_cells import Chips, Photos
    from tests.benchmarks.large_tables import Columns, Template

CELLS_AT_ONCE: Final = 100
QUOTA: Final = 300

_AMERICA: Final = (range(100, 136), range(54, 111), True)
_EURASIA: Final = (range(96, 136), range(168, 268), False)


def make_large_dataset(
    root: Path, *, photos: int = 1_000_000, rejects: int | None = None, chips: int | None = None,
    seed: int = 0,
) -> None:  # fmt: skip
    """Writes parts and commits of a dataset, and the shards that they name; nothing is published.

    Args:
        root: Where; must not exist.
        photos: Kept photos, 300 a cell at most.
        rejects: Photos that were not kept; ten times as many by default.
        chips: Chips of both sensors; 30 % of the photos by default.
        seed: Of chance; the same arguments give the same bytes.
    """
    rejects = 10 * photos if rejects is None else rejects
    chips = photos * 3 // 10 if chips is None else chips
    root.mkdir(parents=True)
    catalogue = load_catalogue(SHIPPED)
    settle_seed(open_store(str(root)), seed)
    chance = np.random.default_rng(seed)
    sizes = _sizes(photos, rejects, chips, chance)
    templates = write_templates(root)
    kept_before, rejected_before = 0, photos
    for start in range(0, len(sizes), CELLS_AT_ONCE):
        some = sizes[start : start + CELLS_AT_ONCE]
        tables = _tables(some, kept_before, rejected_before, templates, chance)
        kept_before += sum(size.photos for size in some)
        rejected_before += sum(size.rejects for size in some)
        _write(root, catalogue, some, tables, seed)
    remove_templates(root)


def _sizes(photos: int, rejects: int, chips: int, chance: np.random.Generator) -> list[Size]:
    """Deals photos, rejects and chips to cells, in the order of their names."""
    counts: list[int] = []
    while sum(counts) < photos:
        short = chance.random() < 0.15
        counts.append(int(chance.integers(20, QUOTA)) if short else QUOTA)
    counts[-1] -= sum(counts) - photos
    places = [(Cell(row, column), both) for rows, columns, both in (_AMERICA, _EURASIA)
              for row in rows for column in columns]  # fmt: skip
    if len(counts) > len(places):
        raise SystemExit(f"at most {len(places) * QUOTA * 0.9:,.0f} photos")
    chosen = sorted(places[at] for at in chance.choice(len(places), len(counts), replace=False))
    kept = np.array(counts)
    ease = np.array([1.4 if both else 1.0 for _, both in chosen])
    seen = chance.multinomial(rejects, _shares(kept * chance.lognormal(0, 0.4, len(kept))))
    placed = np.minimum(_whole(chips * _shares(kept * ease)), kept)
    return [
        Size(cell, int(kept[at]), int(seen[at]), int(placed[at]), both)
        for at, (cell, both) in enumerate(chosen)
    ]


def _shares(weights: NDArray[Any]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _whole(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rounds amounts so that their sum stays."""
    return np.diff(np.round(np.cumsum(amounts)).astype(int), prepend=0)


def _tables(
    sizes: Sequence[Size], first_kept: int, first_rejected: int,
    templates: dict[str, Template], chance: np.random.Generator,
) -> dict[str, Columns]:  # fmt: skip
    """Makes the columns of some cells."""
    chips, photos = place(sizes, chance)
    outcome = _outcome(chips, photos, chance)
    ids, bins = _chip_ids(chips)
    paired = (photos.chips >= 0) & ~photos.full & outcome["kept"][photos.chips]
    counts = np.bincount(photos.chips[paired], minlength=len(ids))
    kept = photo_columns(photos, sizes, first_kept, templates["photos"],
                         _unpaired(photos, paired, chips, sizes, outcome), chance)  # fmt: skip
    rejected = np.repeat(np.arange(len(sizes)), [size.rejects for size in sizes])
    return {
        "photos": kept,
        "rejects": reject_columns(rejected, photos, sizes, first_rejected, first_kept, chance),
        "chips": chip_columns(
            chips, outcome, ids, bins, counts, sizes, [templates[one] for one in SENSORS], chance
        ),
        "pairs": _pair_columns(photos, paired, chips, outcome, ids, kept),
    }


def _outcome(chips: Chips, photos: Photos, chance: np.random.Generator) -> dict[str, Any]:
    """Draws what became of each chip: whether it has pixels, how many scenes were refused."""
    count = len(chips.cell)
    target = np.full(count, np.datetime64("1970-01-01"))
    for sensor in (1, 0):
        order = np.argsort(photos.day, kind="stable")[::-1]
        of = photos.chips[order, sensor]
        target[of[of >= 0]] = photos.day[order][of >= 0]  # the earliest; near enough to the median
    sentinel = chips.sensor == 0
    luck = chance.random(count)
    tried = np.where(sentinel & (luck < 0.14), chance.integers(1, 4, count), 0)
    kept = (luck < 0.96) & ~(sentinel & (luck < 0.01))
    delta = np.where(sentinel, np.clip(chance.laplace(0, 4, count), -45, 45),
                     chance.uniform(-700, 700, count)).astype(int)  # fmt: skip
    return {"kept": kept, "tried": tried, "target": target, "delta": delta}


def _chip_ids(chips: Chips) -> tuple[pa.Array, pa.Array]:
    """Names chips and their time bins as placement does."""
    bins = []
    for sensor, quarter in zip(chips.sensor.tolist(), chips.quarter.tolist(), strict=True):
        months = 2017 * 12 + 3 + 3 * quarter
        day = date(months // 12, months % 12 + 1, 1)
        bins.append(time_bin(day, (3, 36)[sensor]))
    names = pa.array(SENSORS).take(pa.array(chips.sensor))
    zone = made.digits(chips.epsg % 100)
    ids = made.joined(
        names, "_", pc.utf8_lpad(zone, 2, "0"), "N_", made.digits(chips.west.astype(int)), "_",
        made.digits(chips.north.astype(int)), "_", pa.array(bins),
    )  # fmt: skip
    return ids, pa.array(bins)


def _unpaired(
    photos: Photos, paired: NDArray[np.bool_], chips: Chips, sizes: Sequence[Size],
    outcome: dict[str, Any],
) -> pa.Array:  # fmt: skip
    """Says of each photo why it has no pair of a sensor."""
    both = np.array([size.both for size in sizes])[photos.cell]
    scene = np.where(outcome["tried"] > 0, "all_refused", "no_scene")[photos.chips]
    reasons = np.where(photos.full, "chip_full", scene)
    reasons[:, 1] = np.where(photos.chips[:, 1] >= 0, reasons[:, 1],
                             np.where(both, "border", "not_requested"))  # fmt: skip
    missing = ~paired[:, ::-1]  # keys in the order of their names: naip before sentinel2
    keys = np.broadcast_to(np.array(SENSORS[::-1]), missing.shape)[missing]
    offsets = np.concatenate([[0], np.cumsum(missing.sum(axis=1))]).astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets), pa.array(keys), pa.array(reasons[:, ::-1][missing])
    )


def _pair_columns(
    photos: Photos, paired: NDArray[np.bool_], chips: Chips, outcome: dict[str, Any],
    ids: pa.Array, kept: Columns,
) -> Columns:  # fmt: skip
    """Returns the columns of pairs."""
    photo, sensor = np.nonzero(paired)
    chip = photos.chips[photo, sensor]
    pixel = photos.pixel[photo, sensor]
    scale = SCALE_M[sensor]
    scene = outcome["target"][chip] + outcome["delta"][chip].astype("timedelta64[D]")
    take = pa.array(photo)
    return {
        "photo_id": kept["photo_id"].take(take), "chip_id": ids.take(pa.array(chip)),
        "sensor": pa.array(SENSORS).take(pa.array(sensor)), "row": pixel[:, 0],
        "col": pixel[:, 1], "delta_days": (scene - photos.day[photo]).astype(int),
        "distance_m": np.hypot(pixel[:, 0] - 224, pixel[:, 1] - 224) * scale,
        "uncertainty_px": 40 / scale, "cell": kept["cell"].take(take),
        "generation": np.ones(len(photo), int),
    }  # fmt: skip


_SORTED: Final = {"photos": ["photo_id"], "rejects": ["photo_id"], "chips": ["chip_id"],
                  "pairs": ["photo_id", "sensor"]}  # fmt: skip


def _by_cell(
    catalogue: Catalogue, product: str, columns: Columns, sizes: Sequence[Size]
) -> Iterator[pa.Table]:
    """Yields the rows of each cell, in the order of their ids."""
    schema = part_schema(catalogue, product)
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    table = pa.table(arrays, schema=schema)
    keys = [(name, "ascending") for name in ("cell", *_SORTED[product])]
    table = table.take(pc.sort_indices(table, sort_keys=keys))
    cells = table["cell"].to_numpy(zero_copy_only=False)
    for size in sizes:
        name = size.cell.cell_id
        begin, end = np.searchsorted(cells, name), np.searchsorted(cells, name, side="right")
        yield table.slice(int(begin), int(end - begin))


def _write(
    root: Path, catalogue: Catalogue, sizes: Sequence[Size], tables: dict[str, Columns], seed: int
) -> None:
    """Writes parts and commits, as `flows.cells.state.commit_cell` does."""
    names = list(tables)
    cut = [list(_by_cell(catalogue, name, tables[name], sizes)) for name in names]
    for size, *rows in zip(sizes, *cut, strict=True):
        cell, parts = size.cell.cell_id, {}
        by_name = dict(zip(names, rows, strict=True))
        folder = root / "parts" / cell
        folder.mkdir(parents=True)
        for name, table in by_name.items():
            data = parquet_bytes(table)
            digest = hashlib.sha256(data).hexdigest()[:16]
            parts[name] = f"parts/{cell}/000001-{digest}-{name}.parquet"
            (root / parts[name]).write_bytes(data)
        shards = [one for name in ("photos", "chips") for one in by_name[name]["shard"].to_pylist()]
        named = sorted({path for path in shards if path is not None})
        link_shards(root, named)
        commit = {
            "schema": catalogue.schema_name, "cell": cell, "generation": 1, "parts": parts,
            "shards": named,
            "counts": {name: table.num_rows for name, table in by_name.items()},
            "unpaired": _count_unpaired(by_name["photos"]), "seed": seed,
            "judgement": catalogue.judgement, "weights": hashlib.sha256(b"made up").hexdigest(),
            "engine": {"engine": "made-up"}, "surveyed": [_surveyed(size)],
        }  # fmt: skip
        path = root / commit_path(cell, 1)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(commit, indent=1, sort_keys=True), encoding="utf-8")


def _count_unpaired(photos: pa.Table) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    taken = pc.strftime(photos["taken_at"], "%Y-%m-%d").to_pylist()
    for day, entries in zip(taken, photos["unpaired"].to_pylist(), strict=True):
        for sensor, reason in entries:
            one = found.setdefault(sensor, {}).setdefault(reason, {"photos": 0, "first_taken": day})
            one["photos"] += 1
            one["first_taken"] = min(one["first_taken"], day)
    return found


def _surveyed(size: Size) -> dict[str, Any]:
    pages = max(1, (size.photos + size.rejects) // 250)
    return {
        "ground": hashlib.sha256(size.cell.cell_id.encode()).hexdigest(),
        "taken_from": "2017-04-01", "taken_until": "2025-12-31",
        "uploaded_until": "2026-01-15T00:00:00+00:00", "quota": QUOTA,
        "ended": "quota" if size.photos == QUOTA else "exhausted",
        "found": [250] * pages, "new": [max(1, 250 - 9 * page) for page in range(pages)],
    }  # fmt: skip


def main() -> None:
    """Makes a dataset as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--rejects", type=int, help="ten times the photos by default")
    parser.add_argument("--chips", type=int, help="30 %% of the photos by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--publish", action="store_true", help="publish it as v0001 as well")
    given = parser.parse_args()
    if given.root.exists():
        sys.exit(f"{given.root} exists already; name a folder that does not")
    make_large_dataset(given.root, photos=given.photos, rejects=given.rejects, chips=given.chips,
                       seed=given.seed)  # fmt: skip
    if given.publish:
        from flows.publishing.publish import publish

        publish(open_store(str(given.root)), load_catalogue(SHIPPED), given.seed,
                lambda line: sys.stderr.write(f"{line}\n"))  # fmt: skip


if __name__ == "__main__":
    main()
