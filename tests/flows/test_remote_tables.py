"""Looking at a dataset on object storage: the same answers, from ranges of its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from collectors.storage import open_store
from flows.cells.state import CellState, commit_cell
from flows.inspection.occurrences import find_occurrences
from flows.inspection.photo_story import photo_story
from flows.inspection.remote_files import RemoteFiles
from flows.publishing.publish import publish
from tests.collectors.s3_server import S3Server
from tests.flows.product_rows import CATALOGUE, chip, pair, photo, reject
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL = "r118c055"


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    """A version of one cell in a bucket."""
    with S3Server() as server, pytest.MonkeyPatch.context() as patched:
        for name, value in server.environment.items():
            patched.setenv(name, value)
        place = f"s3://{server.bucket}/d"
        state = CellState(
            CELL, 1, photos=(photo("1", CELL), photo("2", CELL)), rejects=(reject("3", CELL),),
            chips=(chip("a", CELL, 1),), pairs=(pair("1", "a", CELL),),
        )  # fmt: skip
        store = open_store(place)
        assert commit_cell(store, state, CATALOGUE, 0)
        publish(store, CATALOGUE, 0)
        yield place


def test_stories_and_searches_are_those_of_a_disk(root: str) -> None:
    """A photo's story, an owner's occurrences, rows by box, and how GDAL opens the bytes."""
    story = photo_story(root, "1")
    assert story["pairs"][0]["chip_id"] == "a"
    assert story["bytes"]["gdal"].startswith("/vsisubfile/0_1,/vsis3/")
    (found,) = find_occurrences(root, "owner", "1@N01")
    assert (found["kept"], found["pairs"]) == (2, 1)
    done = terrapair("catalog", "show", "pairs", "--root", root, "--json",
                     "--bbox", "-123", "37", "-122", "38")  # fmt: skip
    assert [one["chip_id"] for one in json.loads(done.output)] == ["a"]
    assert terrapair("catalog", "--root", root).exit_code == 0


def test_an_export_of_it_has_all_metadata(root: str, tmp_path: Path) -> None:
    """The schema comes from the file's own footer."""
    path = tmp_path / "x.parquet"
    done = terrapair("catalog", "show", "chips", "--root", root, "--export", str(path))
    assert done.exit_code == 0, done.output
    schema = pq.read_schema(path)
    assert b"geo" in schema.metadata
    assert schema.field("delta_days").metadata[b"unit"] == b"day"


def test_only_what_is_needed_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file its end is read, and what is asked for."""
    store = open_store(str(tmp_path))
    data = bytes(range(256)) * 40_000
    store.create("big", data)
    fetched: list[int] = []
    whole = type(store).read_range

    def counted(self: object, path: str, offset: int, size: int) -> bytes:
        fetched.append(size)
        return whole(store, path, offset, size)

    monkeypatch.setattr(type(store), "read_range", counted)
    files = RemoteFiles(store, ["big"], "x")
    with files.open("big", "rb") as file:
        file.seek(-8, 2)
        assert file.read() == data[-8:]
        file.seek(5_000_000)
        assert file.read(100) == data[5_000_000:5_000_100]
    assert 0 < sum(fetched) < len(data) / 10
    with pytest.raises(FileNotFoundError):
        files.info("other")
