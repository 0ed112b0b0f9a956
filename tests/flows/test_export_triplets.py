"""`export triplets`, held to the version's own tables."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import shapely

from collectors.transport import SetupError
from filters.splits import Split
from filters.triplets import Reason, block_name, split_of_block, time_block
from flows.catalogue.catalogue import load_catalogue
from flows.exports import triplets
from flows.exports.triplet_rows import SCHEMA, TripletForm
from flows.exports.triplets import export_triplets
from tests.flows.exported import Truth, check_record, contents, with_hostile_words
from tests.flows.runs import SHIPPED
from tests.flows.search_queries import season
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = load_catalogue(SHIPPED).regions


@pytest.fixture(scope="module")
def truth(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A version whose photos have titles that mean harm."""
    return Truth.of(with_hostile_words(built, tmp_path_factory.mktemp("triplets") / "dataset"))


def exported(truth: Truth, folder: Path, form: TripletForm) -> list[dict[str, Any]]:
    """Exports triplets and reads them."""
    export_triplets(str(truth.root), str(folder), form, REGIONS)
    check_record(folder)
    return [json.loads(line) for path in sorted(folder.glob("triplets/*.jsonl"))
            for line in path.read_text("ascii").splitlines()]  # fmt: skip


def near(one: str, other: str) -> bool:
    """Says whether two pictures' hashes are near: the whole of one to any window of the other."""
    mine, yours = ([int(text[at : at + 16], 16) for at in range(0, len(text), 16)]
                   for text in (one, other))  # fmt: skip
    return any((mine[0] ^ two).bit_count() <= 14 for two in yours) or any(
        (yours[0] ^ two).bit_count() <= 14 for two in mine
    )


def test_no_negative_is_near_alike_or_of_another_split(truth: Truth, tmp_path: Path) -> None:
    """By brute force, from footprints, dates, land cover, hashes and splits of the tables."""
    rows = exported(truth, tmp_path / "t", TripletForm(time_shares=(40, 30, 30)))
    assert {row["reason"] for row in rows} == {reason.value for reason in Reason}
    hashes: dict[str, list[str]] = {}
    grounds: dict[str, set[str]] = {}
    for (chip, photo), pair in truth.pairs.items():
        grounds.setdefault(chip, set()).add(pair["split"])
        hashes.setdefault(chip, []).append(truth.photos[photo]["picture_hash"])
    seed = json.loads((truth.root / "manifests/v0001/manifest.json").read_text())["seed"]
    for row in rows:
        one, other = truth.chips[row["anchor"]], truth.chips[row["negative"]]
        mine, yours = (shapely.from_wkb(chip["geometry"]) for chip in (one, other))
        assert not mine.intersects(yours)
        assert not any(
            near(a, b) for a in hashes[row["anchor"]] for b in hashes[row["negative"]] if a and b
        )
        assert one["sensor"] == other["sensor"] == row["sensor"]
        days = [chip["acquired_at"].date() for chip in (one, other)]
        for chip, day in zip((row["anchor"], row["negative"]), days, strict=True):
            assert grounds[chip] - {"none"} == {row["split"]}
            block = time_block(day.year, day.month, quarters=True)
            assert split_of_block(block, seed, (40, 30, 30)) == row["split"]
        assert row["anchor_time"] == block_name(time_block(
            days[0].year, days[0].month, quarters=True
        ))  # fmt: skip
        seasons = [season(day, shape.centroid.y)
                   for day, shape in zip(days, (mine, yours), strict=True)]  # fmt: skip
        far = row["distance_m"] >= 100_000
        differs = set(row["differs"])
        assert far == ("place" in differs)
        assert (seasons[0] != seasons[1]) >= ("season" in differs)
        assert differs
        if row["reason"] == "hard":
            assert len(differs) == 1
            assert (seasons[0] != seasons[1]) == (differs == {"season"})
            covers = [dict(chip["cover"]) for chip in (one, other)]
            common = sum(min(share, covers[1].get(name, 0)) for name, share in covers[0].items())
            assert common <= 50 if differs == {"land cover"} else common >= 70
        else:
            wanted = {"far": "place", "other season": "season", "other land cover": "land cover"}
            assert wanted[row["reason"]] in differs
            assert len(differs) >= 2


