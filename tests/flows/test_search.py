"""Finding chips by words, in small versions whose chips are known."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.sandbox.landcover import Landcover
from collectors.storage import Store, open_store
from collectors.transport import SetupError
from filters.splits import Split
from flows.cells.state import CellState, commit_cell
from flows.products.versions import MANIFESTS, REVOKED
from flows.publishing.publish import publish
from flows.search import indexing
from flows.search.indexing import drop_indices, opened
from flows.search.queries import joined, parse_query, quoted, separated
from flows.search.scope import Scope, Wanted
from flows.search.searching import _ranking, answer, search
from tests.collectors.s3_server import S3Server
from tests.flows.exported import contents
from tests.flows.product_rows import CATALOGUE, chip, pair, photo
from tests.flows.search_queries import judged, queries, truths
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CELL: Final = "r118c055"
NORTH: Final = (10.0, 0.0, 550_000.0, 0.0, -10.0, 4_182_240.0)
SOUTH: Final = (10.0, 0.0, 550_000.0, 0.0, -10.0, 6_200_000.0)

Chip = tuple[str, str, "Mapping[str, float] | None", str, str]

CHIPS: Final[tuple[Chip, ...]] = (
    ("alp", "2021-01-10", {"snow": 80.0, "bare": 20.0}, "Old bridge", "hiking"),
    ("field", "2021-01-20", {"bare": 60.0, "vegetation": 40.0}, "Golden meadow", ""),
    ("mixed", "2020-02-01", {"snow": 45.0, "vegetation": 55.0}, "夕方の橋", "travel"),
    ("lake", "2019-07-04", {"water": 96.0, "vegetation": 4.0}, "Été au bord", "winter snow"),
    ("wood", "2020-05-04", {"vegetation": 100.0}, "Мост на закате", "bridge"),
    ("aerial", "2020-07-04", None, "Winter meadow at the lake", "snow"),
    ("south", "2020-07-05", {"vegetation": 90.0, "water": 10.0}, "<b>x</b>\x1b[2J", "=1+1"),
)
"""Name, day of the scene, land cover, title and tags."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with a photo for each of `CHIPS`. Not to be changed."""
    return make(tmp_path_factory.mktemp("words") / "dataset")


