"""Samples of an export for WebDataset: the rows of the version, and one request for each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collectors.shards import pack
from collectors.transport import SetupError, WrongUse
from filters.splits import Split
from flows.products.tables import to_arrow
from flows.samples.exported import open_export
from flows.samples.members import merged_ranges, read_members
from flows.samples.opening import open_samples
from tests.flows.crowded import make_crowded

if TYPE_CHECKING:
    from pathlib import Path

    from flows.samples.samples import Sample, Samples

IN_SHARD = 3


@pytest.fixture(scope="module")
def crowded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with up to 4 photos a chip."""
    root = tmp_path_factory.mktemp("crowded")
    make_crowded(built, root, photos=4)
    return root


def write_export(crowded: Path, samples: Samples, root: Path) -> None:
    """Writes samples as an export does: shards with chip and photos, and a row group for each."""
    store = samples.open_store()
    (root / "shards").mkdir(parents=True)
    (root / "tables").mkdir()
    rows: dict[str, list[pa.Table]] = {"chips": [], "pairs": [], "photos": []}
    schemas = {
        name: pq.read_schema(next((crowded / "manifests" / "v0001" / name).glob("*.parquet")))
        for name in rows
    }
    for start in range(0, len(samples), IN_SHARD):
        batch = list(samples.pick(range(start, min(start + IN_SHARD, len(samples)))))
        members = [member for one in batch for member in _members(one, store)]
        packed = pack(members, [])
        path = f"shards/part-{start:06d}.tar"
        (root / path).write_bytes(packed.data)
        at = packed.places
        chips, pairs, photos, places = [], [], [], []
        for one in batch:
            name = one.chip.chip_id
            chips.append(replace(one.chip, shard=path, offset=at[f"{name}.chip.tif"].offset))
            for number, taken in enumerate(one.photos):
                place = at[f"{name}.photo{number:02d}.jpg"]
                photos.append(replace(taken.photo, shard=path, offset=place.offset))
                pairs.append(taken.pair)
                places.append((path, place.offset))
        paired = to_arrow(pairs, schemas["pairs"])
        paired = paired.append_column("shard", pa.array([one for one, _ in places]))
        rows["pairs"].append(paired.append_column("offset", pa.array([one for _, one in places])))
        rows["chips"].append(to_arrow(chips, schemas["chips"]))
        rows["photos"].append(to_arrow(photos, schemas["photos"]))
    for name, tables in rows.items():
        with pq.ParquetWriter(root / "tables" / f"{name}-00000.parquet", tables[0].schema) as file:
            for table in tables:
                file.write_table(table)
    (root / "export.json").write_text(json.dumps({"form": "webdataset", "version": "v0001"}))


def _members(one: Sample, store: Any) -> list[tuple[str, bytes]]:
    chip, *photos = read_members(store, one.places)
    name = one.chip.chip_id
    return [
        (f"{name}.chip.tif", chip),
        *((f"{name}.photo{number:02d}.jpg", data) for number, data in enumerate(photos)),
    ]


def test_an_export_has_the_samples_of_its_version(crowded: Path, tmp_path: Path) -> None:
    """Rows are the version's but for the places, bytes are the same, and one range holds them."""
    samples = open_samples(str(crowded)).pick(range(8))
    write_export(crowded, samples, tmp_path / "export")
    found = open_export(str(tmp_path / "export"))
    assert len(found) == len(samples)
    assert max(len(one.photos) for one in samples) > 1
    for one, other in zip(found, samples, strict=True):
        assert [taken.pair for taken in one.photos] == [taken.pair for taken in other.photos]
        assert replace(one.chip, shard=None, offset=None) == replace(
            other.chip, shard=None, offset=None
        )
        assert len(merged_ranges(one.places, 4096)) == 1
        assert read_members(found.open_store(), one.places) == read_members(
            samples.open_store(), other.places
        )
    split = samples[0].photos[0].pair.split
    part = open_export(str(tmp_path / "export"), split=split, sensor=samples[0].chip.sensor)
    assert 0 < len(part) <= len(found)
    assert {taken.pair.split for one in part for taken in one.photos} == {split}
    assert {one.chip.sensor for one in part} == {samples[0].chip.sensor}


def test_a_sensor_that_an_export_has_not_is_refused(crowded: Path, tmp_path: Path) -> None:
    """As with a version, it is named together with what there is; no samples are no error."""
    samples = open_samples(str(crowded), sensor="naip").pick(range(4))
    write_export(crowded, samples, tmp_path / "export")
    with pytest.raises(WrongUse, match=r"export that has no sensor sentinel2\. It has naip\."):
        open_export(str(tmp_path / "export"), sensor="sentinel2")
    splits = {taken.pair.split for one in samples for taken in one.photos}
    missing = next(one for one in Split if one not in splits)
    assert len(open_export(str(tmp_path / "export"), sensor="naip", split=missing)) == 0


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    """A folder without a record, and an export of another form, are named as what they are."""
    with pytest.raises(SetupError, match=r"no finished export: it has no export\.json"):
        open_export(str(tmp_path))
    (tmp_path / "export.json").write_text(json.dumps({"form": "geotiff", "version": "v0001"}))
    with pytest.raises(SetupError, match="of the form geotiff"):
        open_export(str(tmp_path))