def test_rows_say_where_bytes_are_and_whose_words(truth: Truth, tmp_path: Path) -> None:
    """Hostile titles are text of one split; times and grounds are on one side alone."""
    rows = exported(truth, tmp_path / "t", TripletForm(blocks="none"))
    sides: dict[str, set[str]] = {}
    for row in rows:
        for word in ("anchor", "negative"):
            chip = truth.chips[row[word]]
            assert [row[f"{word}_{name}"] for name in ("shard", "offset", "size", "sha256")] == [
                chip[name] for name in ("shard", "offset", "size", "sha256")
            ]
            sides.setdefault(row[word], set()).add(row["split"])
        for photo in row["photos"]:
            assert truth.pairs[row["anchor"], photo]["split"] == row["split"]
            title = " ".join(truth.photos[photo]["title"].split())
            assert not title or title in row["titles"]
        assert row["positive"] != row["negative_text"]
        assert list(row) == SCHEMA.names
    assert all(len(one) == 1 for one in sides.values())


def test_a_stopped_export_goes_on_with_the_same_bytes(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any portion; done again, nothing is written; Parquet has the same rows."""
    monkeypatch.setattr(triplets, "ANCHORS_OF_A_PORTION", 7)
    form = TripletForm(blocks="none")
    rows = exported(truth, tmp_path / "whole", form)
    write = triplets._write_portion
    left = 3

    def stopping(*given: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        write(*given)

    monkeypatch.setattr(triplets, "_write_portion", stopping)
    with pytest.raises(KeyboardInterrupt):
        exported(truth, tmp_path / "stopped", form)
    assert not (tmp_path / "stopped" / "export.json").exists()
    left = -1
    assert exported(truth, tmp_path / "stopped", form) == rows
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    parquet = TripletForm("parquet", blocks="none")
    export_triplets(str(truth.root), str(tmp_path / "p"), parquet, REGIONS)
    found = [row for path in sorted((tmp_path / "p").glob("triplets/*.parquet"))
             for row in pq.read_table(path, schema=SCHEMA).to_pylist()]  # fmt: skip
    assert found == rows


def test_splits_by_time_hold_beside_those_by_ground(truth: Truth, tmp_path: Path) -> None:
    """One split alone has the rows that it has among all; wrong shares are refused."""
    form = TripletForm(blocks="year", time_shares=(50, 25, 25))
    rows = exported(truth, tmp_path / "all", form)
    times = {split: {row[name] for row in rows if row["split"] == split
                     for name in ("anchor_time", "negative_time")} for split in Split}  # fmt: skip
    for one, other in pairwise((Split.TRAIN, Split.VAL, Split.TEST)):
        assert not times[one] & times[other]
    export_triplets(
        str(truth.root), str(tmp_path / "train"), form, REGIONS, split=Split.TRAIN,
        sensor="sentinel2",
    )  # fmt: skip
    alone = [json.loads(line) for path in sorted((tmp_path / "train").glob("triplets/*"))
             for line in path.read_text("ascii").splitlines()]  # fmt: skip
    assert alone == [row for row in rows if (row["split"], row["sensor"]) == ("train", "sentinel2")]
    with pytest.raises(SetupError, match="add up to 100"):
        TripletForm(time_shares=(50, 25, 20))


def test_the_command_says_what_there_is(truth: Truth, tmp_path: Path) -> None:
    """Counts by split and reason; a folder with something else is refused."""
    command = ("export", "triplets", "--root", str(truth.root), "--output", str(tmp_path / "t"))
    done = terrapair(*command, "--blocks", "none")
    assert done.exit_code == 0, done.output
    record = json.loads(terrapair(*command, "--blocks", "none", "--json").stdout)
    assert f"{record['counts']['triplets']:,} of" in done.output
    assert sum(record["counts"]["triplets_by_reason"].values()) == record["counts"]["triplets"]
    assert terrapair(*command, "--blocks", "year").exit_code == 2