def make(root: Path, store: Store | None = None) -> Path:
    """Publishes `CHIPS`."""
    chips, photos, pairs = [], [], []
    for number, (name, day, cover, title, tags) in enumerate(CHIPS):
        acquired = datetime.fromisoformat(f"{day}T18:00:00").replace(tzinfo=UTC)
        sensor = "naip" if cover is None else "sentinel2"
        south = {"crs": "EPSG:32710", "transform": SOUTH} if name == "south" else {}
        chips.append(replace(
            chip(name, CELL, 1), acquired_at=acquired, cover=cover, sensor=sensor, **south
        ))  # fmt: skip
        photos.append(photo(str(number), CELL, title=title, tags=tags))
        pairs.append(replace(pair(str(number), name, CELL), sensor=sensor))
    store = store or open_store(str(root))
    state = CellState(CELL, 1, photos=tuple(photos), chips=tuple(chips), pairs=tuple(pairs))
    assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where indices are kept."""
    return tmp_path_factory.mktemp("cache")


def found(root: Path, cache: Path, asked: str, limit: int = 10, **more: Any) -> list[str]:
    """Returns the names of the chips that a query finds, best first."""
    told = search(Scope(str(root), CATALOGUE.regions, cache, **more), asked, limit=limit)
    return [one["chip_id"] for one in told["results"]]


def test_what_was_measured_comes_before_what_titles_say(root: Path, cache: Path) -> None:
    """All words first; then season and shares of the ground, of which some of both is best."""
    assert found(root, cache, "snowy fields in winter")[:3] == ["mixed", "alp", "field"]
    assert found(root, cache, "snow in winter")[:2] == ["alp", "mixed"]
    assert found(root, cache, "lakes")[:3] == ["lake", "south", "aerial"]
    assert found(root, cache, "a lake in summer")[0] == "lake"
    assert found(root, cache, "meadow")[2:] == ["mixed", "field", "aerial"]


@pytest.mark.parametrize("asked", ["snow winter", "bridge", "lake july -hiking", "green 2020 x"])
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_looking_at_those_with_all_words_first_changes_no_order(
    root: Path, cache: Path, asked: str, limit: int
) -> None:
    """The best of all chips that have any of the words are the same, scores included."""
    told = search(Scope(str(root), CATALOGUE.regions, cache), asked, limit=limit)
    query = parse_query(asked)
    any_of = " OR ".join(term.expression for term in query.wanted)
    with closing(opened(next(cache.rglob("*.sqlite")))) as base:
        rows = base.execute(*_ranking(any_of, query, Wanted(), limit)).fetchall()
    assert [(one["matched"], one["score"]) for one in told["results"]] == [
        (row[1], round(-row[4], 4)) for row in rows
    ]
    assert len(rows) == min(limit, told["found"])


def test_seasons_are_those_of_the_hemisphere(root: Path, cache: Path) -> None:
    """July is winter at 34° south."""
    assert found(root, cache, "green winter")[:2] == ["south", "mixed"]
    assert "south" in found(root, cache, "winter")
    assert found(root, cache, "July 2020", sensor="sentinel2")[0] == "south"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ('"old bridge"', {"alp"}), ("OLD Bridge -alpine", {"alp", "wood"}),
        ("bridge -hiking", {"wood"}), ("bridge without snow", {"wood"}),
        ("橋", {"mixed"}), ("夕方", {"mixed"}), ("мост", {"wood"}), ("ete", {"lake"}),
        ("2019", {"lake"}), ("-vegetation -snow -water", set()), ("zzz", set()),
        ("bridges", {"alp", "wood"}), ("-vegetation -bare -water", {"aerial"}),
    ],
)  # fmt: skip
def test_words_phrases_and_exclusions(root: Path, cache: Path, asked: str, names: set[str]) -> None:
    """In any script, without regard to accents, capitals and English endings."""
    assert set(found(root, cache, asked)) == names


def test_filters_and_limits_hold(root: Path, cache: Path) -> None:
    """By region, split and sensor; what does not exist is said with what does."""
    everything = {name for name, *_ in CHIPS}
    none = "-zzz"
    assert set(found(root, cache, none)) == everything
    assert set(found(root, cache, none, region="bay-area")) == everything - {"south"}
    assert found(root, cache, none, region="western-alps") == []
    assert found(root, cache, none, sensor="naip") == ["aerial"]
    assert len(found(root, cache, none, limit=2)) == 2
    splits = [found(root, cache, none, split=split) for split in Split]
    assert sorted(name for names in splits for name in names) == sorted(everything)
    for wrong in ({"region": "atlantis"}, {"sensor": "sonar"}):
        with pytest.raises(SetupError, match="It has"):
            found(root, cache, none, **wrong)


@pytest.mark.parametrize("asked", ["", "  ", '""', "-", "the of in", "🌄 !", "without"])
def test_a_query_without_a_word_is_refused(asked: str) -> None:
    """With an example of a good one."""
    with pytest.raises(SetupError, match="no word to look for"):
        parse_query(asked)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example('title:"x" OR (')
@example('NEAR("a" "b", 2) AND *')
@example("a* ^b {title} : c + d")
@example("\x00\" ' ; DROP TABLE chips --")
@example("-" * 50 + '"')
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
    | st.text('"*^:(){}+-ANDORTNEAR ,\x00a夕\u0301', max_size=80)
)
def test_no_query_is_read_as_the_engines_syntax(root: Path, cache: Path, text: str) -> None:
    """Whatever is typed is answered, or refused for having no word or too many."""
    found(root, cache, "snow")
    (path,) = cache.rglob("*.sqlite")
    try:
        query = parse_query(text)
    except SetupError:
        return
    with closing(opened(path)) as base:
        count, results = answer(base, query, Wanted(), 5)
        assert len(results) == min(count, 5)
        assert base.execute("SELECT count(*) FROM chips").fetchone() == (len(CHIPS),)


def test_a_quote_ends_no_string() -> None:
    """Two stand for one, as FTS5 has it; NUL would end the whole expression."""
    assert quoted('a" OR "b\x00c') == '"a"" OR ""b c"'


def test_thirty_two_words_are_answered_and_more_refused(root: Path, cache: Path) -> None:
    """The engine's parser has a bounded depth; nothing reaches it."""
    words = [f"word{number} -lake{number}" for number in range(16)]
    assert found(root, cache, " ".join(words)) == []
    with pytest.raises(SetupError, match="more than 32"):
        parse_query(" ".join([*words, "another"]))


@given(st.text(st.sampled_from("ab 夕方の橋ー。"), max_size=12))
def test_separating_and_joining_loses_no_letter(text: str) -> None:
    """Han and kana stand apart in the index, and together where they are shown."""
    assert "".join(separated(text).split()) == "".join(text.split())
    assert joined(separated("夕方の橋 at dusk")) == "夕方の橋 at dusk"


