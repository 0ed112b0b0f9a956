"""No key and no token stands in anything that a run writes, well or badly as it may end."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.oauth2.service_account import Credentials

from collectors.transport import SetupError
from flows import secret_blocks
from flows.settings import SECRET_BLOCK, read_settings
from tests.flows.secret_scan import find_secrets
from tests.flows.secretive_run import noting
from tests.flows.small_worlds import small_run
from tests.flows.test_command_line import _run_without_prefect, environment_of, terrapair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox import Sandbox
    from tests.flows.runs import Run

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "k3y/with+odd=signs&\nin it, 0123456789"


def account_secrets(account: dict[str, str]) -> list[str]:
    """The parts of a service account's key that must not be seen: its id, itself, each line."""
    key = account["private_key"]
    lines = [line for line in key.splitlines() if len(line) > 16 and not line.startswith("---")]
    return [key, account["private_key_id"], *lines]


def secrets_of(sandbox: Sandbox, tokens: Path) -> list[str]:
    """Everything that must not be seen after a run against a sandbox."""
    given = tokens.read_text().split() if tokens.exists() else []
    return [
        sandbox.flickr_key, sandbox.flickr_secret, *account_secrets(sandbox.service_account),
        *given,
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["plain", "percent", "base64", "base64 in text", "json", "gzip",
                                 "parquet", "sqlite"])  # fmt: skip
def test_the_scan_finds_what_is_there(how: str, tmp_path: Path) -> None:
    """A secret is found in each of its forms and in each kind of file, and only where it is."""
    raw = PLANTED.encode()
    path = tmp_path / "file"
    if how == "parquet":
        pq.write_table(pa.table({"a": [PLANTED] * 9}), path, compression="zstd")
    elif how == "sqlite":
        with sqlite3.connect(path) as base:
            base.execute("CREATE TABLE t (a TEXT)")
            base.execute("INSERT INTO t VALUES (?)", ("x" * 4000 + PLANTED + "y" * 9000,))
        base.close()
    else:
        path.write_bytes({
            "plain": b"..." + raw + b"...", "percent": b"k3y%2Fwith%2Bodd%3Dsigns%26%0Ain%20it%2C"
            b"%200123456789", "base64": base64.urlsafe_b64encode(b"user:" + raw),
            "base64 in text": b"Basic " + base64.b64encode(b"1" + raw + b"22"),
            "json": json.dumps({"a": PLANTED}).encode(), "gzip": gzip.compress(raw * 3),
        }[how])  # fmt: skip
    assert find_secrets(tmp_path, [PLANTED]) == ["file: secret 0"]
    assert find_secrets(tmp_path, ["k3y/with+another=sign, 0123456789"]) == []


@dataclass(frozen=True)
class Written:
    """Everything that a run through Prefect wrote, and what must not be in it."""

    folder: Path
    secrets: list[str]
    code: int
    said: str


