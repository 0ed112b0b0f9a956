"""Exports that are stopped, mixed up, or asked for what must not be exported."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from collectors.storage import Missing, Store, open_store
from collectors.storage_errors import StorageError
from collectors.transport import SetupError
from filters.splits import Split
from flows.exports import exporting
from flows.exports.exporting import export_version
from flows.exports.folder import ExportFolder
from flows.exports.geotiff_files import GeotiffFiles
from flows.exports.graft_lists import GraftLists
from flows.exports.huggingface_tables import HuggingfaceTables
from flows.exports.webdataset_shards import WebDatasetShards
from flows.products.revoked import revoke
from flows.products.versions import read_version
from flows.upkeep.asked import Asked
from tests.collectors.s3_server import S3Server
from tests.flows.exported import Truth, check_record, contents
from tests.flows.forgotten_bytes import forget
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.exports.forms import Form
    from tests.flows.runs import Run

FORMS: dict[str, Form] = {
    "webdataset": WebDatasetShards(10**8, 4, shuffle=1),
    "graft": GraftLists(),
    "geotiff": GeotiffFiles(),
    "huggingface": HuggingfaceTables(10**8, 4),
}
FEW: dict[str, Any] = {"sensor": "naip"}


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("name", "step", "options"),
    [("webdataset", 6, FEW), ("graft", 40, FEW), ("huggingface", 4, FEW),
     ("geotiff", 25, FEW | {"split": Split.TRAIN})],
)  # fmt: skip
def test_killed_after_any_write_it_ends_with_the_same_bytes(
    name: str, step: int, options: dict[str, Any], built: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each attempt dies after the next write; the last has nothing to repeat but what was begun."""
    whole, target = tmp_path / "whole", tmp_path / "target"
    export_version(str(built), str(whole), FORMS[name], **options)
    check_record(whole)
    create, delete = Store.create, Store.delete
    written: list[str] = []

    def deadly(real: Callable[..., Any], most: int) -> Callable[..., Any]:
        def call(self: Store, path: str, *data: bytes) -> Any:
            fresh = real is delete or not self.exists(path)
            done = real(self, path, *data)
            written.extend([path] * fresh)
            if len(written) > most and not path.startswith(".probe"):
                raise KilledError(path)
            return done

        return call

    deaths = 0
    monkeypatch.setattr(exporting, "_WRITING_THREADS", 1)
    for attempt in range(1000):
        written.clear()
        most = (
            3 if attempt % 2 else step
        )  # the probe of the folder takes one write and one deletion
        monkeypatch.setattr(Store, "create", deadly(create, most))
        monkeypatch.setattr(Store, "delete", deadly(delete, most))
        try:
            export_version(str(built), str(target), FORMS[name], **options)
        except KilledError:
            deaths += 1
            continue
        break
    monkeypatch.undo()
    assert deaths >= 2
    export_version(str(built), str(target), FORMS[name], **options)
    assert contents(target) == contents(whole)


@pytest.mark.parametrize(
    ("name", "step"), [("webdataset", 3), ("graft", 40), ("huggingface", 3), ("geotiff", 40)]
)
def test_of_two_at_once_both_end_well(
    name: str, step: int, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is overtaken by the other, which writes all of it, commits it and tidies up."""
    whole, create = tmp_path / "whole", Store.create
    record = export_version(str(built), str(whole), FORMS[name], **FEW)
    monkeypatch.setattr(exporting, "_WRITING_THREADS", 1)
    for at in count(2, step):
        target, left = tmp_path / str(at), [at]

        def overtaken(store: Store, path: str, data: bytes) -> bool:
            left[0] -= 1  # noqa: B023
            if left[0] == 0:  # noqa: B023
                export_version(str(built), str(target), FORMS[name], **FEW)  # noqa: B023
            return create(store, path, data)

        monkeypatch.setattr(Store, "create", overtaken)
        assert export_version(str(built), str(target), FORMS[name], **FEW) == record
        monkeypatch.setattr(Store, "create", create)
        assert contents(target) == contents(whole)
        shutil.rmtree(target)
        if left[0] > 0:
            break
    assert at > 2 * step


def test_an_export_that_is_finished_as_another_begins_is_found(tmp_path: Path) -> None:
    """It is committed between the look for its record and the look for its begin."""
    store = open_store(str(tmp_path))
    identity = {"form": "any"}
    first, second = ExportFolder(store, identity), ExportFolder(store, identity)
    assert first.begin() is None
    read = second._read

    def finished_meanwhile(path: str) -> Any:
        found = read(path)
        if path == "export.json" and found is None:
            first.commit({}, [])
        return found

    second._read = finished_meanwhile  # type: ignore[method-assign]
    assert second.begin() == first.begin()


def test_the_last_files_are_not_made_of_pieces_that_are_gone(tmp_path: Path) -> None:
    """Of what was tidied up, nobody takes the rest for all."""
    folder = ExportFolder(open_store(str(tmp_path)), {"form": "any"})
    folder.begin()
    folder.finish("one", [], {}, {"rows": b"1"})
    folder.finish("two", [], {}, {})
    assert list(folder.pieces(["one", "two"], "rows")) == [b"1"]
    folder.commit({}, [])
    with pytest.raises(Missing):
        list(folder.pieces(["one", "two"], "rows"))


def test_tidying_up_leaves_what_is_not_the_export_s(tmp_path: Path) -> None:
    """Somebody's own file with such a name, and one that a run is writing just now."""
    folder = ExportFolder(open_store(str(tmp_path)), {"form": "any"})
    folder.begin()
    line = folder.write("a/b.tar", b"1")
    (tmp_path / "a" / "b.tar#1").write_bytes(b"killed")
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "one.json#1").write_bytes(b"killed")
    (tmp_path / "a" / "c.tar#2").write_bytes(b"being written")
    (tmp_path / "run#2").write_bytes(b"mine")
    folder.commit({}, [line])
    assert sorted(contents(tmp_path)) == ["a/b.tar", "a/c.tar#2", "export.json", "run#2"]


