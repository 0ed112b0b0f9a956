"""Answers a query by a model: the chips whose picture, photos or text lie nearest to the words."""

from __future__ import annotations

import contextlib
import heapq
from typing import TYPE_CHECKING, Any, Final

from flows.progress import no_progress
from flows.search.embeddings import embeddings_of, read_embeddings
from flows.search.indexing import opened
from flows.search.queries import joined
from flows.search.scope import open_index
from flows.search.searching import record_of

if TYPE_CHECKING:
    from flows.progress import Progress
    from flows.search.clip_models import ClipModel
    from flows.search.embeddings import Kind
    from flows.search.scope import Scope

_WORDS_SHOWN: Final = 80
"""Letters of titles and tags that are shown."""


def search_by_model(
    scope: Scope,
    asked: str,
    model: ClipModel,
    *,
    by: Kind = "chips",
    limit: int = 10,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Finds chips by how near they lie to words in a model's space.

    Args:
        scope: Where is looked.
        asked: What is looked for; all of it is the model's to understand.
        model: The model.
        by: What is compared with the words; of a chip with several photos, the nearest.
        limit: Chips, at most.
        progress: Hears how far it is.

    Returns:
        As `flows.search.searching.search`; `score` is the cosine of the angle between the two.

    Raises:
        SetupError: As there, or if the version was revoked meanwhile.
    """
    index = open_index(scope, progress)
    folder = embeddings_of(
        index.store, index.version, model, by, scope.cache, index.regions, progress
    )  # fmt: skip
    wanted = model.texts([asked])[0]
    condition, values = index.wanted.condition()
    with contextlib.closing(opened(index.path)) as base:
        these = f"SELECT chip_id, number FROM chips WHERE {condition}"  # noqa: S608
        numbers = dict(base.execute(these, values))
        best: dict[int, float] = {}
        for chips, _, embeddings in read_embeddings(folder):
            for chip, score in zip(chips, (embeddings @ wanted).tolist(), strict=True):
                number = numbers.get(chip)
                if number is not None and score > best.get(number, -2.0):
                    best[number] = score
        chosen = heapq.nsmallest(limit, best.items(), key=lambda one: (-one[1], one[0]))
        results = []
        for number, score in chosen:
            title, tags = base.execute(
                "SELECT title, tags FROM words WHERE rowid = ?", [number]
            ).fetchone()
            words = " · ".join(one for one in (joined(title), joined(tags)) if one)
            results.append(
                record_of(base, number)
                | {"score": round(score, 4), "matched": None, "asked": None,
                   "words": words[:_WORDS_SHOWN]}
            )  # fmt: skip
    return {"query": asked, "version": index.version.name, "notes": [], "found": len(best),
            "results": results}  # fmt: skip
