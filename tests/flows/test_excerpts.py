"""Smaller forms of a version: a sample that is a dataset, and an index without a photo's bytes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import geoparquet_validator
import huggingface_hub
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from collectors.shards import pack, write_shard
from collectors.storage import open_store
from collectors.transport import SetupError
from flows.cells.state import CellState, commit_cell
from flows.command_line import app
from flows.excerpts.index_only import write_index
from flows.excerpts.sample import sample_dataset
from flows.publishing.publish import publish
from flows.verification.verification import verify_dataset
from tests.flows.product_rows import CATALOGUE, chip, pair, photo
from tests.flows.test_description import VERSION, rows

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = 24


@pytest.fixture(scope="module")
def sampled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of the shared dataset. Not to be changed."""
    root = tmp_path_factory.mktemp("sampled") / "sample"
    sample_dataset(str(built), str(root), pairs=PAIRS)
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Reads every file of a folder."""
    return {str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*") if path.is_file()}  # fmt: skip


def test_a_sample_keeps_every_promise(sampled: Path) -> None:
    """Verifying finds nothing, and has something to look at for each promise."""
    for found in verify_dataset(str(sampled)):
        assert (found.name, found.offenders) == (found.name, [])
        assert found.checked


def test_a_sample_is_even_over_the_cells_and_of_the_size_asked_for(
    built: Path, sampled: Path
) -> None:
    """Cells give as many photos as one another or all they have; a photo brings all its pairs."""
    photos = rows(sampled, "photos")
    assert {one["cell"] for one in photos} == {one["cell"] for one in rows(built, "pairs")}
    by_cell = Counter(one["cell"] for one in photos)
    available = Counter(cell for cell, _ in {(one["cell"], one["photo_id"])
                                             for one in rows(built, "pairs")})  # fmt: skip
    most = max(by_cell.values())
    assert all(count >= most - 1 or count == available[cell] for cell, count in by_cell.items())
    assert len({count for cell, count in available.items() if count > most}) > 1
    pairs = rows(sampled, "pairs")
    assert abs(len(pairs) - PAIRS) <= PAIRS // 4
    drawn = {one["photo_id"] for one in photos}
    assert pairs == [one for one in rows(built, "pairs") if one["photo_id"] in drawn]
    assert 0 < len(rows(sampled, "rejects")) < len(rows(built, "rejects"))


def test_rows_of_a_sample_say_what_they_said(built: Path, sampled: Path) -> None:
    """But for where the bytes lie, and how many of a chip's photos there are."""

    def plain(root: Path, product: str, key: str, moved: set[str]) -> dict[str, Any]:
        return {one[key]: {name: value for name, value in one.items() if name not in moved}
                for one in rows(root, product)}  # fmt: skip

    for product, key, moved in (("photos", "photo_id", {"shard", "offset"}),
                                ("rejects", "photo_id", set()),
                                ("chips", "chip_id", {"shard", "offset", "photos"})):  # fmt: skip
        whole = plain(built, product, key, moved)
        for name, row in plain(sampled, product, key, moved).items():
            assert row == whole[name]
    pairs = Counter(one["chip_id"] for one in rows(sampled, "pairs"))
    for row in rows(sampled, "chips"):
        assert row["photos"] == pairs[row["chip_id"]]


def test_a_chip_says_how_many_of_its_photos_are_in_the_sample(tmp_path: Path) -> None:
    """Of two photos in one chip, one is drawn."""
    cell, store = "r118c055", open_store(str(tmp_path / "whole"))
    packed = pack([("1.jpg", b"one"), ("2.jpg", b"two"), ("c.tif", b"chip")], [])
    path = write_shard(store, cell, packed)
    at = {name: {"shard": path, "offset": place.offset, "size": place.size, "sha256": place.sha256}
          for name, place in packed.places.items()}  # fmt: skip
    state = CellState(
        cell, 1, photos=(photo("1", cell, **at["1.jpg"]), photo("2", cell, **at["2.jpg"])),
        chips=(replace(chip("c", cell, 2), **at["c.tif"]),),
        pairs=(pair("1", "c", cell), pair("2", "c", cell)), shards=(path,),
    )  # fmt: skip
    assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    sample_dataset(str(tmp_path / "whole"), str(tmp_path / "part"), pairs=1)
    assert [one["photos"] for one in rows(tmp_path / "whole", "chips")] == [2]
    assert [one["photos"] for one in rows(tmp_path / "part", "chips")] == [1]


