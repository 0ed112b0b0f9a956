"""`export huggingface`, read by `datasets`, GeoPandas and the GeoParquet validator."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import geopandas
import geoparquet_validator
import huggingface_hub
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from flows.exports.exporting import export_version
from flows.exports.huggingface_tables import HuggingfaceTables
from tests.flows.exported import Truth, check_record, keys, with_hostile_words

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def truth(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A version whose photos have titles that mean harm."""
    return Truth.of(with_hostile_words(built, tmp_path_factory.mktemp("hub") / "dataset"))


@pytest.fixture(scope="module")
def folder(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole version for the hub. Not to be changed."""
    folder = tmp_path_factory.mktemp("hub") / "export"
    export_version(str(truth.root), str(folder), HuggingfaceTables(10_000_000))
    check_record(folder)
    return folder


def opened(folder: Path, cache: Path, sensor: str) -> Any:
    """Opens a sensor by `datasets`, as its card says, without a network; rows are streamed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_DATASETS_OFFLINE", "1")
        patched.setenv("HF_HUB_OFFLINE", "1")
        patched.setenv("HF_HOME", str(cache))
        import datasets

        return datasets.load_dataset(str(folder), sensor, streaming=True, cache_dir=str(cache))


def test_datasets_reads_every_pair_once(truth: Truth, folder: Path, tmp_path: Path) -> None:
    """By sensor and split, with images decoded, bytes of the version, pixels and words."""
    found = []
    for sensor in ("naip", "sentinel2"):
        for split, rows in opened(folder, tmp_path, sensor).items():
            for row in rows:
                chip = truth.chips[row["chip_id"]]
                assert (row["sensor"], row["transform"]) == (sensor, chip["transform"])
                assert row["chip"] == truth.bytes_of(chip)
                assert row["acquired_at"] == chip["acquired_at"]
                shares = [(one["class"], one["percent"]) for one in row["cover"] or []]
                assert shares == (chip["cover"] or [])
                assert bool(shares) == (sensor == "sentinel2")
                assert (row["thumbnail"].format, row["thumbnail"].size) == ("JPEG", (448, 448))
                for photo in row["photos"]:
                    key = (row["chip_id"], photo["photo_id"])
                    found.append(key)
                    pair, taken = truth.pairs[key], truth.photos[photo["photo_id"]]
                    assert pair["split"] == {"validation": "val"}.get(split, split)
                    assert (photo["row"], photo["col"]) == (pair["row"], pair["col"])
                    assert photo["title"] == taken["title"]
                    with Image.open(BytesIO(truth.bytes_of(taken))) as own:
                        np.testing.assert_array_equal(
                            np.asarray(photo["image"]), np.asarray(own.convert("RGB"))
                        )
    assert keys(found) == keys(truth.pairs)


def test_datasets_reads_a_plain_file(folder: Path) -> None:
    """The schema alone says what is an image, so that a file without its card loads as well."""
    import datasets

    path = next(folder.glob("naip/*.parquet"))
    features = datasets.Features.from_arrow_schema(pq.read_schema(path))
    assert features["thumbnail"] == datasets.Image()
    assert features["photos"].feature["image"] == datasets.Image()
    assert features["chip"] == datasets.Value("binary")
    assert features.arrow_schema.equals(pq.read_schema(path), check_metadata=False)


def test_the_geometry_is_geoparquet(truth: Truth, folder: Path) -> None:
    """Valid to the specification's own tests, and GeoPandas reads the outlines of the chips."""
    for path in folder.glob("*/*.parquet"):
        report = geoparquet_validator.check(str(path))
        assert report["version"] == "1.1.0"
        assert not geoparquet_validator.failed(report)
        table = geopandas.read_parquet(path, columns=["chip_id", "geometry"])
        for chip_id, shape in zip(table["chip_id"], table["geometry"], strict=True):
            west, south, east, north = shape.bounds
            chip = truth.chips[chip_id]["bbox"]
            assert (west, south, east, north) == (
                chip["xmin"], chip["ymin"], chip["xmax"], chip["ymax"],
            )  # fmt: skip


def test_the_card_is_the_hubs_and_has_no_owners_words(truth: Truth, folder: Path) -> None:
    """Its front matter names the files of each split; titles stand in the tables alone."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    card = huggingface_hub.DatasetCard(text).data.to_dict()
    named = {
        (config["config_name"], one["split"]): sorted(folder.glob(one["path"]))
        for config in card["configs"] for one in config["data_files"]
    }  # fmt: skip
    files = sorted(path for paths in named.values() for path in paths)
    assert files == sorted(folder.glob("*/*.parquet"))
    assert all(named.values())
    for photo in truth.photos.values():
        assert photo["title"] not in text
    assert json.loads((folder / "export.json").read_text())["form"] == "huggingface"
