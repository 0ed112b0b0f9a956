"""Builds on S3, and storage that refuses, is away, or is full: a plain word, nothing half-visible.

The server is moto's, on loopback. Google Cloud Storage goes through the same code; no server of its
protocol was tried.
"""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from collectors.leftovers import unfinished_files
from collectors.storage import StorageError, open_store
from flows.verification.verification import verify_dataset
from tests.collectors.s3_server import S3Server
from tests.flows.power_cuts import (
    SERVICES,
    Machine,
    PowerCutError,
    keep_clients,
    manifests,
    visible_requests,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.runs import Run

ORDER: dict[str, Any] = {"regions": ("bay",), "cells": 1}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server that the environment leads to."""
    keep_clients(monkeypatch)
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def whole(run: Run, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The manifests of a build on a disk without trouble."""
    root = tmp_path_factory.mktemp("whole")
    run.build(root, catalogue=tiny, **ORDER)
    return manifests(root)


def manifests_at(root: str) -> dict[str, bytes]:
    """Returns the files of all versions, from any storage."""
    store = open_store(root, writable=False)
    found = store.list("manifests")
    return {path.partition("/")[2]: store.read(path) for path in found if "." in path}


def test_a_build_on_s3_is_that_on_a_disk(
    run: Run, tiny: Path, whole: dict[str, bytes], s3: S3Server
) -> None:
    """The same manifests, byte for byte; they verify, and a second build asks nobody."""
    root = f"s3://{s3.bucket}/some/dataset"
    run.build(root, catalogue=tiny, **ORDER)
    assert manifests_at(root) == whole
    assert [one.offenders for one in verify_dataset(root) if one.broken] == []
    run.sandbox.reset()
    outcome = run.build(root, catalogue=tiny, **ORDER)
    assert (outcome["cells"], outcome["version_is_new"]) == ({"unchanged": 1}, False)
    assert not set(run.sandbox.counts()) & set(SERVICES)


def test_two_writers_meet_in_one_cell_on_s3(run: Run, tiny: Path, s3: S3Server) -> None:
    """A build and a backfill of one sensor at the same time: both end, nothing is lost."""
    root = f"s3://{s3.bucket}/two"
    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(run.build, root, catalogue=tiny, **ORDER),
            threads.submit(
                run.build, root, catalogue=tiny, kind="backfill", region="bay", cells=1,
                sensors=("naip",),
            ),
        ]  # fmt: skip
        for one in both:
            one.result()
    assert [one.offenders for one in verify_dataset(root) if one.broken] == []
    writes = [path for method, path in s3.asked if method == "PUT" and "/cells/" in path]
    assert len(writes) >= 2