def test_a_sample_is_the_same_bytes_again_and_refuses_another(
    built: Path, sampled: Path, tmp_path: Path
) -> None:
    """Begun again it ends the same; a dataset, or another sample, is not mixed with it."""
    before = contents(sampled)
    sample_dataset(str(built), str(sampled), pairs=PAIRS)
    assert contents(sampled) == before
    with pytest.raises(SetupError, match="another sample"):
        sample_dataset(str(built), str(sampled), pairs=PAIRS + 10)
    assert contents(sampled) == before
    (tmp_path / "cells/r000c000").mkdir(parents=True)
    (tmp_path / "cells/r000c000/000001.json").write_bytes(b"{}")
    with pytest.raises(SetupError, match="holds other files"):
        sample_dataset(str(built), str(tmp_path), pairs=PAIRS)
    assert not (tmp_path / "dataset.json").exists()


def test_an_index_has_links_and_no_picture(built: Path, tmp_path: Path) -> None:
    """No title, tag, place of bytes or JPEG; every id, page, licence, scene, grid and pair."""
    found = write_index(str(built), str(tmp_path / "index"))
    folder = tmp_path / "index"
    assert found["photos"] == len(rows(built, "photos"))
    tables = {product: pq.read_table(folder / product / "part-00000.parquet")
              for product in ("photos", "chips", "pairs")}  # fmt: skip
    gone = {"title", "tags", "shard", "offset", "picture_hash"}
    assert not gone & {name for table in tables.values() for name in table.schema.names}
    assert {"photo_id", "page_url", "image_url", "licence", "attribution"} <= set(
        tables["photos"].schema.names
    )
    assert {"scene_id", "crs", "transform", "bands"} <= set(tables["chips"].schema.names)
    assert tables["pairs"].to_pylist() == rows(built, "pairs")
    assert not any(b"\xff\xd8\xff" in data for data in contents(folder).values())
    assert not (folder / "rejects").exists()
    for product in ("photos", "chips"):
        report = geoparquet_validator.check(str(folder / product / "part-00000.parquet"))
        assert not geoparquet_validator.failed(report)
    card = huggingface_hub.DatasetCard.load(folder / "README.md")
    assert [one["config_name"] for one in card.data.to_dict()["configs"]] == [
        "pairs", "photos", "chips",
    ]  # fmt: skip
    before = contents(folder)
    write_index(str(built), str(folder))
    assert contents(folder) == before


def test_an_index_is_not_mixed_with_other_files(built: Path, tmp_path: Path) -> None:
    """What is there already is looked at before anything is written."""
    for name in ("notes.txt", "README.md"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(SetupError, match="is no part of this index"):
            write_index(str(built), str(folder))
        assert contents(folder) == {name: b"mine"}


@pytest.mark.parametrize("command", [["sample"], ["describe"], ["render", "--all"]])
def test_nothing_is_written_into_the_dataset_itself(command: list[str], built: Path) -> None:
    """There neither `verify` nor `forget` would find the copies; no folder is made either."""
    inside = built / "copies"
    given = [*command, "--root", str(built), "--output", str(inside)]
    found = CliRunner().invoke(app, given)
    assert found.exit_code == 2
    assert "lies in the dataset itself" in " ".join(found.output.split())
    with pytest.raises(SetupError, match="lies in the dataset itself"):
        write_index(str(built), str(inside))
    assert not inside.exists()


@pytest.mark.parametrize("command", [["sample"], ["describe"], ["publish", "--index-only"]])
@pytest.mark.parametrize("name", ["my.txt", "README.md", "attribution/part-00000.txt"])
def test_what_holds_other_files_is_left_as_it_is(
    command: list[str], name: str, built: Path, tmp_path: Path
) -> None:
    """A folder of somebody's own, an export: refused before anything is written."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    found = CliRunner().invoke(app, [*command, "--root", str(built), "--output", str(tmp_path)])
    assert found.exit_code == 2, found.output
    assert contents(tmp_path) == {name: b"mine"}


def test_the_commands_say_what_they_did(built: Path, tmp_path: Path) -> None:
    """An output without an index is refused, no dataset is said; JSON tells what is there."""
    runner = CliRunner()
    index = str(tmp_path / "index")
    wrong = runner.invoke(app, ["publish", "--root", str(built), "--output", index])
    assert wrong.exit_code == 2
    assert "--index-only" in wrong.output
    given = ["--root", str(tmp_path / "none"), "--json"]
    assert runner.invoke(app, ["publish", *given]).exit_code == 2
    found = runner.invoke(app, ["describe", "--root", str(built), "--json"])
    assert found.exit_code == 0
    said = json.loads(found.stdout)
    assert said["root"].endswith(VERSION)
    assert "croissant.json" in said["files"]
    few = ["--root", str(built), "--output", str(tmp_path / "few"), "--pairs", "2", "--json"]
    small = json.loads(runner.invoke(app, ["sample", *few]).stdout)
    assert small["version"] == "v0001"
    assert small["pairs"] >= 1
