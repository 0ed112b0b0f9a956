"""What a version says of itself: true, repeatable, and readable by the tools that it is for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import geoparquet_validator
import huggingface_hub
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from collectors.chip_files import decode_chip
from collectors.storage import open_store
from collectors.transport import SetupError
from filters.sampling import seeded_hash
from flows.cells.state import CellState, commit_cell
from flows.description.attributions import plain_line
from flows.description.band_statistics import Histogram, measure_bands
from flows.description.describe import describe_dataset
from flows.products.versions import read_version
from flows.publishing.publish import publish
from flows.verification.verification import verify_dataset
from tests.flows.product_rows import CATALOGUE
from tests.flows.product_rows import photo as kept_photo

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "manifests/v0001"


def linked(root: Path, target: Path) -> Path:
    """Returns a copy of a dataset that shares the bytes of its files: replace them, never write."""
    return shutil.copytree(root, target, copy_function=os.link)


def rewrite(path: Path, data: bytes) -> None:
    """Puts another content under a path of a copy."""
    path.unlink()
    path.write_bytes(data)


def rows(root: Path, product: str) -> list[dict[str, Any]]:
    """Reads a table of the first version."""
    return [row for file in sorted((root / VERSION / product).glob("*.parquet"))
            for row in pq.read_table(file).to_pylist()]  # fmt: skip


def broken(root: Path) -> list[str]:
    """Returns what breaks the promise about descriptions."""
    (found,) = (one for one in verify_dataset(str(root)) if one.name == "descriptions")
    return found.offenders


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlcroissant_finds_no_fault_and_loads_every_record(built: Path) -> None:
    """All it misses is a date of publication; a pair comes out of it as it stands in the table."""
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=built / VERSION / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert [one.split('"')[1] for one in issues.warnings] == ["https://schema.org/datePublished"]
    loaded = {name: list(dataset.records(name)) for name in ("photos", "chips", "pairs", "rejects")}
    for name, records in loaded.items():
        assert len(records) == len(rows(built, name)) > 0
    wanted = {(one["photo_id"].encode(), one["chip_id"].encode()): one["row"]
              for one in rows(built, "pairs")}  # fmt: skip
    assert wanted == {(one["pairs/photo_id"], one["pairs/chip_id"]): one["pairs/row"]
                      for one in loaded["pairs"]}  # fmt: skip
    kept = {one["shard"].encode() for one in rows(built, "chips") if one["sensor"] == "naip"
            and one["shard"]}  # fmt: skip
    assert {one["chips-naip/shard"] for one in dataset.records("chips-naip")} == kept


def test_croissant_says_what_geocroissant_asks_for(built: Path) -> None:
    """Extent, dates, resolution, reference system, bands, wavelengths, and what it is not for."""
    found = json.loads((built / VERSION / "croissant.json").read_bytes())
    photos = rows(built, "photos")
    box = found["spatialCoverage"]["geo"]["box"].split()
    assert [float(one) for one in box] == [
        min(one["lat"] for one in photos), min(one["lon"] for one in photos),
        max(one["lat"] for one in photos), max(one["lon"] for one in photos),
    ]  # fmt: skip
    taken = sorted(one["taken_at"].date().isoformat() for one in photos)
    assert found["temporalCoverage"] == f"{taken[0]}/{taken[-1]}"
    assert found["geocr:coordinateReferenceSystem"] == "OGC:CRS84"
    resolution = found["geocr:spatialResolution"]
    assert (resolution["minValue"], resolution["maxValue"]) == (1.0, 10.0)
    assert "http://mlcommons.org/croissant/geo/1.0" in found["conformsTo"]
    (sentinel,) = (one for one in found["recordSet"] if one["@id"] == "chips-sentinel2")
    (shard,) = (one for one in sentinel["field"] if "geocr:bandConfiguration" in one)
    names = shard["geocr:bandConfiguration"]["geocr:bandNameList"]
    assert names == next(one["bands"] for one in rows(built, "chips")
                         if one["sensor"] == "sentinel2" and one["shard"])  # fmt: skip
    red = next(one for one in shard["geocr:spectralBandMetadata"] if one["name"] == "B4")
    assert red["geocr:centerWavelength"]["value"] == pytest.approx(665, abs=1)
    assert any("identify people" in one for one in found["rai:dataUseCases"])
    files = {one["contentUrl"]: one for one in found["distribution"] if "contentUrl" in one}
    assert all(
        hashlib.sha256((built / VERSION / path).read_bytes()).hexdigest() == one["sha256"]
        and one["contentSize"] == f"{(built / VERSION / path).stat().st_size} B"
        for path, one in files.items()
    )


def test_the_card_has_the_front_matter_of_the_hub(built: Path) -> None:
    """huggingface_hub reads it; its files of data are there, and hold every row of each product."""
    card = huggingface_hub.DatasetCard.load(built / VERSION / "README.md")
    data = card.data.to_dict()
    assert (data["license"], data["license_link"]) == ("other", "LICENSE.md")
    assert data["size_categories"] == ["n<1K"]
    assert {"sentinel2", "naip"} <= set(data["tags"])
    assert data["task_categories"]
    for config in data["configs"]:
        product = config["config_name"]
        files = list((built / VERSION).glob(config["data_files"]))
        assert sum(pq.read_metadata(file).num_rows for file in files) == len(rows(built, product))
    named = {word for word in card.text.split("`") if word.endswith((".md", ".json", "/"))}
    assert len(named) >= 6
    assert all((built / VERSION / one).exists() for one in named - {"shards/"})


def test_a_photo_can_be_looked_up_in_the_summaries(built: Path) -> None:
    """Licences are counted as the table has them, and the datasheet states all reasons."""
    licences = Counter(one["licence"] for one in rows(built, "photos"))
    text = (built / VERSION / "LICENSE.md").read_text(encoding="utf-8")
    for code, count in licences.items():
        assert f"| {code} | {count} |" in text
    datasheet = (built / VERSION / "DATASHEET.md").read_text(encoding="utf-8")
    reasons = Counter((one["stage"], one["reason"]) for one in rows(built, "rejects"))
    for (stage, reason), count in reasons.items():
        assert f"| {stage} | {reason} | {count:,} |" in datasheet
    for word in ("faces", "Homes", "Children", "removed", "terrapair forget"):
        assert word in datasheet


def test_pystac_reads_every_chip_and_its_bytes_are_where_it_says(built: Path) -> None:
    """Items keep to STAC's schema; range and name in the tar both lead to the chip's own file."""
    import pystac
    from pystac.extensions.projection import ProjectionExtension
    from pystac.validation.stac_validator import JsonSchemaSTACValidator
    from stac_geoparquet.arrow import stac_table_to_items

    validator = JsonSchemaSTACValidator()
    by_id = {one["chip_id"]: one for one in rows(built, "chips") if one["shard"]}
    catalog = pystac.Catalog.from_file(str(built / VERSION / "stac/catalog.json"))
    seen = set()
    for collection in catalog.get_children():
        document = collection.to_dict(transform_hrefs=False)
        validator.validate_core(document, pystac.STACObjectType.COLLECTION, "1.1.0")
        folder = (built / VERSION / "stac" / collection.id.removeprefix("terrapair-")).resolve()
        mirror = collection.assets["items-00000"]
        data = (folder / mirror.href).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        assert mirror.extra_fields["file:checksum"] == f"1220{digest}"
        items = list(stac_table_to_items(pq.read_table(folder / mirror.href)))
        for number, document in enumerate(items):
            validator.validate_core(document, pystac.STACObjectType.ITEM, "1.1.0")
            item = pystac.Item.from_dict(document)
            row = by_id[item.id]
            seen.add(item.id)
            projection = ProjectionExtension.ext(item)
            assert (projection.code, projection.transform) == (row["crs"], row["transform"])
            assert item.datetime == row["acquired_at"]
            asset = item.assets["chip"]
            (inside,) = asset.extra_fields["archive"]
            tar = (folder / asset.href).resolve()
            first, last = inside["range"]
            content = tar.read_bytes()[first : last + 1]
            assert inside["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
            assert row["sha256"] == inside["file:checksum"].removeprefix("1220")
            if not number:
                with rasterio.open(f"/vsitar/{tar}/{inside['href']}") as chip:
                    assert list(chip.transform)[:6] == row["transform"]
                    assert list(chip.descriptions) == [one["name"] for one in
                                                       asset.to_dict()["bands"]]  # fmt: skip
    assert seen == by_id.keys()


def test_a_validator_of_its_own_finds_the_tables_to_be_geoparquet(built: Path) -> None:
    """Tables with a geometry, and the STAC items, keep to GeoParquet 1.1, covering included."""
    files = [file for folder in ("photos", "chips", "rejects", "stac/naip", "stac/sentinel2")
             for file in (built / VERSION / folder).glob("*.parquet")]  # fmt: skip
    assert len(files) == 5
    for file in files:
        report = geoparquet_validator.check(str(file))
        assert report["version"] == "1.1.0"
        assert not geoparquet_validator.failed(report)
        assert any(one["id"].startswith("/conf/covering/") and one["status"] == "pass"
                   for one in report["outcomes"])  # fmt: skip


def test_band_statistics_are_those_of_the_pixels(built: Path) -> None:
    """Of all NAIP chips, worked out by NumPy from all pixels at once."""
    stated = json.loads((built / VERSION / "statistics.json").read_bytes())["sensors"]["naip"]
    store = open_store(str(built), writable=False)
    kept = [one for one in rows(built, "chips") if one["sensor"] == "naip" and one["shard"]]
    chips = [decode_chip(store.read_range(one["shard"], one["offset"], one["size"])).pixels
             for one in kept]  # fmt: skip
    assert stated["chips_read"] == stated["chips_with_pixels"] == len(chips)
    red = np.concatenate([one.data[one.bands.index("R")][one.valid] for one in chips])
    found = stated["bands"]["R"]
    assert (found["count"], found["minimum"], found["maximum"]) == (red.size, red.min(), red.max())
    assert found["mean"] == pytest.approx(red.mean(), rel=1e-12)
    assert found["std"] == pytest.approx(red.std(), rel=1e-9)
    for percent, value in found["percentiles"].items():
        assert value == np.percentile(red, float(percent), method="inverted_cdf")


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_a_histogram_gives_exact_figures(values: list[int]) -> None:
    """Whatever the numbers, as NumPy has them, and in whatever parts they come."""
    array = np.array(values, dtype=np.uint8)
    whole, parts = Histogram.empty(array.dtype), Histogram.empty(array.dtype)
    whole.add(array)
    for one in reversed(values):
        parts.add(np.array([one], dtype=np.uint8))
    found = whole.summary()
    assert found == parts.summary()
    assert found["mean"] == pytest.approx(array.mean())
    assert found["std"] == pytest.approx(array.std(), abs=1e-12)
    for percent, value in found["percentiles"].items():
        assert value == np.percentile(array, float(percent), method="inverted_cdf")


def test_a_sample_of_chips_is_that_of_smallest_hash(built: Path) -> None:
    """Where there are more chips than are read, it is said how many were, and of how many."""
    store = open_store(str(built), writable=False)
    version = read_version(store)
    assert version is not None
    kept = [one for one in rows(built, "chips") if one["sensor"] == "sentinel2" and one["shard"]]
    chosen = sorted(kept, key=lambda one: seeded_hash(5, one["chip_id"]))[:3]
    found = measure_bands(store, version, sample=3)["sentinel2"]
    assert (found["chips_read"], found["chips_with_pixels"]) == (3, len(kept))
    chips = [decode_chip(store.read_range(one["shard"], one["offset"], one["size"])).pixels
             for one in chosen]  # fmt: skip
    blue = np.concatenate([one.data[1][one.valid] for one in chips])
    assert found["bands"]["B2"]["mean"] == pytest.approx(blue.mean(), rel=1e-12)
    assert sum(found["classes"]["SCL"].values()) == 3 * 448 * 448


def test_every_photo_has_its_line_of_credit(built: Path) -> None:
    """The line of the table, the page, and the id in front of both."""
    lines = (built / VERSION / "attribution/part-00000.txt").read_text("utf-8").split("\n")
    assert lines.pop() == ""
    photos = rows(built, "photos")
    assert len(lines) == len(photos)
    for line, photo in zip(lines, photos, strict=True):
        assert line.startswith(f"{photo['photo_id']}  ")
        assert line.endswith(f"  {photo['page_url']}")


def test_hostile_text_stays_one_line_of_text() -> None:
    """Ends of lines, terminal codes and turned directions become escapes; emoji stay whole."""
    assert plain_line("a\nb\r\x1b[31m\u202ec\u2028d\ufeff") == (
        "a\\nb\\r\\x1b[31m\\u202ec\\u2028d\\ufeff"
    )
    assert plain_line("👨\u200d👩\u200d👧 Übersee “x” <b>") == "👨\u200d👩\u200d👧 Übersee “x” <b>"


def test_descriptions_are_the_same_bytes_again(built: Path, tmp_path: Path) -> None:
    """Made anew elsewhere they do not differ from those that the build wrote."""
    where, paths = describe_dataset(str(built), output=str(tmp_path / "again"))
    assert len(paths) == 11
    for path in paths:
        assert (tmp_path / "again" / path).read_bytes() == (built / VERSION / path).read_bytes()
    assert where == str(tmp_path / "again")


def test_a_version_of_an_older_release_can_be_described(built: Path, tmp_path: Path) -> None:
    """It is whole without descriptions; those made later are the same, and replace nobody's."""
    root = linked(built, tmp_path / "old")
    manifest = root / VERSION / "manifest.json"
    said = json.loads(manifest.read_bytes())
    named = said.pop("descriptions")
    rewrite(manifest, json.dumps(said).encode())
    for one in named:
        (root / one["path"]).unlink()
    assert broken(root) == []
    describe_dataset(str(root))
    assert all(
        hashlib.sha256((root / one["path"]).read_bytes()).hexdigest() == one["sha256"]
        for one in named
    )
    rewrite(root / VERSION / "LICENSE.md", b"mine")
    with pytest.raises(SetupError, match="another content"):
        describe_dataset(str(root))
    assert (root / VERSION / "LICENSE.md").read_bytes() == b"mine"


