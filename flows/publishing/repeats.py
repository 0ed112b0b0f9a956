"""Finds what stands twice in a dataset: one photo in two cells, one picture in two photos.

What is held for every photo lies in DuckDB, which spills to disk, or in a file; memory grows with
the photos by some 100 bytes each, for the index of near pictures.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from filters.hash_index import near_pairs
from filters.picture_hashes import WINDOWS, as_numbers
from filters.same_picture import agreement, settle
from flows.products.tables import read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from collectors.storage import Store

_PICTURES_HELD: Final = 256
"""Pictures held in memory while near ones are compared: about 10 MB."""

_ROWS_HELD: Final = "150MB"
"""Memory for what is known of all photos; what is more goes to a temporary folder."""

_BATCH: Final = 65_536
"""Rows taken from the database at a time."""

_COLUMNS: Final = ("photo_id", "uploaded_at", "shard", "offset", "size", "picture_hash")


def same_ids(store: Store, commits: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Finds photos that stand in several cells, because their geotag was moved between builds.

    Args:
        store: The dataset.
        commits: The newest commit of each cell.

    Returns:
        For each cell, those of its photos whose row is left out: all rows but that of the cell that
        keeps the photo, or of the first by name.
    """
    names = sorted(commits)
    with _spilling() as (base, _):
        base.execute("CREATE TABLE seen (photo_id VARCHAR, cell INTEGER, kept BOOLEAN)")
        for cell, name in enumerate(names):
            for product, kept in (("photos", True), ("rejects", False)):
                ids = read_parquet(store.read(commits[name]["parts"][product]), ["photo_id"])  # noqa: F841
                base.execute("INSERT INTO seen SELECT photo_id, ?, ? FROM ids", [cell, kept])
        # Photos that stand in one cell only fall out by a number each, before any list is made.
        rows = base.execute(
            "SELECT photo_id, list(cell ORDER BY kept DESC, cell) FROM seen WHERE hash(photo_id) IN"
            " (SELECT hash(photo_id) FROM seen GROUP BY hash(photo_id) HAVING count(*) > 1)"
            " GROUP BY photo_id HAVING count(*) > 1"
        ).fetchall()
    left_out: defaultdict[str, set[str]] = defaultdict(set)
    for photo_id, cells in rows:
        for cell in set(cells[1:]) - {cells[0]}:
            left_out[names[cell]].add(photo_id)
    return dict(left_out)


def same_pictures(
    store: Store,
    commits: Mapping[str, Mapping[str, Any]],
    elsewhere: Mapping[str, set[str]],
    wanted: float,
) -> dict[str, dict[str, str]]:
    """Finds kept photos whose picture one that was uploaded earlier shows.

    Args:
        store: The dataset.
        commits: The newest commit of each cell.
        elsewhere: Photos that are left out, by cell, as `same_ids` gives them.
        wanted: Pictures that agree at least so well are the same.

    Returns:
        For each cell, the id of the photo that shows the picture, by the id of the one that
        repeats it.
    """
    with _spilling() as (base, folder):
        _gather(base, store, commits, elsewhere)
        near = near_pairs(_in_order(base, folder / "hashes"))
        photos = _of_numbers(base, near)

    @lru_cache(maxsize=_PICTURES_HELD)
    def picture(number: int) -> bytes:
        one = photos[number]
        return store.read_range(one.shard, one.offset, one.size)

    def same(earlier: int, later: int) -> bool:
        return agreement(picture(earlier), picture(later)) >= wanted

    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    pairs = (tuple(pair) for pair in near.tolist())
    for later, earlier in settle(pairs, same).items():
        one = photos[later]
        found[one.cell][one.photo_id] = photos[earlier].photo_id
    return dict(found)


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo whose picture is near another one's, and where its bytes are."""

    photo_id: str
    cell: str
    shard: str
    offset: int
    size: int


@contextmanager
def _spilling() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Gives a database that spills to a temporary folder, and that folder."""
    with tempfile.TemporaryDirectory(prefix="terrapair-") as folder, duckdb.connect() as base:
        base.execute("SET threads=2")
        base.execute(f"SET memory_limit='{_ROWS_HELD}'")
        base.execute("SET temp_directory=?", [folder])
        yield base, Path(folder)


def _gather(
    base: duckdb.DuckDBPyConnection,
    store: Store,
    commits: Mapping[str, Mapping[str, Any]],
    elsewhere: Mapping[str, set[str]],
) -> None:
    """Fills the table `pictures` with the photos that have a hash, the first upload first."""
    base.execute(
        "CREATE TABLE gathered (cell VARCHAR, photo_id VARCHAR, uploaded_at TIMESTAMPTZ,"
        ' shard VARCHAR, "offset" BIGINT, size BIGINT, picture_hash VARCHAR)'
    )
    for cell, commit in commits.items():
        rows = read_parquet(store.read(commit["parts"]["photos"]), _COLUMNS)  # noqa: F841
        base.execute(
            f"INSERT INTO gathered SELECT ?, {', '.join(map(_quoted, _COLUMNS))} FROM rows"  # noqa: S608
            " WHERE picture_hash <> '' AND NOT list_contains(?::VARCHAR[], photo_id)",
            [cell, sorted(elsewhere.get(cell, ()))],
        )
    base.execute(
        "CREATE TABLE pictures AS FROM gathered ORDER BY uploaded_at, length(photo_id), photo_id"
    )
    base.execute("DROP TABLE gathered")


def _in_order(base: duckdb.DuckDBPyConnection, path: Path) -> NDArray[np.uint64]:
    """Writes the hashes to a file, in the order of the table, and returns them mapped from it."""
    with path.open("wb") as file:
        for batch in _batches(base, "picture_hash"):
            file.write(as_numbers(batch["picture_hash"]).tobytes())
    if not path.stat().st_size:
        return np.empty((0, len(WINDOWS)), dtype=np.uint64)
    return np.memmap(path, dtype=np.uint64, mode="r").reshape(-1, len(WINDOWS))


def _of_numbers(base: duckdb.DuckDBPyConnection, pairs: NDArray[np.int64]) -> dict[int, _Photo]:
    """Returns the photos of these numbers in the order of the table."""
    wanted = set(np.unique(pairs).tolist())
    found: dict[int, _Photo] = {}
    start = 0
    for batch in _batches(base, "photo_id", "cell", "shard", "offset", "size"):
        for number, row in enumerate(zip(*batch.values(), strict=True), start):
            if number in wanted:
                found[number] = _Photo(*row)
        start += len(batch["photo_id"])
    return found


def _batches(base: duckdb.DuckDBPyConnection, *columns: str) -> Iterator[dict[str, list[Any]]]:
    """Yields columns of the table `pictures`, in the order of its rows, some rows at a time."""
    # DuckDB keeps the order of rows in what it reads unless told otherwise.
    named = ", ".join(map(_quoted, columns))
    for batch in base.sql(f"SELECT {named} FROM pictures").to_arrow_reader(_BATCH):  # noqa: S608
        yield batch.to_pydict()


def _quoted(name: str) -> str:
    return f'"{name}"'
