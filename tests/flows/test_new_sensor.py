"""A sensor that is one block: Landsat 8 and 9, as the page on new sensors has it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from typer.testing import CliRunner

from collectors.chip_files import decode_chip
from collectors.sensors import QA_PIXEL_BAND
from flows.catalogue.catalogue import load_catalogue
from flows.catalogue.text import CatalogueError
from flows.command_line import app
from flows.exports.cloud_optimized import cloud_optimized
from flows.exports.true_colour import true_colour
from flows.samples.opening import open_samples
from flows.training.chip_dataset import ChipDataset
from flows.verification.verification import verify_dataset
from tests.flows.runs import SHIPPED, small_catalogue
from tests.landsat import LANDSAT, PAGE, landsat_block

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

SMALL = landsat_block() | {"size_px": 160, "area_px": 80, "scene_cloud_limit_pct": 40}
NDVI = {
    "sensor": "landsat", "kind": "normalised_difference", "title": "NDVI", "zero": 7273,
    "bands": ["SR_B5", "SR_B4"], "range": [-1, 1], "colours": ["red", "green"], "shows": "Plants.",
}  # fmt: skip


def catalogue_of(path: Path, *sensors: str, box: list[float], **changes: Any) -> Path:
    """Writes a catalogue of one region and these sensors, with small chips."""

    def change(document: Any) -> None:
        sources = document["sources"]
        sources["landsat"] = SMALL | changes
        sources["sentinel2"] |= {"size_px": 160, "area_px": 80, "bands": ["B2", "B3", "B4", "B8"]}
        for name in {"sentinel2", "naip", "landsat"} - {*sensors}:
            del sources[name]
        document["renderings"] = {"landsat-ndvi": NDVI} if "landsat" in sensors else {}
        document["series"] = {}
        document["regions"] = {"here": {"box": box}}

    return small_catalogue(path, change, quota=8)


def tables(root: Path, version: str = "v0001") -> tuple[pd.DataFrame, ...]:
    """Returns chips, photos and pairs of a version."""
    folder = root / "manifests" / version
    return tuple(pd.read_parquet(folder / name) for name in ("chips", "photos", "pairs"))


def broken(root: Path) -> dict[str, list[str]]:
    """Returns the invariants that are broken, with their first offenders."""
    return {one.name: one.offenders for one in verify_dataset(str(root)) if one.broken}


@pytest.fixture(scope="module")
def landsat(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset of Sentinel-2, then of both: its root, and the later catalogue."""
    folder = tmp_path_factory.mktemp("landsat")
    box = [-122.3, 37.3, -121.8, 37.7]
    first = catalogue_of(folder / "first.yaml", "sentinel2", box=box)
    both = catalogue_of(folder / "both.yaml", "sentinel2", "landsat", box=box)
    root = folder / "dataset"
    run.build(root, catalogue=first, cells=1, regions=("here",))
    run.build(root, catalogue=both, cells=1, regions=("here",), accept_changed_rules=True)
    return root, both


def test_a_sensor_comes_to_a_dataset_that_is_there(landsat: tuple[Path, Path]) -> None:
    """Photos from before get pairs with it, every promise holds, and the version says how."""
    root, _ = landsat
    before, after = tables(root), tables(root, "v0002")
    assert set(before[0].sensor) == {"sentinel2"}
    assert set(after[0].sensor) == {"sentinel2", "landsat"}
    assert broken(root) == {}
    old = set(before[1].photo_id)
    assert old & set(after[2][after[2].sensor == "landsat"].photo_id)
    kept = after[0][(after[0].sensor == "landsat") & (after[0].outcome == "kept")]
    assert {tuple(bands) for bands in kept.bands} == {(*LANDSAT.bands, QA_PIXEL_BAND)}
    assert kept.cloud_chip_pct.between(0, 1).all()
    assert kept.shadow_pct.notna().all()
    corners = {(one[2] % 30, one[5] % 30) for one in kept["transform"]}
    assert corners == {(15, 15)}
    said = json.loads((root / "manifests" / "v0002" / "manifest.json").read_text())["sensors"]
    assert said["landsat"]["collection"] == list(LANDSAT.collections)
    assert not {"lattice_offset_m", "zone_from_grid"} & said["sentinel2"].keys()


def test_landsat_alone_south_of_the_equator(run: Run, tmp_path: Path) -> None:
    """Chips are in the northern zone with a negative y, and hold their photos."""
    path = catalogue_of(tmp_path / "south.yaml", "landsat", box=[150.5, -34.2, 151.4, -33.4])
    root = tmp_path / "d"
    run.build(root, catalogue=path, cells=1, regions=("here",))
    chips, photos, pairs = tables(root)
    kept = chips[chips.outcome == "kept"]
    assert len(kept) > 0
    assert set(kept.crs) == {"EPSG:32656"}
    assert kept.chip_id.str.startswith("landsat_56N_").all()
    assert all(one[5] < 0 for one in kept["transform"])
    assert set(pairs.photo_id) <= set(photos.photo_id)
    assert broken(root) == {}


