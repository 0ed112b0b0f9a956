"""`verify` names the invariant that a damaged dataset breaks."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collectors.transport import SetupError
from flows.verification.verification import verify_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A dataset that may be damaged."""
    return shutil.copytree(built, tmp_path / "dataset")


def broken(root: Path) -> dict[str, list[str]]:
    """Returns the invariants that are broken, with their first offenders."""
    return {one.name: one.offenders for one in verify_dataset(str(root)) if one.broken}


def rewrite(root: Path, product: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Changes the published rows of a product as somebody with an editor would."""
    path = root / f"manifests/v0001/{product}/part-00000.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path, compression="zstd")


def test_one_changed_byte_of_a_shard_is_found(copy: Path) -> None:
    """Any byte: here one in the middle of the largest shard."""
    shard = max(copy.glob("shards/*/*.tar"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    found = broken(copy)
    assert "shards-whole" in found
    assert shard.name in found["shards-whole"][0]


def test_one_changed_byte_of_padding_is_found(copy: Path) -> None:
    """The bytes after the last member count as well."""
    shard = min(copy.glob("shards/*/*.tar"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert set(broken(copy)) == {"shards-whole"}


def test_a_missing_shard_is_found(copy: Path) -> None:
    """A shard that a commit names has to be there."""
    shard = next(copy.glob("shards/*/*.tar"))
    shard.unlink()
    assert "is missing" in broken(copy)["shards-whole"][0]


def test_a_commit_that_miscounts_the_unpaired_is_found(copy: Path) -> None:
    """By these counts later builds know whether anything is left to do in the cell."""
    path = max(copy.glob("cells/*/*.json"))
    commit = json.loads(path.read_text())
    reasons = next(iter(commit["unpaired"].values()))
    next(iter(reasons.values()))["photos"] += 1
    path.write_text(json.dumps(commit))
    assert set(broken(copy)) == {"one-row-per-photo"}


@pytest.mark.parametrize("product", ["photos", "rejects", "chips", "pairs"])
def test_a_removed_row_is_found(copy: Path, product: str) -> None:
    """In any of the four products."""
    rewrite(copy, product, lambda rows: rows.pop(len(rows) // 2))
    assert {"one-row-per-photo", "published-files"} <= set(broken(copy))


def test_a_doubled_row_is_found(copy: Path) -> None:
    """A photo that is two rows is named."""
    rewrite(copy, "rejects", lambda rows: rows.append(rows[0]))
    found = broken(copy)["one-row-per-photo"]
    assert any("is 2 rows" in offender for offender in found)


def test_a_moved_photo_is_found(copy: Path) -> None:
    """Two kilometres to the north: it is no longer where its pairs say."""
    moved = []

    def move(rows: list[dict[str, Any]]) -> None:
        row = next(row for row in rows if not row["unpaired"])
        row["lat"] += 2000 / 111_195
        moved.append(row["photo_id"])

    rewrite(copy, "photos", move)
    found = broken(copy)
    assert any(moved[0] in offender for offender in found["photo-in-chip"])


def test_a_raised_cloud_figure_is_found(copy: Path) -> None:
    """The pixels say otherwise."""

    def raise_cloud(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["sensor"] == "sentinel2" and row["shard"])[
            "cloud_chip_pct"
        ] += 0.25

    rewrite(copy, "chips", raise_cloud)
    assert "the row says" in broken(copy)["chip-pixels"][0]


DAMAGES: dict[str, tuple[str, Callable[[dict[str, Any]], bool], dict[str, Any], str]] = {
    "licence": ("photos", lambda row: True, {"licence": "all-rights-reserved"}, "rights"),
    "attribution": ("photos", lambda row: True, {"attribution": ""}, "rights"),
    "reason": ("photos", lambda row: row["unpaired"], {"unpaired": []}, "paired-or-explained"),
    "pixel": ("pairs", lambda row: True, {"row": 200.0}, "photo-in-chip"),
    "radius": ("pairs", lambda row: True, {"uncertainty_px": 3.0}, "photo-in-chip"),
    "accuracy": ("photos", lambda row: not row["unpaired"], {"accuracy": 15}, "photo-in-chip"),
    "no accuracy": ("photos", lambda row: not row["unpaired"], {"accuracy": 0}, "photo-in-chip"),
    "pair days": ("pairs", lambda row: True, {"delta_days": 999}, "nearest-scene"),
    "chip days": ("chips", lambda row: row["shard"], {"delta_days": 9}, "nearest-scene"),
    "scene cloud": (
        "chips", lambda row: row["sensor"] == "sentinel2" and row["shard"],
        {"cloud_scene_pct": 1.5}, "nearest-scene",
    ),
    "cover": (
        "chips", lambda row: row["sensor"] == "sentinel2" and row["shard"],
        {"cover": [("vegetation", 50.0), ("water", 50.0)]}, "chip-pixels",
    ),
    "count": ("chips", lambda row: row["shard"], {"photos": 26}, "photos-per-chip"),
    "crs": ("chips", lambda row: row["shard"], {"crs": "EPSG:32633"}, "chip-pixels"),
    "hash": ("photos", lambda row: True, {"picture_hash": "0" * 160}, "photo-pictures"),
    "width": ("photos", lambda row: True, {"width": 335}, "photo-pictures"),
    "checksum": ("photos", lambda row: True, {"sha256": "0" * 64}, "shards-whole"),
    "offset": ("photos", lambda row: True, {"offset": 512}, "shards-whole"),
}  # fmt: skip


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_other_damage_is_found_by_name(copy: Path, damage: str) -> None:
    """One changed value in one row, and the invariant that it breaks."""
    product, fits, change, invariant = DAMAGES[damage]
    rewrite(copy, product, lambda rows: next(row for row in rows if fits(row)).update(change))
    assert invariant in broken(copy)


def test_a_refused_scene_that_would_have_passed_is_found(copy: Path) -> None:
    """A chip must not have passed over a good scene."""

    def add(rows: list[dict[str, Any]]) -> None:
        row = next(row for row in rows if row["sensor"] == "sentinel2" and row["shard"])
        row["refused"] = [
            {"scene_id": "X", "delta_days": 0, "cloud_scene_pct": 0.1, "cloud_chip_pct": 0.5,
             "valid_pct": 100.0, "reason": "cloudy"}
        ]  # fmt: skip

    rewrite(copy, "chips", add)
    assert any("would have passed" in text for text in broken(copy)["nearest-scene"])


def test_two_chips_on_one_place_are_found(copy: Path) -> None:
    """A centre inside the area of another chip of the same time bin."""

    def shift(rows: list[dict[str, Any]]) -> None:
        first = next(row for row in rows if row["sensor"] == "sentinel2")
        other = next(
            row for row in rows
            if row["sensor"] == "sentinel2" and row["crs"] == first["crs"] and row is not first
        )  # fmt: skip
        other["transform"] = [*first["transform"][:2], first["transform"][2] + 500,
                              *first["transform"][3:]]  # fmt: skip
        other["time_bin"] = first["time_bin"]

    rewrite(copy, "chips", shift)
    assert any("lies in the area of" in text for text in broken(copy)["centres-apart"])


def test_a_pair_moved_from_test_to_train_is_found(copy: Path) -> None:
    """The ground that it lies on is said."""

    def move(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["split"] == "test")["split"] = "train"

    rewrite(copy, "pairs", move)
    found = broken(copy)["splits-apart"]
    assert any("train, and its ground is test" in text for text in found)


def test_pairs_near_a_border_that_were_kept_after_all_are_found(copy: Path) -> None:
    """Each in the split of its own cell, where the rule has none."""

    def keep(rows: list[dict[str, Any]]) -> None:
        of_cell = {row["cell"]: row["split"] for row in rows if row["split"] != "none"}
        assert set(of_cell.values()) == {"train", "val", "test"}
        for row in rows:
            row["split"] = of_cell[row["cell"]]

    rewrite(copy, "pairs", keep)
    assert any("its ground is none" in text for text in broken(copy)["splits-apart"])


@pytest.mark.parametrize("split", ["", "training"])
def test_a_word_that_is_no_split_is_found(copy: Path, split: str) -> None:
    """Only the four words are splits."""
    rewrite(copy, "pairs", lambda rows: rows[0].update(split=split))
    assert any(f"split {split!r}" in text for text in broken(copy)["splits-apart"])


def test_a_changed_part_is_found(copy: Path) -> None:
    """Parts are named by their content."""
    part = next(copy.glob("parts/*/*-rejects.parquet"))
    part.write_bytes(part.read_bytes() + b"x")
    assert set(broken(copy)) == {"cells-whole"}


def test_an_empty_root_is_said_to_be_empty(tmp_path: Path) -> None:
    """There is nothing to verify, which is not the same as nothing wrong."""
    with pytest.raises(SetupError, match="no published version"):
        verify_dataset(str(tmp_path))


def test_a_wrong_capture_time_is_found(copy: Path) -> None:
    """UTC an hour off, as of a zone without summer time; and a zone of somewhere else."""

    def shift(rows: list[dict[str, Any]]) -> None:
        rows[0]["taken_at_utc"] += timedelta(hours=1)
        rows[1]["time_zone"] = "Asia/Tokyo"
        rows[2]["time_zone"] = "Nowhere"

    rewrite(copy, "photos", shift)
    assert len(broken(copy)["capture-time"]) == 3


def test_other_editions_of_the_time_zones_are_no_fault(copy: Path) -> None:
    """A dataset made with older zones is held to what clocks can show at all."""
    path = copy / "manifests/v0001/manifest.json"
    manifest = json.loads(path.read_text())
    for engine in manifest["engines"]:
        engine["tzdata"] = "2020.1"
    path.write_text(json.dumps(manifest))

    def shift(rows: list[dict[str, Any]]) -> None:
        rows[0]["time_zone"] = "Asia/Tokyo"
        rows[1]["taken_at_utc"] += timedelta(hours=30)

    rewrite(copy, "photos", shift)
    assert len(broken(copy)["capture-time"]) == 1


def test_a_picture_that_two_photos_show_is_found(copy: Path) -> None:
    """The row of one photo leads to the bytes of another."""

    def point_elsewhere(rows: list[dict[str, Any]]) -> None:
        for name in ("shard", "offset", "size", "sha256", "picture_hash"):
            rows[1][name] = rows[0][name]

    rewrite(copy, "photos", point_elsewhere)
    assert "agreement 1.0" in broken(copy)["one-photo-per-picture"][0]
