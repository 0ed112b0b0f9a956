"""The storage root, on a local disk and over the protocol of S3."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from collectors.leftovers import discard, probes, storage_time, unfinished_files
from collectors.storage import PROBE, Missing, StorageError, Store, open_store
from tests.collectors.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind: both must behave alike."""
    if request.param == "local":
        yield open_store(str(tmp_path / "root"))
        return
    with S3Server() as server:
        yield open_store(f"s3://{server.bucket}/some/prefix", options=server.options)


def test_what_is_written_is_read(store):
    """An object comes back whole, with its size, and by its path alone."""
    assert store.create("a/b.bin", b"hello") is True
    assert store.read("a/b.bin") == b"hello"
    assert store.size("a/b.bin") == 5
    assert store.exists("a/b.bin")
    assert not store.exists("a/c.bin")


def test_a_taken_path_is_not_written_again(store):
    """A second create with other content changes nothing and says so."""
    assert store.create("x", b"first")
    assert store.create("x", b"second") is False
    assert store.read("x") == b"first"


def test_own_content_counts_as_written(store):
    """A create that finds its own content there has succeeded: an earlier try went through."""
    assert store.create("x", b"same")
    assert store.create("x", b"same") is True


def test_a_path_that_is_free_again_is_written(store, monkeypatch):
    """Who was first has finished, and has removed it, before it could be read back."""
    read = Store.read

    def too_late(self, path):
        self.delete(path)
        return read(self, path)

    store.create("steps/one", b"theirs")
    monkeypatch.setattr(Store, "read", too_late)
    assert store.create("steps/one", b"ours")
    monkeypatch.setattr(Store, "read", read)
    assert store.read("steps/one") == b"ours"


def test_one_of_many_writers_wins(store):
    """Of 16 threads that create one path at once exactly one wins, and its content is whole."""
    start = threading.Barrier(16)

    def write(number: int) -> bool:
        start.wait(10)
        return store.create("race", bytes([number]) * 100_000)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, range(16)))
    assert won.count(True) == 1
    assert store.read("race") == bytes([won.index(True)]) * 100_000


def test_replace_overwrites(store):
    """A hint is replaced without regard to what was there."""
    store.replace("LATEST", b"v1")
    store.replace("LATEST", b"v2")
    assert store.read("LATEST") == b"v2"


def test_ranges(store):
    """A range is exactly those bytes, cut off at the object's end."""
    store.create("x", bytes(range(100)))
    assert store.read_range("x", 10, 5) == bytes(range(10, 15))
    assert store.read_range("x", 0, 100) == bytes(range(100))
    assert store.read_range("x", 95, 50) == bytes(range(95, 100))
    assert store.read_range("x", 10, 0) == b""


def test_a_range_beyond_the_end_is_an_error(store):
    """An offset past the end means that the caller knows something wrong."""
    store.create("x", b"abc")
    with pytest.raises(StorageError, match="has no 4 bytes at 10"):
        store.read_range("x", 10, 4)


def test_what_is_missing_is_missing(store):
    """Reading what is not there raises Missing, whatever way it is read."""
    for read in (store.read, store.size, lambda path: store.read_range(path, 0, 1)):
        with pytest.raises(Missing, match="no/such"):
            read("no/such")


def test_list_is_sorted_and_by_whole_parts(store):
    """Only what lies below a folder is listed, sorted, with paths relative to the root."""
    for path in ("s/r10/b", "s/r1/b", "s/r1/a", "s/r1/c/d", "t/x"):
        store.create(path, b"1")
    assert store.list("s/r1") == ["s/r1/a", "s/r1/b", "s/r1/c/d"]
    assert store.list() == ["s/r1/a", "s/r1/b", "s/r1/c/d", "s/r10/b", "t/x"]
    assert store.list("s/r7") == []


def test_delete(store):
    """What is deleted is gone; deleting it again is no error."""
    store.create("x/y", b"1")
    store.delete("x/y")
    store.delete("x/y")
    assert not store.exists("x/y")
    assert store.list() == []


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a#1"])
def test_unclean_paths_are_refused(store, path):
    """A path that could leave the root, or hide from a listing, is refused everywhere."""
    for use in (store.read, store.size, store.delete, store.local_path, store.uri,
                lambda p: store.create(p, b""), lambda p: store.replace(p, b"")):  # fmt: skip
        with pytest.raises(ValueError, match="not a clean relative path"):
            use(path)


def test_addresses_of_a_local_root(tmp_path):
    """A local object has a file, and the same address for DuckDB and GDAL."""
    store = open_store(str(tmp_path / "root"))
    store.create("a/b.tar", b"1")
    path = tmp_path / "root" / "a" / "b.tar"
    assert store.local_path("a/b.tar") == path
    assert path.read_bytes() == b"1"
    assert store.uri("a/b.tar") == store.gdal_path("a/b.tar") == str(path)


