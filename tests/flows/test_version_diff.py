"""What changed between two versions, and where anything of a photo or an owner is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from collectors.storage import Store, open_store
from flows.cells.state import CellState, commit_cell
from flows.inspection.occurrences import find_occurrences
from flows.inspection.version_diff import compare_versions
from flows.publishing.publish import publish
from tests.flows.product_rows import CATALOGUE, chip, pair, photo, reject
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = "r118c055", "r118c056", "r118c057"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two versions, and a cell that was committed after the second."""
    store = open_store(str(tmp_path / "d"))
    without = replace(chip("c2", A, 0), outcome="rejected", reason="no_scene", scene_id=None)
    first = CellState(
        A, 1, photos=(photo("1", A), photo("2", A), photo("9", A)),
        rejects=(reject("3", A, reason="over_quota", stage="select"), reject("4", A)),
        chips=(chip("c1", A, 2), without, chip("c3", A, 0)),
        pairs=(pair("1", "c1", A), pair("2", "c1", A)),
    )  # fmt: skip
    same = CellState(B, 1, photos=(photo("10", B),), rejects=(reject("11", B, owner="7@N01"),))
    for state in (first, same):
        assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    second = CellState(
        A, 2,
        photos=(
            photo("1", A), photo("3", A, generation=2, owner="7@N01"),
            photo("5", A, generation=2), photo("9", A, title="another"),
        ),
        rejects=(reject("2", A, reason="indoor", stage="judge"), reject("4", A)),
        chips=(chip("c1", A, 1), chip("c2", A, 1), replace(chip("c3", A, 0), scene_id="z")),
        pairs=(pair("1", "c1", A), replace(pair("3", "c2", A), generation=2)),
    )  # fmt: skip
    assert commit_cell(store, second, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    fresh = CellState(C, 1, photos=(photo("20", C, owner="8@N01"),), rejects=(reject("1", C),))
    assert commit_cell(store, fresh, CATALOGUE, 0)
    return store


def test_a_difference_says_what_by_cell_and_by_reason(store: Store) -> None:
    """New, gone and changed rows; what photos were before and are now; how chips changed."""
    found = compare_versions(store.root, "v0001", "v0002")
    counts = {
        product: (one["new"], one["gone"], one["changed"])
        for product, one in found["products"].items()
    }
    assert counts == {"photos": (2, 1, 1), "rejects": (1, 1, 0), "chips": (0, 0, 3),
                      "pairs": (1, 1, 0)}  # fmt: skip
    assert found["products"]["photos"]["columns"] == {"title": 1}
    assert found["photos_new"] == {"not seen before": 1, "rejected before: over_quota": 1}
    assert found["photos_gone"] == {"now rejected: indoor": 1}
    assert found["rejects_new"] == {"judge: indoor": 1}
    assert found["rejects_gone"] == {"select: over_quota": 1}
    assert found["chips_changed"] == {
        "got pixels": 1, "other number of photos": 1, "other scene": 1,
    }  # fmt: skip
    assert set(found["by_cell"]) == {A}
    assert found["by_cell"][A]["new_photos"] == 2
    assert found["by_cell"][A]["changed_chips"] == 3


def test_a_difference_turns_around(store: Store) -> None:
    """What is new one way is gone the other way."""
    there = compare_versions(store.root, "v0001", "v0002")["products"]
    back = compare_versions(store.root, "v0002", "v0001")["products"]
    for product, one in there.items():
        assert (one["new"], one["gone"], one["changed"]) == (
            back[product]["gone"], back[product]["new"], back[product]["changed"],
        )  # fmt: skip


def test_a_difference_is_printed(store: Store) -> None:
    """As tables, as JSON, and names that are none are told with those that exist."""
    asked = ["catalog", "diff", "v0001", "v0002", "--root", store.root]
    done = terrapair(*asked)
    assert done.exit_code == 0, done.output
    assert "From v0001 to v0002" in done.output
    assert "now rejected: indoor" in done.output
    assert json.loads(terrapair(*asked, "--json").output)["to"] == "v0002"
    assert terrapair(*asked[:3], "v0001", *asked[4:]).exit_code == 2
    done = terrapair(*asked[:3], "v0009", *asked[4:])
    assert done.exit_code == 2
    assert "v0001, v0002" in done.output


def test_versions_are_listed(store: Store) -> None:
    """Oldest first, with their rows."""
    done = terrapair("catalog", "versions", "--root", store.root, "--json")
    assert [(one["version"], one["photos"], one["cells"]) for one in json.loads(done.output)] == [
        ("v0001", 4, 2), ("v0002", 5, 2),
    ]  # fmt: skip
    assert "v0002" in terrapair("catalog", "versions", "--root", store.root).output


def test_a_photo_is_found_in_whatever_has_it(store: Store) -> None:
    """Each version with kept or rejected, and cells that no version has yet."""
    found = {one["where"]: one for one in find_occurrences(store.root, "photo_id", "2")}
    assert {name: (one["kept"], one["rejected"], one["pairs"]) for name, one in found.items()} == {
        "v0001": (1, 0, 1), "v0002": (0, 1, 0),
    }  # fmt: skip
    found = {one["where"]: one for one in find_occurrences(store.root, "photo_id", "1")}
    assert found["cells not yet published"]["cells"] == [C]
    assert set(found) == {"v0001", "v0002", "cells not yet published"}


def test_cells_of_a_revoked_version_are_looked_through(store: Store) -> None:
    """Their rows are in no version that is still there, and the next one has them again."""
    assert store.create("manifests/v0002/REVOKED.json", b"{}")
    found = {one["where"]: one for one in find_occurrences(store.root, "photo_id", "5")}
    assert {name: (one["kept"], one["cells"]) for name, one in found.items()} == {
        "cells not yet published": (1, [A]),
    }  # fmt: skip
    store.create("manifests/v0001/REVOKED.json", b"{}")
    (only,) = find_occurrences(store.root, "photo_id", "10")
    assert (only["where"], only["cells"]) == ("cells not yet published", [B])


def test_an_owner_is_found_by_all_that_is_theirs(store: Store) -> None:
    """Kept and rejected in the versions, and in what is not published yet."""
    found = {one["where"]: one for one in find_occurrences(store.root, "owner", "7@N01")}
    assert (found["v0001"]["kept"], found["v0001"]["rejected"]) == (0, 1)
    assert (found["v0002"]["kept"], found["v0002"]["rejected"], found["v0002"]["pairs"]) == (
        1, 1, 1,
    )  # fmt: skip
    (only,) = find_occurrences(store.root, "owner", "8@N01")
    assert (only["where"], only["kept"]) == ("cells not yet published", 1)


def test_the_answer_is_the_exit_code(store: Store) -> None:
    """0 if there is something, 1 if there is nothing, 2 if nothing sensible was asked."""
    asked = ["catalog", "find", "--root", store.root]
    assert terrapair(*asked, "--photo", "20").exit_code == 0
    done = terrapair(*asked, "--photo", "999")
    assert done.exit_code == 1
    assert "nothing of photo 999" in done.output
    done = terrapair(*asked, "--owner", "' OR 1=1 --", "--json")
    assert done.exit_code == 1
    assert json.loads(done.output)["found"] == []
    assert terrapair(*asked).exit_code == 2
    assert terrapair(*asked, "--photo", "1", "--owner", "1@N01").exit_code == 2
    help_text = " ".join(terrapair("catalog", "find", "--help").output.split())
    assert "Exit code 0 if there is something, 1 if there is nothing" in help_text
