"""Samples of a version that a report shows one by one: chips with their photos, and refusals.

Chance is MD5 of the dataset's seed and an id, so the same version gives the same sample. DuckDB
draws it; only what was drawn comes into Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.records import Outcome
from flows.products.tables import ADDED

if TYPE_CHECKING:
    import duckdb

EXAMPLES: Final = 6
"""Refused scenes, chips and photos shown for each reason."""

_PHOTO: Final = (
    "photo_id", "title", "attribution", "page_url", "licence", "taken_at", "time_zone", "lon",
    "lat", "indoor_probability", "shard", "offset", "size", "sha256", "width", "height",
)  # fmt: skip
_PAIR: Final = ("chip_id", "row", "col", "delta_days", "distance_m", "uncertainty_px", "split")
_CHIP: Final = (
    "chip_id", "sensor", "cell", "time_bin", "scene_id", "acquired_at", "target_date", "delta_days",
    "cloud_scene_pct", "cloud_chip_pct", "shadow_pct", "valid_pct", "crs", "width", "height",
    "bands", "scale_m", "shard", "offset", "size", "sha256",
)  # fmt: skip

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PairSample:
    """Chips with all their photos.

    Attributes:
        chips: Rows of `chips`, each with `photos`: rows of `photos` joined with their pairs.
        pairs: How many pairs that are.
        of_chips: Chips with pixels in the version.
        of_pairs: Pairs in the version.
        cells: Cells that the sample has chips of.
    """

    chips: tuple[Record, ...]
    pairs: int
    of_chips: int
    of_pairs: int
    cells: int

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.pairs == self.of_pairs


def sample_pairs(base: duckdb.DuckDBPyConnection, seed: int, limit: int) -> PairSample:
    """Draws chips until their photos would be more than a limit, evenly over cells and sensors.

    The first chip of every cell and sensor is drawn before any second one.

    Args:
        base: The views.
        seed: The dataset's seed.
        limit: Pairs, at most.
    """
    base.execute(
        "CREATE OR REPLACE TEMP TABLE drawn AS"
        " WITH ranked AS (SELECT chip_id, cell, sensor, photos,"
        " md5_number_lower(? || ':' || chip_id) AS chance FROM chips"
        f" WHERE outcome = '{Outcome.KEPT}' AND photos > 0),"
        " rounds AS (SELECT *, row_number()"
        " OVER (PARTITION BY cell, sensor ORDER BY chance, chip_id) AS round FROM ranked),"
        " summed AS (SELECT chip_id, row_number() OVER w AS place, sum(photos) OVER w AS total"
        " FROM rounds WINDOW w AS (ORDER BY round, chance, chip_id ROWS UNBOUNDED PRECEDING))"
        " SELECT chip_id, place FROM summed WHERE total <= ?",
        [str(seed), limit],
    )
    known = {name for name, *_ in base.execute("DESCRIBE chips").fetchall()}
    shown = (*_CHIP, *(name for name in ADDED if name in known))
    chips = _records(
        base,
        shown,
        f"SELECT {_names('chips', shown)} FROM chips JOIN drawn USING (chip_id) ORDER BY place",
    )
    pairs = _records(
        base,
        ("photo_id", *_PAIR),
        f"SELECT photo_id, {_names('pairs', _PAIR)} FROM pairs JOIN drawn USING (chip_id)"
        " ORDER BY place, photo_id",
    )
    of_photo = {
        photo["photo_id"]: photo
        for photo in _chosen(base, "photos", _PHOTO, {pair["photo_id"] for pair in pairs})
    }
    photos = [of_photo[pair["photo_id"]] | pair for pair in pairs]
    by_chip: dict[str, list[Record]] = {}
    for photo in photos:
        by_chip.setdefault(photo["chip_id"], []).append(photo)
    found = tuple(chip | {"photos": by_chip.get(chip["chip_id"], [])} for chip in chips)
    (of_chips,), (of_pairs,) = (
        base.execute(sql).fetchall()[0]
        for sql in (
            f"SELECT count(*) FROM chips WHERE outcome = '{Outcome.KEPT}' AND photos > 0",
            "SELECT count(*) FROM pairs",
        )
    )
    cells = len({chip["cell"] for chip in chips})
    return PairSample(found, len(photos), of_chips, of_pairs, cells)


def sample_rejects(base: duckdb.DuckDBPyConnection, seed: int) -> list[Record]:
    """Draws some photos for each stage, outcome and reason."""
    groups = ("stage", "outcome", "reason")
    drawn = _examples(base, seed, "rejects", "photo_id", groups, ("photo_id", "cell"))
    wanted = ("photo_id", "cell", "taken_at", "licence", "detail", "indoor_probability", *groups)
    rows = _chosen(base, "rejects", wanted, {one["photo_id"] for one in drawn})
    by_identity = {tuple(row[name] for name in (*groups, "photo_id", "cell")): row for row in rows}
    return [by_identity[tuple(one[name] for name in (*groups, "photo_id", "cell"))]
            for one in drawn]  # fmt: skip


def sample_refused(base: duckdb.DuckDBPyConnection, seed: int) -> list[Record]:
    """Draws some scenes for each sensor and reason that were fetched and refused."""
    scenes = (
        "(SELECT chip_id, sensor, scene.reason AS reason, scene.scene_id AS scene_id,"
        " scene.delta_days AS delta_days, scene.cloud_scene_pct AS cloud_scene_pct,"
        " scene.cloud_chip_pct AS cloud_chip_pct, scene.valid_pct AS valid_pct,"
        " chip_cloud_limit_pct, missing_limit_pct, outcome"
        " FROM (SELECT *, unnest(refused) AS scene FROM chips WHERE len(refused) > 0))"
    )
    return _examples(
        base, seed, scenes, "chip_id || scene_id", ("sensor", "reason"),
        ("chip_id", "scene_id", "delta_days", "cloud_scene_pct", "cloud_chip_pct", "valid_pct",
         "chip_cloud_limit_pct", "missing_limit_pct", "outcome"),
    )  # fmt: skip


def sample_empty_chips(base: duckdb.DuckDBPyConnection, seed: int) -> list[Record]:
    """Draws some chips without pixels for each sensor and reason."""
    return _examples(
        base, seed, f"(SELECT * FROM chips WHERE outcome <> '{Outcome.KEPT}')",
        "chip_id", ("sensor", "outcome", "reason"), ("chip_id", "cell", "target_date", "photos"),
    )  # fmt: skip


def _examples(
    base: duckdb.DuckDBPyConnection,
    seed: int,
    table: str,
    key: str,
    groups: tuple[str, ...],
    wanted: tuple[str, ...],
) -> list[Record]:
    """Draws `EXAMPLES` rows of each group; memory grows with the groups, not with the rows."""
    names = ", ".join(groups)
    packed = ", ".join(f"{name} := {name}" for name in wanted)
    rows = base.execute(
        f"SELECT {names}, arg_min(struct_pack({packed}),"
        f" md5_number_lower(? || ':' || {key}), {EXAMPLES}) FROM {table}"
        f" GROUP BY {names} ORDER BY {names}",
        [str(seed)],
    ).fetchall()
    return [dict(zip(groups, row[:-1], strict=True)) | one for row in rows for one in row[-1] or []]


def _chosen(
    base: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], ids: set[str]
) -> list[Record]:
    """Returns the rows of some photos; the columns of all others are not read.

    A join would read them all, a list of values is looked up in what Parquet knows of its pages.
    """
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT {_names(table, columns)} FROM {table} WHERE photo_id IN ({marks})"
    found = base.execute(sql, sorted(ids)).fetchall()
    return [dict(zip(columns, row, strict=True)) for row in found]


def _names(table: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f'{table}."{name}"' for name in columns)


def _records(base: duckdb.DuckDBPyConnection, columns: tuple[str, ...], sql: str) -> list[Record]:
    return [dict(zip(columns, row, strict=True)) for row in base.execute(sql).fetchall()]
