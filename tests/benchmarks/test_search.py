"""Whether words find the right kind of chip, and how long an index of many chips takes."""

from __future__ import annotations

import time
from math import comb
from typing import TYPE_CHECKING, Final

import pytest

from collectors.sandbox import Sandbox
from collectors.sandbox.landcover import Landcover
from flows.catalogue.catalogue import load_catalogue
from flows.search.scope import Scope
from flows.search.searching import search
from tests.benchmarks.lines import report
from tests.flows.runs import SHIPPED, Run
from tests.flows.search_queries import judged, queries, truths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.search_queries import Asked, Truth

pytestmark = pytest.mark.benchmark

QUERIES: Final = 200
SEED: Final = 5


def by_chance(asked: Asked, known: list[Truth]) -> float:
    """Returns how likely ten chips at random would have a right one among them."""
    right = sum(asked.right(one) for one in known)
    return 1 - comb(len(known) - right, 10) / comb(len(known), 10)


def test_words_find_the_right_kind(weights: Path, tmp_path: Path) -> None:
    """200 queries from the world's own land cover and seasons, judged by these alone."""
    root, cache = tmp_path / "dataset", tmp_path / "cache"
    with Sandbox(seed=SEED, weights=weights) as box:
        Run(box, SHIPPED, tmp_path / "run").build(root, cells=3)
    known = truths(root, Landcover(SEED))
    regions = load_catalogue(SHIPPED).regions
    begun = time.perf_counter()
    search(Scope(str(root), regions, cache), "snow")
    indexing_s = time.perf_counter() - begun
    asked = queries(known.values(), QUERIES)
    begun = time.perf_counter()
    told = [judged(one, search(Scope(str(root), regions, cache), one.text)["results"], known)
            for one in asked]  # fmt: skip
    each_ms = 1000 * (time.perf_counter() - begun) / QUERIES
    truth = list(known.values())
    possible = [min(10, sum(one.right(other) for other in truth)) for one in asked]
    right = sum(map(any, told)) / QUERIES
    report(
        "search_top10_right", right, "share of queries", "at least 0.9", queries=QUERIES,
        chips=len(known), kinds=len({(one.kind, one.season) for one in truth}),
        first_right=sum(one[0] for one in told if one) / QUERIES,
        right_of_the_possible=sum(sum(one) for one in told) / sum(possible),
        by_chance=round(sum(by_chance(one, truth) for one in asked) / QUERIES, 3),
        indexing_s=round(indexing_s, 2), each_ms=round(each_ms, 1),
    )  # fmt: skip
    assert right >= 0.9