def test_readers_pictures_and_descriptions_take_it(
    landsat: tuple[Path, Path], tmp_path: Path
) -> None:
    """Tensors without the bits, the bits as mask; pictures, a report and STAC by its scale."""
    root, catalogue = landsat
    samples = open_samples(str(root), sensor="landsat")
    item = ChipDataset(samples, photos=False, dtype=None)[0]
    assert item["bands"] == LANDSAT.bands
    assert (item["image"].dtype, item["mask"].dtype) == (torch.uint16, torch.uint16)
    assert {int(one) for one in item["mask"].unique().to(torch.int64)} <= {
        21824, 21952, 21762, 21890, 22280, 23888, 24016, 23826, 23954, 54596, 30048,
    }  # fmt: skip
    done = CliRunner().invoke(
        app, ["render", "--root", str(root), "--output", str(tmp_path / "p"), "--catalog",
              str(catalogue), "--limit", "1"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    recipe = json.loads(next((tmp_path / "p").rglob("render.json")).read_text(encoding="utf-8"))
    assert "7273" in json.dumps(recipe)
    done = CliRunner().invoke(app, ["report", "--root", str(root), "--output", str(tmp_path / "r")])
    assert done.exit_code == 0, done.output
    stac = json.loads(
        (root / "manifests" / "v0002" / "stac" / "landsat" / "collection.json").read_text()
    )
    assert "LANDSAT/LC08/C02/T1_L2 and LANDSAT/LC09/C02/T1_L2" in stac["description"]
    bands = {one["name"]: one for one in stac["summaries"]["bands"]}
    assert (bands["SR_B5"]["raster:scale"], bands["SR_B5"]["raster:offset"]) == (2.75e-05, -0.2)
    assert "raster:scale" not in bands[QA_PIXEL_BAND]
    card = (root / "manifests" / "v0002" / "README.md").read_text(encoding="utf-8")
    assert "reflectance = number × 2.75e-05 -0.2" in card


@pytest.mark.parametrize("form", ["geotiff", "webdataset", "huggingface"])
def test_exports_take_it(landsat: tuple[Path, Path], tmp_path: Path, form: str) -> None:
    """Each form is written."""
    done = CliRunner().invoke(
        app, ["export", form, "--root", str(landsat[0]), "--output", str(tmp_path / "e"),
              "--sensor", "landsat"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for path in (tmp_path / "e").rglob("*.tif"):
        with rasterio.open(path) as file:
            assert file.tags()["COLLECTION"] in LANDSAT.collections
            assert file.tags()["SCENE_ID"].startswith(file.tags()["COLLECTION"])
            assert (file.scales[0], file.offsets[0]) == (2.75e-05, -0.2)
            assert (file.scales[-1], file.offsets[-1]) == (1.0, 0.0)


def test_pictures_in_true_colour_go_by_reflectance(landsat: tuple[Path, Path]) -> None:
    """A reflectance of 0 or less is black, 0.3 and more is full, one half of that is in between."""
    chips, *_ = tables(landsat[0], "v0002")
    row = chips[(chips.sensor == "landsat") & (chips.outcome == "kept")].iloc[0]
    with (landsat[0] / row.shard).open("rb") as file:
        file.seek(row.offset)
        data = file.read(row["size"])
    chip = decode_chip(data)
    picture = true_colour(data, chip.bands)
    red = chip.data[chip.bands.index("SR_B4")].astype(np.float64) * 0.0000275 - 0.2
    expected = np.clip(red / 0.3, 0, 1) * 255
    assert np.abs(picture[..., 0] - expected).max() < 0.6
    with rasterio.MemoryFile(cloud_optimized(data, {}, scale=2.0, offset=-1.0)) as file:  # noqa: SIM117
        with file.open() as source:
            assert source.colorinterp[3] == rasterio.enums.ColorInterp.red
            assert source.offsets[0] == -1.0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"collection": []}, "collection is Earth Engine's id of one, or a list of such ids"),
        ({"collection": ["A", "A"]}, "collection names one of them twice"),
        ({"collection": 7}, "collection is Earth Engine's id"),
        ({"lattice_offset_m": 30}, "lattice_offset_m must be less than scale_m"),
        ({"zone_property": "MGRS_TILE"}, "zone_from_grid is for scenes without a zone_property"),
        ({"quality": "all_zero"}, "needs `quality: scl`, `qa_pixel`"),
        ({"latice_offset_m": 15}, "did you mean `lattice_offset_m`?"),
    ],
)
def test_a_block_that_cannot_be_right_is_refused(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    """With its line, before anything is asked for."""
    path = catalogue_of(tmp_path / "c.yaml", "landsat", box=[0, 0, 1, 1], **changes)
    with pytest.raises(CatalogueError, match=r"line \d+") as caught:
        load_catalogue(path)
    assert complaint in str(caught.value)


def test_a_single_collection_in_a_list_is_that_collection(tmp_path: Path) -> None:
    """So that no version differs by how it was written."""
    one = catalogue_of(tmp_path / "c.yaml", "landsat", box=[0, 0, 1, 1], collection=["X/Y"])
    assert load_catalogue(one).sensors["landsat"].collection == "X/Y"
    assert load_catalogue(one).sensors["landsat"].since == date(2013, 3, 18)


def test_catalogues_from_before_judge_as_they_did() -> None:
    """The checksum of the shipped rules, which all commits bear, is that of before these keys."""
    values = load_catalogue(SHIPPED).sources["sentinel2"].model_dump(mode="json")
    assert not {"lattice_offset_m", "zone_from_grid"} & values.keys()
    assert isinstance(values["collection"], str)


def test_the_page_says_what_is_said() -> None:
    """Its table of errors has the words of the messages."""
    page = PAGE.read_text(encoding="utf-8")
    for words in ("no scene's pixels lie under its chips", "there is no such key; did you mean",
                  "this cell was built by other rules than the catalogue's"):  # fmt: skip
        assert words in page
