"""Rows of the products as tests need them, and what a version's tables hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from flows.catalogue.catalogue import load_catalogue
from flows.products.rows import ChipRow, PairRow, PhotoRow, RefusedScene, RejectRow
from flows.products.versions import read_version
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from collectors.storage import Store

CATALOGUE = load_catalogue(SHIPPED)
WHEN = datetime(2020, 5, 17, 12, 30)  # noqa: DTZ001 - local time, as Flickr gives it


def photo(photo_id: str, cell: str, **more: Any) -> PhotoRow:
    """A kept photo."""
    values: dict[str, Any] = {
        "photo_id": photo_id, "owner": "1@N01", "lon": -122.4, "lat": 37.7, "accuracy": 16,
        "taken_at": WHEN, "taken_at_utc": WHEN.replace(hour=19, tzinfo=UTC),
        "time_zone": "America/Los_Angeles", "taken_granularity": 0,
        "uploaded_at": WHEN.replace(tzinfo=UTC), "licence": "CC-BY-2.0", "attribution": "x",
        "page_url": "https://www.flickr.com/photos/x/1/", "image_url": "u", "title": "t",
        "tags": "", "cell": cell, "indoor_probability": 0.1, "shard": "s", "offset": 0, "size": 1,
        "sha256": "0", "width": 1, "height": 1, "picture_hash": "",
        "unpaired": {}, "generation": 1,
    }  # fmt: skip
    return PhotoRow(**(values | more))


def reject(photo_id: str, cell: str, **more: Any) -> RejectRow:
    """A photo that was not kept."""
    values: dict[str, Any] = {
        "photo_id": photo_id, "owner": None, "lon": None, "lat": None, "taken_at": None,
        "licence": None, "cell": cell, "outcome": "rejected", "stage": "screen",
        "reason": "low_accuracy", "detail": "", "indoor_probability": None, "generation": 1,
    }  # fmt: skip
    return RejectRow(**(values | more))


def chip(chip_id: str, cell: str, photos: int) -> ChipRow:
    """A chip with pixels."""
    return ChipRow(
        chip_id=chip_id, sensor="sentinel2", cell=cell, time_bin="2020Q2", outcome="kept",
        reason=None, scene_id="x", acquired_at=WHEN.replace(tzinfo=UTC),
        target_date=date(2020, 5, 17), delta_days=0, cloud_scene_pct=0.5, cloud_chip_pct=0.0,
        shadow_pct=0.0, valid_pct=100.0, cover={"vegetation": 62.5, "water": 37.5},
        scene_cloud_limit_pct=1.0, chip_cloud_limit_pct=1.0, missing_limit_pct=1.0,
        refused=(RefusedScene("y", 0, 0.1, 7.5, 100.0, "cloudy"),),
        crs="EPSG:32610", transform=(10.0, 0.0, 550_000.0, 0.0, -10.0, 4_182_240.0), width=448,
        height=448, bands=("B2", "SCL"), scale_m=10.0, source_gsd_m=10.0, processing="05.09",
        photos=photos, shard="s", offset=0, size=1, sha256="0", generation=1,
    )  # fmt: skip


def pair(photo_id: str, chip_id: str, cell: str) -> PairRow:
    """A photo in a chip."""
    return PairRow(photo_id, chip_id, "sentinel2", 224.0, 224.0, 0, 1.0, 4.0, cell, 1)


def ids(store: Store, product: str, column: str = "photo_id") -> list[Any]:
    """Reads a column of the newest version."""
    version = read_version(store)
    assert version is not None
    return [
        one
        for path in version.files(product)
        for one in pq.read_table(store.local_path(path))[column].to_pylist()
    ]