def test_verify_names_a_description_that_is_not_true(built: Path, tmp_path: Path) -> None:
    """A changed byte, a file that is gone, and files that are whole but say something else."""
    root = linked(built, tmp_path / "dataset")
    folder = root / VERSION
    rewrite(folder / "DATASHEET.md", b"all is well\n")
    (folder / "statistics.json").unlink()
    manifest = json.loads((folder / "manifest.json").read_bytes())

    def replaced(name: str, data: bytes) -> None:
        rewrite(folder / name, data)
        (one,) = (one for one in manifest["descriptions"] if one["path"].endswith(name))
        one |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    lines = (folder / "attribution/part-00000.txt").read_bytes()
    replaced("attribution/part-00000.txt", lines.split(b"\n", 1)[1])
    replaced("LICENSE.md", b"| CC-BY-2.0 | 0 |\n")
    croissant = json.loads((folder / "croissant.json").read_bytes())
    table = next(one for one in croissant["distribution"]
                 if one.get("contentUrl") == "pairs/part-00000.parquet")  # fmt: skip
    table["sha256"] = "0" * 64
    replaced("croissant.json", json.dumps(croissant).encode())
    rewrite(folder / "manifest.json", json.dumps(manifest).encode())
    (found,) = (one for one in verify_dataset(str(root)) if one.name == "descriptions")
    said = "\n".join(found.offenders)
    for word in ("DATASHEET.md: its content", "statistics.json is missing", "lines of attribution",
                 "croissant.json says", "LICENSE.md does not count"):  # fmt: skip
        assert word in said
    licences = {one["licence"] for one in rows(root, "photos")}
    assert found.broken == 4 + len(licences)


def test_a_publisher_leaves_the_descriptions_of_another_alone(tmp_path: Path) -> None:
    """It gives the number up, and publishes under the next one."""
    store = open_store(str(tmp_path / "d"))
    commit_cell(
        store, CellState("r118c055", 1, photos=(kept_photo("1", "r118c055"),)), CATALOGUE, 0
    )
    store.create("manifests/v0001/LICENSE.md", b"theirs")
    version, new = publish(store, CATALOGUE, 0)
    assert version is not None
    assert (version.name, new) == ("v0002", True)
    assert store.read("manifests/v0001/LICENSE.md") == b"theirs"
    assert {one["path"].split("/")[1] for one in version.manifest["descriptions"]} == {"v0002"}