def test_an_index_is_made_once_outside_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second search reads no table; the dataset's files stay as they were."""
    root, cache = make(tmp_path / "d"), tmp_path / "cache"
    before = contents(root)
    assert found(root, cache, "snow")
    monkeypatch.setattr(indexing, "chip_texts", lambda *_: pytest.fail("it was made again"))
    assert found(root, cache, "lake")
    assert contents(root) == before
    (path,) = cache.rglob("*.sqlite")
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_a_stale_torn_or_unfinished_index_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage is noticed, other regions give another index, and a stop leaves none."""
    root, cache = make(tmp_path / "d"), tmp_path / "cache"
    expected = found(root, cache, "snow")
    (path,) = cache.rglob("*.sqlite")
    whole = path.read_bytes()
    inside = whole[:4096] + b"\xff" * (len(whole) - 8192) + whole[-4096:]
    for damage in (b"", whole[: len(whole) // 2], b"x" * len(whole), inside):
        path.write_bytes(damage)
        assert found(root, cache, "snow") == expected
        assert path.stat().st_size == len(whole)
    search(Scope(str(root), {}, cache), "snow")
    (other,) = cache.rglob("*.sqlite")
    assert other.name != path.name
    other.unlink()

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(indexing, "chip_texts", stopped)
    with pytest.raises(KeyboardInterrupt):
        found(root, cache, "snow")
    assert [one for one in cache.rglob("*") if one.is_file()] == []


def test_words_of_a_revoked_version_go(tmp_path: Path) -> None:
    """The next search removes them, although it has nothing to answer with."""
    root, cache = make(tmp_path / "d"), tmp_path / "cache"
    assert found(root, cache, "snow")
    (root / MANIFESTS / "v0001" / REVOKED).write_text("{}")
    with pytest.raises(SetupError, match="was revoked"):
        found(root, cache, "snow")
    assert list(cache.rglob("*.sqlite")) == []


def test_words_of_a_version_revoked_meanwhile_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the tables and giving the index its name."""
    root, cache = make(tmp_path / "d"), tmp_path / "cache"
    write = indexing._write

    def revoking(*arguments: Any) -> None:
        write(*arguments)
        (root / MANIFESTS / "v0001" / REVOKED).write_text("{}")

    monkeypatch.setattr(indexing, "_write", revoking)
    with pytest.raises(SetupError, match="revoked meanwhile"):
        found(root, cache, "snow")
    assert [one for one in cache.rglob("*") if one.is_file()] == []


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    """Half an index may have the words of a photo that was forgotten since."""
    root, cache = make(tmp_path / "d"), tmp_path / "cache"
    assert found(root, cache, "snow")
    folder = next(cache.rglob("*.sqlite")).parent
    old, young = folder / ".v0001-a.sqlite.1.part", folder / ".v0001-b.sqlite.2.part"
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert found(root, cache, "snow")
    assert (old.exists(), young.exists()) == (False, True)
    drop_indices(open_store(str(root)).root, cache)
    assert list(folder.iterdir()) == []


def test_all_indices_of_a_dataset_can_be_dropped(tmp_path: Path) -> None:
    """Of that dataset alone, as forgetting does on the machine where it runs."""
    one, other, cache = make(tmp_path / "d"), make(tmp_path / "e"), tmp_path / "cache"
    assert found(one, cache, "snow") == found(other, cache, "snow")
    assert drop_indices(open_store(str(one)).root, cache) == 1
    assert len(list(cache.rglob("*.sqlite"))) == 1


def test_the_command_prints_and_ends_as_it_says(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text or JSON, control characters as escapes, notes, and exit code 1 for nothing."""
    monkeypatch.setenv("TERRAPAIR_SEARCH_CACHE", str(cache))
    done = terrapair("search", "x", "--root", str(root))
    assert done.exit_code == 0, done.output
    assert "south  1 of 1 words" in done.stdout
    assert "<b>x</b>\\x1b[2J" in done.stdout
    assert "\x1b" not in done.output
    done = terrapair("search", "snow", "city", "--root", str(root), "--json", "--limit", "1")
    told = json.loads(done.stdout)
    assert [one["chip_id"] for one in told["results"]] == ["alp"]
    assert (told["results"][0]["matched"], told["results"][0]["asked"]) == (1, 2)
    assert "cannot tell city" in told["notes"][0]
    done = terrapair("search", "zzz", "--root", str(root))
    assert done.exit_code == 1
    assert "nothing was found" in done.stderr
    done = terrapair("search", "zzz", "--root", str(root), "--json")
    assert (done.exit_code, json.loads(done.stdout)["results"]) == (1, [])


def test_a_dataset_on_object_storage_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index lies on this machine."""
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        uri = f"s3://{server.bucket}/words"
        make(tmp_path, open_store(uri))
        told = search(Scope(uri, CATALOGUE.regions, tmp_path / "cache"), "snow in winter")
    assert [one["chip_id"] for one in told["results"]][:2] == ["alp", "mixed"]


def test_an_index_cannot_be_written_by_a_search(root: Path, cache: Path) -> None:
    """It is opened to be read."""
    found(root, cache, "snow")
    (path,) = cache.rglob("*.sqlite")
    with closing(opened(path)) as base, pytest.raises(sqlite3.OperationalError):
        base.execute("DELETE FROM chips")
    assert os.access(path, os.R_OK)


def test_queries_from_the_worlds_truth_find_the_right_kind(built: Path, cache: Path) -> None:
    """Judged by the world's own land cover and the scene's date; the benchmark asks many more."""
    known = truths(built, Landcover(3))
    asked = queries(known.values(), 40)
    told = [
        judged(one, search(Scope(str(built), CATALOGUE.regions, cache), one.text)["results"], known)
        for one in asked
    ]
    assert sum(map(any, told)) >= 0.9 * len(asked)