def test_finished_portions_are_not_read_again(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that was stopped reads the samples that are missing, and a whole one none."""
    read: list[int] = []
    loaded = exporting._loaded

    def counted(store: Any, samples: Any, portion: Any) -> Any:
        if len(read) == 2 and not (tmp_path / "again").exists():
            raise StorageError("s3://bucket", "is away.")
        read.append(len(portion.numbers))
        return loaded(store, samples, portion)

    monkeypatch.setattr(exporting, "_loaded", counted)
    with pytest.raises(StorageError):
        export_version(str(built), str(tmp_path / "x"), FORMS["webdataset"], **FEW)
    assert sorted(path.name for path in (tmp_path / "x").glob("*")) == [
        "export.begun.json", "shards", "unfinished",
    ]  # fmt: skip
    (tmp_path / "again").touch()
    record = export_version(str(built), str(tmp_path / "x"), FORMS["webdataset"], **FEW)
    assert sum(read) == record["counts"]["samples"]
    assert export_version(str(built), str(tmp_path / "x"), FORMS["webdataset"], **FEW) == record
    assert sum(read) == record["counts"]["samples"]


def test_what_a_kill_leaves_beside_a_file_goes_when_the_export_is_whole(
    built: Path, tmp_path: Path
) -> None:
    """Half files of obstore's, named `x#1`, are not in the folder that is committed."""
    folder = tmp_path / "x"
    (folder / "shards").mkdir(parents=True)
    (folder / "shards" / "naip-train-000000.tar#1").write_bytes(b"half")
    export_version(str(built), str(folder), FORMS["webdataset"], **FEW)
    check_record(folder)


def test_forgotten_photos_are_in_no_export(built: Path, run: Run, tmp_path: Path) -> None:
    """Ten photos that were forgotten: no id, no link and no byte of them is in the export."""
    root = tmp_path / "dataset"
    shutil.copytree(built, root, copy_function=os.link)
    truth = Truth.of(root)
    gone = sorted({photo for _, photo in truth.chosen(sensor="naip")})[:10]
    traces = [(truth.photos[one]["page_url"], truth.bytes_of(truth.photos[one])) for one in gone]
    forget(root, run.catalogue, Asked(photos=frozenset(gone)))
    for name in ("webdataset", "graft"):
        record = export_version(str(root), str(tmp_path / name), FORMS[name], **FEW)
        assert record["version"] == "v0002"
        for path, data in contents(tmp_path / name).items():
            for photo, (link, picture) in zip(gone, traces, strict=True):
                assert photo not in path
                assert photo.encode() not in data
                assert link.encode() not in data
                assert picture not in data
    tables = pq.read_table(tmp_path / "graft" / "tables" / "photos-00000.parquet")
    left = {photo for _, photo in Truth.of(root, "v0002").chosen(sensor="naip")}
    assert not left & set(gone)
    assert set(tables["photo_id"].to_pylist()) <= left
    with pytest.raises(SetupError, match="was revoked"):
        export_version(str(root), str(tmp_path / "old"), FORMS["graft"], version_name="v0001")


@pytest.mark.parametrize(
    ("form", "options", "said"),
    [
        (WebDatasetShards(10**8, 5), FEW, "shard_samples"),
        (GraftLists(), FEW, 'form "webdataset", not "graft"'),
        (FORMS["webdataset"], {}, 'sensor "naip", not null'),
        (FORMS["webdataset"], FEW | {"split": Split.TRAIN}, 'split null, not "train"'),
    ],
)
def test_a_folder_holds_one_export(
    form: Form, options: dict[str, Any], said: str, built: Path, tmp_path: Path
) -> None:
    """Another form, option, sensor or split is refused and named; nothing changes."""
    ExportFolder(open_store(str(tmp_path / "begun")), _identity(built)).begin()
    export_version(str(built), str(tmp_path / "whole"), FORMS["webdataset"], **FEW)
    for name in ("begun", "whole"):
        before = contents(tmp_path / name)
        with pytest.raises(SetupError, match="holds an export with") as refused:
            export_version(str(built), str(tmp_path / name), form, **options)
        assert said in str(refused.value)
        assert contents(tmp_path / name) == before


def _identity(built: Path) -> dict[str, Any]:
    version = read_version(open_store(str(built), writable=False))
    assert version is not None
    return {"form": "webdataset", "version": "v0001", "split": None, "sensor": "naip",
            "tables_sha256": version.fingerprint,
            "options": FORMS["webdataset"].options()}  # fmt: skip


def test_other_files_and_the_dataset_itself_are_refused(built: Path, tmp_path: Path) -> None:
    """A folder with anything in it is not exported to, nor one inside the dataset."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine.txt").write_text("mine")
    with pytest.raises(SetupError, match="holds files, and no export"):
        export_version(str(built), str(tmp_path / "x"), FORMS["graft"], **FEW)
    inside = built / "export"
    with pytest.raises(SetupError, match="lies in the dataset itself"):
        export_version(str(built), str(inside), FORMS["graft"], **FEW)
    assert not inside.exists()
    with pytest.raises(SetupError, match="has no sensor"):
        export_version(str(built), str(tmp_path / "y"), FORMS["graft"], sensor="landsat")


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    """Names that come from tables cannot become other paths, hidden files or devices."""
    folder = ExportFolder(open_store(str(tmp_path / "x")), {})
    for path in ("../a", "a/../b", "/a", "a//b", ".a", "a/.b", "a b", "a\n", "é", "a.", "", "-a",
                 "a\\b", "a\x1b[2J", "a#1", "a:b"):  # fmt: skip
        with pytest.raises(SetupError):
            folder.write(path, b"")
    assert contents(tmp_path / "x") == {}


def test_a_revoked_version_is_not_exported(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Revoked before, it is refused at once; revoked meanwhile, the export is not committed."""
    root = tmp_path / "dataset"
    shutil.copytree(built, root, copy_function=os.link)
    end = exporting._end

    def forgetting_meanwhile(*arguments: Any) -> Any:
        store = open_store(str(root))
        revoke(store, "v0001")
        return end(*arguments)

    monkeypatch.setattr(exporting, "_end", forgetting_meanwhile)
    for _ in range(2):
        with pytest.raises(SetupError, match="was revoked"):
            export_version(str(root), str(tmp_path / "x"), FORMS["webdataset"], **FEW)
    assert not (tmp_path / "x" / "export.json").exists()


def test_from_a_bucket_into_a_bucket(built: Path, tmp_path: Path) -> None:
    """Read from S3 and written to S3, an export has the bytes of one on disk."""
    truth = Truth.of(built)
    export_version(str(built), str(tmp_path / "x"), FORMS["webdataset"], **FEW)
    with ExitStack() as stack:
        server = stack.enter_context(S3Server())
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in server.environment.items():
            patched.setenv(name, value)
        source = open_store(f"s3://{server.bucket}/dataset")
        wanted = {row["shard"] for row in (*truth.chips.values(), *truth.photos.values())
                  if row.get("sensor", "naip") == "naip"}  # fmt: skip
        for path, data in contents(built).items():
            if path in wanted or path.startswith("manifests/"):
                source.create(path, data)
        url = f"s3://{server.bucket}/export"
        export_version(source.root, url, FORMS["webdataset"], **FEW)
        target = open_store(url, writable=False)
        assert {path: target.read(path) for path in target.list()} == contents(tmp_path / "x")
        with pytest.raises(SetupError, match="lies in the dataset itself"):
            export_version(source.root, f"{source.root}/shards/x", FORMS["webdataset"], **FEW)


@pytest.mark.parametrize("name", FORMS)
def test_the_commands_export(name: str, built: Path, tmp_path: Path) -> None:
    """Each says what it wrote, for people and as JSON; a second call has nothing to do."""
    arguments = ("export", name, "--root", str(built), "--output", str(tmp_path / "x"),
                 "--sensor", "naip", "--split", "train")  # fmt: skip
    wanted = len(Truth.of(built).chosen(sensor="naip", split="train"))
    done = terrapair(*arguments)
    assert done.exit_code == 0, done.output
    assert f"{name} of v0001 in {tmp_path / 'x'}" in done.output
    again = terrapair(*arguments, "--json")
    told = json.loads(again.stdout)
    record = check_record(tmp_path / "x")
    assert told["counts"]["pairs"] == record["counts"]["pairs"] == wanted > 0
    assert (told["files"], told["version"]) == (len(record["files"]), "v0001")
    refused = terrapair(*arguments[:-1], "val")
    assert refused.exit_code == 2
    assert 'split "train", not "val"' in refused.output