@pytest.mark.parametrize("kind", ["shards", "cells"])
def test_a_build_on_s3_that_dies_is_taken_up(
    run: Run, tiny: Path, whole: dict[str, bytes], s3: S3Server, kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The machine dies when a shard, or the commit, has just been written."""
    root = f"s3://{s3.bucket}/{kind}"
    machine = Machine(monkeypatch)
    with machine.dying_at(kind), pytest.raises(PowerCutError):
        run.build(root, catalogue=tiny, **ORDER)
    visible = visible_requests(root)
    assert visible["photo.get"] > 0
    run.sandbox.reset()
    run.build(root, catalogue=tiny, **ORDER)
    counts = run.sandbox.counts()
    assert counts.get("photo.get", 0) == 0
    if kind == "cells":
        assert not set(counts) & set(SERVICES)
    assert manifests_at(root) == whole


def test_s3_that_refuses_stops_the_build_with_a_word(run: Run, tiny: Path, s3: S3Server) -> None:
    """403: where, what and the remedy, without the key; nothing is written."""
    s3.judge = lambda method, _path: 403 if method == "PUT" else None
    root = f"s3://{s3.bucket}/refused"
    with pytest.raises(StorageError) as caught:
        run.build(root, catalogue=tiny, **ORDER)
    text = str(caught.value)
    assert root in text
    assert "403" in text
    assert "credentials" in text
    assert "made-up-secret" not in text
    s3.judge = lambda _method, _path: None
    assert open_store(root, writable=False).list() == []


def test_storage_that_turns_read_only_in_mid_build_keeps_what_is_there(
    run: Run, tiny: Path, whole: dict[str, bytes], s3: S3Server
) -> None:
    """From the first shard on every write is refused: no version is there, no download is lost."""
    written: list[str] = []

    def judge(method: str, path: str) -> int | None:
        if method != "PUT":
            return None
        if written:
            return 403
        written.extend([path] if "/shards/" in path else [])
        return None

    s3.judge = judge
    root = f"s3://{s3.bucket}/turned"
    with pytest.raises(StorageError, match="403"):
        run.build(root, catalogue=tiny, **ORDER)
    s3.judge = lambda _method, _path: None
    assert manifests_at(root) == {}
    visible = visible_requests(root)
    assert visible["photo.get"] > 0
    run.sandbox.reset()
    run.build(root, catalogue=tiny, **ORDER)
    assert run.sandbox.counts().get("photo.get", 0) == 0
    assert manifests_at(root) == whole


def test_a_bucket_that_is_not_there_is_named(s3: S3Server) -> None:
    """The remedy is to make it."""
    assert s3.bucket
    with pytest.raises(StorageError, match=r"no-such-bucket/x: there is no such bucket\. Make it"):
        open_store("s3://no-such-bucket/x")


def test_storage_that_lets_writers_overwrite_each_other_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that ignores If-None-Match would lose work, so it is found out when it is opened."""
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.heeds_conditions = False
        with pytest.raises(StorageError, match="lets a second writer overwrite"):
            open_store(f"s3://{server.bucket}/x")


def test_s3_that_is_away_for_a_while_is_waited_for(
    run: Run, tiny: Path, whole: dict[str, bytes], s3: S3Server
) -> None:
    """Every third request is answered with 503 twice: the same manifests, no download repeated."""
    refused: dict[tuple[str, str], int] = {}

    def judge(method: str, path: str) -> int | None:
        tries = refused[method, path] = refused.get((method, path), 0) + 1
        return 503 if len(refused) % 3 == 0 and tries <= 2 else None

    s3.judge = judge
    run.sandbox.reset()
    root = f"s3://{s3.bucket}/away"
    run.build(root, catalogue=tiny, **ORDER)
    assert sum(tries > 2 for tries in refused.values()) > 5
    s3.judge = lambda _method, _path: None
    assert manifests_at(root) == whole
    assert run.sandbox.counts()["photo.get"] == visible_requests(root)["photo.get"]


def test_s3_that_stays_away_ends_the_build_and_nothing_is_half_there(
    run: Run, tiny: Path, whole: dict[str, bytes], s3: S3Server
) -> None:
    """Patience ends with a word; when the server is back the build goes on where it was."""
    root = f"s3://{s3.bucket}/gone"
    s3.judge = lambda method, path: 503 if method == "PUT" and "/parts/" in path else None
    with pytest.raises(StorageError, match=r"/parts/.*503"):
        run.build(root, catalogue=tiny, settings={"patience_seconds": 0.5}, **ORDER)
    store = open_store(root, writable=False)
    assert store.list("cells") == store.list("manifests") == store.list("parts") == []
    s3.judge = lambda _method, _path: None
    run.sandbox.reset()
    run.build(root, catalogue=tiny, **ORDER)
    assert not set(run.sandbox.counts()) & {"photo.get", "ee.get_pixels"}
    assert manifests_at(root) == whole


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Lets the system fail every write beyond a size, in the middle, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_stops_the_build_and_nothing_is_half_there(
    run: Run, tiny: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """A write that breaks off: no part of a file is left; with room the build goes on."""
    root = tmp_path / "d"
    with (
        no_file_larger_than(200_000),
        pytest.raises(StorageError, match=r"shards/.*cannot be written.*free space"),
    ):
        run.build(root, catalogue=tiny, **ORDER)
    store = open_store(str(root), writable=False)
    assert unfinished_files(store) == []
    assert store.list("cells") == []
    shards = store.list("shards")
    assert shards  # the photos, which were small enough
    run.sandbox.reset()
    run.build(root, catalogue=tiny, **ORDER)
    assert run.sandbox.counts().get("photo.get", 0) == 0
    assert manifests(root) == whole