@pytest.fixture(scope="module")
def written(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A build of a cell as a Prefect flow, all logging at DEBUG, Flickr's key in a secret block."""
    outside = tmp_path_factory.mktemp("outside")
    folder = tmp_path_factory.mktemp("written")
    run = small_run(sandbox, outside)
    account = outside / "account.json"
    account.write_text(json.dumps(sandbox.service_account))
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "TERRAPAIR_"))
    }  # fmt: skip
    environment |= environment_of(
        sandbox, run.cache, flickr_key=f"{SECRET_BLOCK}flickr-key",
        earth_engine_service_account=str(account), log_json=str(folder / "cells.jsonl"),
    ) | {
        "PREFECT_HOME": str(folder / "prefect"), "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "DEBUG", "PREFECT_LOGGING_TO_API_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "SECRET_BLOCK": f"flickr-key={sandbox.flickr_key}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    tokens = outside / "tokens"
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.secretive_run", str(folder / "debug.log"), str(tokens),
         "build", "bay", "--cells", "1", "--root", str(folder / "d"), "--catalog",
         str(run.catalogue), "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    assert len(tokens.read_text().split()) >= 1
    return Written(folder, secrets_of(sandbox, tokens), done.returncode, done.stderr)


def test_a_run_through_prefect_leaves_no_secret_behind(written: Written) -> None:
    """Not on the screen, in a log, a table, a shard, a record or Prefect's database."""
    assert written.code == 0, written.said
    names = {path.relative_to(written.folder).parts[0] for path in written.folder.rglob("*")}
    assert names == {"cells.jsonl", "d", "debug.log", "prefect", "stderr", "stdout"}
    database = written.folder / "prefect" / "prefect.db"
    assert b"flickr-key" in b"".join(path.read_bytes() for path in database.parent.glob("*.db*"))
    assert find_secrets(written.folder, written.secrets) == []


def test_a_key_may_lie_in_a_secret_block(written: Written) -> None:
    """The build that was told the block's name alone could search, and published."""
    outcome = json.loads((written.folder / "stdout").read_text())
    assert outcome["cells"] == {"committed": 1}
    assert outcome["answers"]["Flickr"]["answered"] > 0


@pytest.fixture(scope="module")
def small(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Builds of one small cell."""
    return small_run(sandbox, tmp_path_factory.mktemp("secrets"))


TROUBLES: dict[str, tuple[dict[str, str], list[dict[str, Any]]]] = {
    "a wrong key": ({"flickr_key": "f" * 32}, []),
    "a wrong secret": ({"flickr_secret": "e" * 16}, []),
    "a key disabled": ({}, [{"fault": "key_expired", "where": "flickr.search"}]),
    "a search that fails": ({}, [{"fault": "server_error", "where": "flickr.search"}]),
    "pages of HTML": ({}, [{"fault": "html", "where": "photo.get"}, {"fault": "html"}]),
    "no token any more": ({}, [{"fault": "token_refused", "where": "ee.get_pixels"}]),
    "pixels that fail": ({}, [{"fault": "server_error", "where": "ee.get_pixels"}]),
    "a broken account": ({"earth_engine_service_account": '{"private_key": "-----BEGIN'}, []),
}


@pytest.fixture
def debug_log(tmp_path: Path) -> Iterator[None]:
    """All logging of this process at DEBUG goes to a file of its own as well."""
    (tmp_path / "out").mkdir()
    handler = logging.FileHandler(tmp_path / "out" / "debug.log", mode="w")
    before = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield
    logging.root.removeHandler(handler)
    logging.root.setLevel(before)
    handler.close()


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_a_run_that_fails_leaves_no_secret_behind(
    trouble: str, small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug_log: None
) -> None:
    """Messages, logs at DEBUG, tracebacks on demand and what was written until then."""
    changes, faults = TROUBLES[trouble]
    environment = environment_of(small.sandbox, small.cache, patience_seconds="0.3", **changes)
    tokens = tmp_path / "tokens"
    monkeypatch.setattr(Credentials, "refresh", noting(tokens))
    monkeypatch.setattr("flows.command_line._run_with_prefect", _run_without_prefect)
    folder = tmp_path / "out"
    small.sandbox.faults(faults)
    try:
        done = terrapair(
            "build", "bay", "--cells", "1", "--root", str(folder / "d"), "--catalog",
            str(small.catalogue), TERRAPAIR_DEBUG="1", **environment,
        )  # fmt: skip
    finally:
        small.sandbox.faults([])
    assert done.exit_code == 1, done.output
    (folder / "output").write_text(done.output)
    if trouble != "a broken account":  # which ends before any service is asked
        assert (folder / "debug.log").stat().st_size > 100
    secrets = secrets_of(small.sandbox, tokens) + list(changes.values())
    assert find_secrets(folder, secrets) == []


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize(
    "where", ["flows.runs.running.collect_all", "flows.runs.building.collect_cell"]
)
def test_a_crash_that_holds_a_key_does_not_show_it(
    where: str, debug: str, small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    debug_log: None,
) -> None:  # fmt: skip
    """Of the whole run or of a cell, with and without the traceback; the rest of it is there."""
    box = small.sandbox
    key = box.service_account["private_key"]

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"lost with {box.flickr_key} and {key!r}")

    monkeypatch.setattr(where, crash)
    monkeypatch.setattr("flows.command_line._run_with_prefect", _run_without_prefect)
    folder = tmp_path / "out"
    done = terrapair(
        "build", "bay", "--cells", "1", "--root", str(folder / "d"), "--catalog",
        str(small.catalogue), TERRAPAIR_DEBUG=debug, **environment_of(box, small.cache),
    )  # fmt: skip
    (folder / "output").write_text(done.output)
    assert done.exit_code == 1
    assert "lost with [secret] and" in done.output
    assert ("Traceback" in done.output) is (debug == "1" and "collect_all" in where)
    assert find_secrets(folder, secrets_of(box, tmp_path / "none")) == []


def test_what_is_secret_is_known_wherever_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service account in a file is as secret as one in the variable; its path is not."""
    key = "-----BEGIN PRIVATE KEY-----\nQUJDREVGR0hJSktMTU5PUFFSU1RVVg==\n-----END\n"
    account = {"private_key": key, "private_key_id": "a1b2c3", "client_email": "a@b"}
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    # A secret of digits alone is JSON as well.
    given = {"flickr_key": "k" * 32, "flickr_secret": "1234567890123456"}
    for one in (str(file), json.dumps(account)):
        found = read_settings(given | {"earth_engine_service_account": one}).secrets
        assert {key, "a1b2c3", "QUJDREVGR0hJSktMTU5PUFFSU1RVVg==", *given.values()} <= set(found)
        assert str(file) not in found
    assert set(read_settings(given).secrets) == set(given.values())
    gone = read_settings(given | {"earth_engine_service_account": str(tmp_path / "none.json")})
    assert set(gone.secrets) == set(given.values())


class Block:
    """A secret block."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self) -> Any:
        return self.value


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The blocks of a Prefect server: values, or what asking for one raises."""
    from prefect.blocks.system import Secret

    there: dict[str, Any] = {}

    def load(name: str) -> Block:
        value = there.get(name, ValueError(f"Unable to find block document named {name}"))
        if isinstance(value, Exception):
            raise value
        return Block(value)

    monkeypatch.setattr(Secret, "load", load)
    secret_blocks.load_secret.cache_clear()
    return there


def test_blocks_are_put_in_the_place_of_their_names(blocks: dict[str, Any]) -> None:
    """Of all three keys; an account that is stored as an object is taken as its JSON."""
    account = {"private_key": "p" * 40, "client_email": "a@b"}
    blocks |= {"key": "k" * 32, "account": account}
    settings = read_settings({
        "flickr_key": f"{SECRET_BLOCK}key", "flickr_secret": "s" * 16,
        "earth_engine_service_account": f"{SECRET_BLOCK}account",
    })  # fmt: skip
    assert settings.flickr_login() == ("k" * 32, "s" * 16)
    assert settings.earth_engine_service_account is not None
    assert json.loads(settings.earth_engine_service_account.get_secret_value()) == account
    assert {"k" * 32, "p" * 40} <= set(settings.secrets)
    assert "k" * 32 not in repr(settings)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (None, r"TERRAPAIR_FLICKR_KEY: Prefect has no secret block `gone`. Make it with"),
        (httpx.ConnectError("refused"), r"cannot be asked .* \(ConnectError\).* PREFECT_API_URL"),
        (RuntimeError("did not start"), r"cannot be asked .* \(RuntimeError\).* PREFECT_API_URL"),
    ],
)
def test_a_block_that_is_not_there_is_said(
    trouble: Exception | None, said: str, blocks: dict[str, Any]
) -> None:
    """Variable, block and remedy, whether the block is missing or nobody can be asked."""
    if trouble is not None:
        blocks["gone"] = trouble
    with pytest.raises(SetupError, match=said):
        read_settings({"flickr_key": f"{SECRET_BLOCK}gone"})