@pytest.mark.parametrize(
    ("root", "gdal"),
    [("s3://bucket/pre/fix", "/vsis3/bucket/pre/fix/"), ("gs://bucket/x/", "/vsigs/bucket/x/")],
)
def test_addresses_of_a_remote_root(root, gdal):
    """A remote object has no file, a URL for DuckDB, and GDAL's own form."""
    store = open_store(root, writable=False, options={"skip_signature": "true"})
    assert store.local_path("a/b.tar") is None
    assert store.uri("a/b.tar") == f"{root.rstrip('/')}/a/b.tar"
    assert store.gdal_path("a/b.tar") == f"{gdal}a/b.tar"


def test_a_local_root_is_given_in_several_ways(tmp_path, monkeypatch):
    """An absolute path, a relative one and a file URL with an escaped space are the same root."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my root"
    roots = [str(folder), "my root", f"file://{tmp_path}/my%20root"]
    assert {open_store(root).root for root in roots} == {str(folder)}


def test_a_new_root_is_left_empty(tmp_path):
    """Trying whether a root can be written leaves nothing behind."""
    open_store(str(tmp_path / "new" / "root"))
    assert list((tmp_path / "new" / "root").iterdir()) == []


def test_a_file_in_the_way_is_explained(tmp_path):
    """A root below a file says which path it is, why it fails and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="no folder") as caught:
        open_store(str(tmp_path / "file" / "root"))
    assert str(tmp_path / "file" / "root") in str(caught.value)
    assert "Give a folder" in str(caught.value)


def test_an_unwritable_root_is_found_out_at_once():
    """A folder that exists but takes no files is refused when it is opened."""
    with pytest.raises(StorageError, match="/proc/self: cannot be written"):
        open_store("/proc/self")


def test_a_root_that_is_only_read_needs_no_writing(tmp_path):
    """A root opened for reading is neither created nor written to."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x").write_bytes(b"1")
    assert open_store("/proc/self", writable=False).exists("status")
    assert open_store(str(tmp_path / "root"), writable=False).read("x") == b"1"
    with pytest.raises(StorageError):
        open_store(str(tmp_path / "none"), writable=False)


@pytest.mark.parametrize("root", ["ftp://host/x", "https://host/x", "az://container/x"])
def test_other_kinds_of_storage_are_refused(root):
    """A root that nothing here knows names the kinds that are known."""
    with pytest.raises(StorageError, match="Give a local path"):
        open_store(root)


def test_a_bucket_that_refuses_is_a_storage_error():
    """Access denied is an error with the address and the remedy, not an empty answer."""
    with S3Server() as server:
        server.judge = lambda _method, _path: 403
        root = f"s3://{server.bucket}/prefix"
        with pytest.raises(StorageError, match="credentials"):
            open_store(root, options=server.options)
        store = open_store(root, writable=False, options=server.options)
        for use in (store.read, store.list, store.size):
            with pytest.raises(StorageError, match=f"{root}/x"):
                use("x")
        with pytest.raises(StorageError, match="credentials"):
            store.create("x", b"1")


def test_storage_errors_survive_pickling():
    """An error that crosses a process boundary keeps its parts and its text."""
    error = StorageError("/data", "is full.", "Make room.")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert str(copy) == "storage: /data: is full. Make room."


def test_objects_say_when_they_were_written(store):
    """Size and time, by the storage's clock; with their folders' objects or without."""
    store.create("a/b", b"123")
    store.create("c", b"1")
    deep = {one.path: one.size for one in store.objects()}
    assert deep == {"a/b": 3, "c": 1}
    (direct,) = store.objects(deep=False)
    assert (direct, direct.modified_at.utcoffset()) == (store.describe("c"), timedelta(0))
    with pytest.raises(Missing):
        store.describe("a/c")


def test_what_a_dead_process_left_is_shown_and_removed(tmp_path):
    """A half-written file and a probe, which no listing shows; whole objects are not touched."""
    store = open_store(str(tmp_path))
    store.create("a/b.tar", b"1")
    (tmp_path / "a" / "b.tar#12").write_bytes(b"half")
    (tmp_path / f"{PROBE}1").write_bytes(b"1")
    (half,) = unfinished_files(store)
    assert (half.path, half.size) == ("a/b.tar#12", 4)
    assert [one.path for one in probes(store)] == [f"{PROBE}1"]
    assert store.list() == ["a/b.tar"]
    discard(store, half)
    discard(store, half)
    assert unfinished_files(store) == []
    with pytest.raises(ValueError, match="no unfinished file"):
        discard(store, store.describe("a/b.tar"))


def test_the_storage_tells_its_own_time(store):
    """By a small object that is gone afterwards."""
    store.create("x", b"1")
    assert storage_time(store) >= store.describe("x").modified_at
    assert store.list() == ["x"]
    assert probes(store) == []
