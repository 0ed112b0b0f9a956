"""Makes a series in this process, and reads its layout by what is known of it alone."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import rasterio
from PIL import Image

from flows.catalogue.catalogue import load_catalogue
from flows.demo import sandbox_settings
from flows.series.services import connected
from flows.series.writing import make_series
from flows.settings import read_settings
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sandbox import Sandbox
    from flows.catalogue.catalogue import Catalogue

SIDE_M = 640.0
FOOTPRINTS = {"naip": (512, 1.25), "sentinel2": (64, 10.0), "sentinel1": (64, 10.0)}


def make(
    sandbox: Sandbox, root: Path | str, output: Path | str, *, catalogue: Catalogue | None = None,
    settings: dict[str, Any] | None = None, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Makes the shipped catalogue's series, or another catalogue's."""
    values = read_settings(sandbox_settings(sandbox) | (settings or {}))
    with connected(values, str(root)) as (engine, check):
        return make_series(
            str(root), str(output), catalogue or load_catalogue(SHIPPED), "s2-naip", engine,
            check=check, **options,
        )  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a folder by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The places of a series."""
    found: list[dict[str, Any]] = pq.read_table(folder / "manifest/places.parquet").to_pylist()
    return found


def listed(folder: Path, split: str) -> list[str]:
    """The names in a list of a split."""
    with (folder / f"{split}.csv").open() as file:
        return [row["name"] for row in csv.DictReader(file)]


def check_place(folder: Path, row: dict[str, Any]) -> None:
    """Holds a kept place to what a series promises: footprints, dates, stacks, checksums."""
    name = row["place_id"]
    code, column, line = name.split("_")
    west, north = int(column) * SIDE_M, -int(line) * SIDE_M
    assert (row["west_m"], row["north_m"], row["crs"]) == (west, north, f"EPSG:{code}")
    parts = {part["name"]: part for part in row["parts"]}
    assert list(parts) == list(FOOTPRINTS)
    for part_name, (pixels, scale) in FOOTPRINTS.items():
        part = parts[part_name]
        assert (part["width"], part["height"]) == (pixels, pixels)
        assert part["transform"] == [scale, 0.0, west, 0.0, -scale, north]
        assert pixels * scale == SIDE_M
    days = {
        part_name: [datetime.fromisoformat(one["acquired_at"]).date() for one in part["dates"]]
        for part_name, part in parts.items()
    }
    assert [len(days[one]) for one in FOOTPRINTS] == [1, 16, 4]
    assert all(own == sorted(set(own)) for own in days.values())
    (anchor,) = days["naip"]
    assert all(abs((day - anchor).days) <= 183 for own in days.values() for day in own)
    _check_pixels(folder, name, parts, days)
    _check_dates(folder, name, parts, days)


def _check_pixels(
    folder: Path, name: str, parts: dict[str, Any], days: dict[str, list[date]]
) -> None:
    picture = np.asarray(Image.open(folder / f"naip/{name}.png"))
    assert picture.shape == (512, 512, 4)
    assert (picture.any(axis=2)).mean() >= 0.99
    for part_name, path, dtype in (
        ("sentinel2", f"sentinel2/{name}_stacked.tif", "uint16"),
        ("sentinel1", f"sentinel1/{name}.tif", "float32"),
    ):
        part = parts[part_name]
        with rasterio.open(folder / path) as file:
            data = file.read()
            assert list(file.transform)[:6] == part["transform"]
            assert str(file.crs) == part["crs"]
            assert list(file.descriptions) == [
                f"{day} {band}" for day in days[part_name] for band in part["bands"]
            ]
        stack = data.reshape(len(days[part_name]), len(part["bands"]), 64, 64)
        assert stack.dtype == dtype
        assert np.isfinite(stack).all()
        assert (stack != 0).all()
    with rasterio.open(folder / f"sentinel2_scl/{name}.tif") as file:
        for classes, one in zip(file.read(), parts["sentinel2"]["dates"], strict=True):
            share = 100 * np.isin(classes, (8, 9, 10)).mean()
            assert one["cloud_pct"] == share <= 10
            assert one["missing_pct"] == 0 == (classes == 0).sum()


def _check_dates(
    folder: Path, name: str, parts: dict[str, Any], days: dict[str, list[date]]
) -> None:
    place = {"naip": ("naip", -1), "sentinel2": ("s2", -5), "sentinel1": ("s1", -5)}
    for part_name, (dates, word) in place.items():
        lines = (folder / f"dates/{dates}/{name}.txt").read_text().splitlines()
        assert lines == [one["product"] for one in parts[part_name]["dates"]]
        said = [line.split("_")[word][:8] for line in lines]
        assert said == [day.strftime("%Y%m%d") for day in days[part_name]]
    assert all(one["shift_m"] == [0.0, 0.0] for one in parts["sentinel2"]["dates"])
    for one in parts["sentinel1"]["dates"]:
        assert one["shift_m"] is None or max(map(abs, one["shift_m"])) <= 5
    passes = [one["group"] for one in parts["sentinel1"]["dates"]]
    assert sorted(passes) == ["ASCENDING"] * 2 + ["DESCENDING"] * 2


def places_there(folder: Path) -> dict[str, dict[str, Any]]:
    """The documents of the places that are finished."""
    return {path.stem: json.loads(path.read_bytes()) for path in (folder / "places").iterdir()}


def greens(folder: Path, name: str) -> tuple[Any, Any]:
    """The flight's green averaged to 10 m, (64, 64), and each date's B3, (16, 64, 64)."""
    picture = np.asarray(Image.open(folder / f"naip/{name}.png"))[..., 1]
    with rasterio.open(folder / f"sentinel2/{name}_stacked.tif") as file:
        stack = file.read().reshape(16, 10, 64, 64)
    return picture.reshape(64, 8, 64, 8).mean(axis=(1, 3)), stack[:, 1].astype(float)


def best_shift(one: Any, other: Any, reach: int = 2) -> tuple[int, int]:
    """By how many rows and columns a picture has to be moved to be most like another."""
    middle = one[reach:-reach, reach:-reach].ravel()
    size = len(one) - 2 * reach
    found = {
        (down, across): np.corrcoef(
            middle,
            other[
                reach + down : reach + down + size, reach + across : reach + across + size
            ].ravel(),
        )[0, 1]
        for down in range(-reach, reach + 1)
        for across in range(-reach, reach + 1)
    }
    return max(found, key=lambda shift: found[shift])
