"""`export geotiff`, held to rio-cogeo, rasterio and GDAL's GeoPackage driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.io
from rio_cogeo.cogeo import cog_validate

from filters.splits import Split
from flows.description.attributions import plain_line
from flows.exports.exporting import export_version
from flows.exports.geotiff_files import GeotiffFiles
from tests.flows.exported import SENSORS, Truth, check_record, keys, with_hostile_words

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def truth(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A version whose photos have titles that mean harm."""
    return Truth.of(with_hostile_words(built, tmp_path_factory.mktemp("gis") / "dataset"))


@pytest.fixture(scope="module")
def folder(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One split of it for a GIS. Not to be changed."""
    folder = tmp_path_factory.mktemp("gis") / "export"
    export_version(str(truth.root), str(folder), GeotiffFiles(), split=Split.VAL)
    check_record(folder)
    return folder


def test_every_chip_is_one_cloud_optimized_geotiff(truth: Truth, folder: Path) -> None:
    """Valid to the strict rules, with the version's pixels, grid, bands and overviews."""
    wanted = {pair["chip_id"] for pair in truth.chosen(split="val").values()}
    found = {path.stem: path for path in folder.glob("*/*/*.tif")}
    assert set(found) == wanted
    assert {path.relative_to(folder).parts[0] for path in found.values()} == set(SENSORS)
    for chip_id, path in found.items():
        chip = truth.chips[chip_id]
        assert path == folder / chip["sensor"] / chip["cell"] / f"{chip_id}.tif"
        assert cog_validate(path, strict=True) == (True, [], [])
        with (
            rasterio.open(path) as cog,
            rasterio.io.MemoryFile(truth.bytes_of(chip)) as file,
            file.open() as source,
        ):
            np.testing.assert_array_equal(cog.read(), source.read())
            assert (cog.crs, cog.transform, cog.nodata) == (
                source.crs, source.transform, source.nodata,
            )  # fmt: skip
            assert cog.descriptions == tuple(chip["bands"])
            assert cog.overviews(1) == [2]


def test_the_tags_say_what_and_whose(truth: Truth, folder: Path) -> None:
    """Scene, date and credit stand in the file, and numbers have their scale and unit."""
    for path in folder.glob("*/*/*.tif"):
        chip = truth.chips[path.stem]
        with rasterio.open(path) as cog:
            tags = cog.tags()
            assert (tags["SCENE_ID"], tags["CHIP_ID"]) == (chip["scene_id"], chip["chip_id"])
            assert tags["ACQUIRED_AT"] == chip["acquired_at"].isoformat()
            assert tags["TIFFTAG_DATETIME"] == f"{chip['acquired_at']:%Y:%m:%d %H:%M:%S}"
            assert tags["DATASET_VERSION"] == "v0001"
            year = chip["acquired_at"].year
            scales = dict(zip(cog.descriptions, cog.scales, strict=True))
            colours = dict(zip(cog.descriptions, (c.name for c in cog.colorinterp), strict=True))
            if chip["sensor"] == "sentinel2":
                copyright_line = f"Contains modified Copernicus Sentinel data {year}"
                assert scales["SCL"] == 1
                assert scales["B4"] == 0.0001
                assert colours["B4"] == "red"
            else:
                copyright_line = (
                    f"NAIP {year}: United States Department of Agriculture, public domain"
                )
                assert set(scales.values()) == {1}
                assert colours["R"] == "red"
            assert tags["TIFFTAG_COPYRIGHT"] == copyright_line


def test_overviews_of_classes_are_classes(truth: Truth, folder: Path) -> None:
    """The overview of the scene classification takes pixels; NAIP's is averaged."""
    seen = set()
    for path in folder.glob("*/*/*.tif"):
        with rasterio.open(path) as cog, rasterio.open(path, overview_level=0) as small:
            assert small.shape == (224, 224)
            whole, half = cog.read(), small.read()
            corners = np.stack([whole[:, r::2, c::2] for r in (0, 1) for c in (0, 1)])
            if truth.chips[path.stem]["sensor"] == "sentinel2":
                assert (half[None] == corners).any(axis=0).all()
            else:
                mean = corners.astype(float).mean(axis=0)
                assert np.abs(half - mean).max() <= 0.5
            seen.add(truth.chips[path.stem]["sensor"])
    assert seen == set(SENSORS)


def test_the_geopackage_has_a_point_for_each_pair(truth: Truth, folder: Path) -> None:
    """Points at the geotags, outlines of chips, paths that lead to files; words are text."""
    (package,) = folder.glob("*.gpkg")
    assert {name for name, _ in pyogrio.list_layers(package)} == {"photos", "chips"}
    points = pyogrio.read_dataframe(package, layer="photos")
    wanted = truth.chosen(split="val")
    assert keys(zip(points["chip_id"], points["photo_id"], strict=True)) == keys(wanted)
    for point in points.to_dict("records"):
        photo = truth.photos[point["photo_id"]]
        pair = wanted[point["chip_id"], point["photo_id"]]
        assert (point["geometry"].x, point["geometry"].y) == (photo["lon"], photo["lat"])
        assert (point["row"], point["col"]) == (pair["row"], pair["col"])
        assert (folder / point["path"]).read_bytes() == truth.bytes_of(photo)
        assert (folder / point["chip_path"]).is_file()
        assert point["title"] == plain_line(photo["title"])
        assert not any(ord(one) < 32 for one in point["title"])
    outlines = pyogrio.read_dataframe(package, layer="chips")
    assert outlines.crs == "EPSG:4326"
    boxes = {one["chip_id"]: one["geometry"] for one in outlines.to_dict("records")}
    assert sorted(boxes) == sorted({chip for chip, _ in wanted})
    for point in points.to_dict("records"):
        assert boxes[point["chip_id"]].contains(point["geometry"])
