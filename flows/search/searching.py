"""Answers a query from an index.

A chip that has more of what was asked for comes before one that has less. Among equals what was
measured counts first: of words for land cover or a season, how many hold, and how much of the chip
they hold for, to a tenth. What is written by owners settles the rest, by BM25 with weights.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from flows.progress import no_progress
from flows.search.indexing import COLUMNS, opened
from flows.search.queries import joined, parse_query
from flows.search.scope import open_index
from flows.wording.chip_texts import WORTH_A_WORD_PCT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.progress import Progress
    from flows.search.queries import Query, Term
    from flows.search.scope import Scope, Wanted

WEIGHTS: Final[Mapping[str, float]] = {
    "cover": 4.0, "season": 4.0, "date": 3.0, "place": 3.0, "title": 2.0, "tags": 1.0,
}  # fmt: skip
"""What a word counts for by where it stands: what was measured before what was written."""

_SNIPPET: Final = " || ' · ' || ".join(
    f"snippet(words, {COLUMNS.index(name)}, '', '', '…', 12)" for name in ("title", "tags")
)
"""What photos are called, some words around those that were looked for."""


_MATCHES: Final = "(chips.number IN (SELECT rowid FROM words WHERE words MATCH ?))"
"""Whether a chip has what one expression asks for."""


def search(
    scope: Scope, asked: str, *, limit: int = 10, progress: Progress = no_progress
) -> dict[str, Any]:  # fmt: skip
    """Finds chips by words.

    Args:
        scope: Where is looked.
        asked: What is looked for: words, "phrases", -exclusions.
        limit: Chips, at most.
        progress: Hears how far making the index is.

    Returns:
        For JSON: `query`, `version`, `notes`, `found` (how many chips have anything of it) and
        `results`, best first.

    Raises:
        SetupError: If there is nothing to look for, no such version, region or sensor.
        StorageError: If the root cannot be read.
    """
    query = parse_query(asked)
    index = open_index(scope, progress)
    try:
        with contextlib.closing(opened(index.path)) as base:
            found, results = answer(base, query, index.wanted, limit)
    except sqlite3.DatabaseError:  # damaged inside, which only reading it all would have shown
        index.path.unlink(missing_ok=True)
        with contextlib.closing(opened(open_index(scope, progress).path)) as base:
            found, results = answer(base, query, index.wanted, limit)
    return {"query": asked, "version": index.version.name, "notes": list(query.notes),
            "found": found, "results": results}  # fmt: skip


def answer(
    base: sqlite3.Connection, query: Query, wanted: Wanted, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """Returns how many chips have anything of what is asked for, and the best of them.

    Args:
        base: The index.
        query: What is asked for.
        wanted: Which chips may be found.
        limit: Chips, at most.
    """
    terms = query.wanted
    ways = [term.expression for term in terms]
    any_of = " OR ".join(ways)
    (found,) = base.execute(*_asked("count(*)", any_of, query, wanted)).fetchone()
    # Those that have all of it come first: where there are enough, the others need no score.
    for expression in (" AND ".join(ways), any_of):
        rows = base.execute(*_ranking(expression, query, wanted, limit)).fetchall()
        if len(rows) == min(limit, found):
            break
    return found, [_result(base, row, len(terms), any_of) for row in rows]


def _asked(what: str, expression: str, query: Query, wanted: Wanted) -> tuple[str, list[Any]]:
    """Returns SQL that asks for something of the chips that fit, with its parameters.

    Everything that was typed is a parameter; what is put into the SQL is this module's own.
    """
    condition, values = wanted.condition()
    source: str = "chips"
    if expression:
        source = "words JOIN chips ON chips.number = words.rowid"
        condition, values = f"words MATCH ? AND {condition}", [expression, *values]
    condition += f" AND NOT {_MATCHES}" * len(query.excluded)
    values += [term.expression for term in query.excluded]
    return f"SELECT {what} FROM {source} WHERE {condition}", values  # noqa: S608


def _ranking(expression: str, query: Query, wanted: Wanted, limit: int) -> tuple[str, list[Any]]:
    """Returns SQL for number, terms matched and score of the best chips that fit."""
    terms = query.wanted
    matched = " + ".join([_MATCHES] * len(terms)) or "0"
    held, measured, of_facts = _facts(terms)
    weights = ", ".join(str(WEIGHTS[name]) for name in COLUMNS)
    score = f"bm25(words, {weights})" if terms else "0.0"
    what = (
        f"chips.number, {matched} AS matched, {held} AS held, {measured} AS measured,"
        f" {score} AS score"
    )
    sql, values = _asked(what, expression, query, wanted)
    order = " ORDER BY matched DESC, held DESC, measured DESC, score, chips.number LIMIT ?"
    return sql + order, [*(term.expression for term in terms), *of_facts, *values, limit]


def _facts(terms: Sequence[Term]) -> tuple[str, str, list[Any]]:
    """Returns, as SQL, how many of the measured things that are asked for hold, and how far.

    A class that covers a share s of the chip counts for s × (2 − s), in whole tenths; a season for
    ten tenths.
    """
    held, measured = ["0"], ["0"]
    of_held: list[Any] = []
    of_measured: list[Any] = []
    for term in terms:
        if term.classes:
            share = "(" + " + ".join(f"chips.{name}" for name in term.classes) + ")"
            held.append(f"({share} >= ?)")
            # Of two things asked for, some of both counts for more than all of one.
            measured.append(f"round({share} * (200 - {share}) / 1000.0)")
            of_held.append(WORTH_A_WORD_PCT)
        if term.season is not None:
            held.append("(chips.season = ?)")
            measured.append("10 * (chips.season = ?)")
            of_held.append(term.season.value)
            of_measured.append(term.season.value)
    return " + ".join(held), " + ".join(measured), [*of_held, *of_measured]


def _result(
    base: sqlite3.Connection, row: tuple[Any, ...], terms: int, any_of: str
) -> dict[str, Any]:
    number, matched, _, _, score = row
    words = ""
    if terms:
        (words,) = base.execute(
            f"SELECT {_SNIPPET} FROM words WHERE words MATCH ? AND rowid = ?",  # noqa: S608
            [any_of, number],
        ).fetchone()
    return record_of(base, number) | {
        "score": round(-score, 4), "matched": matched, "asked": terms,
        "words": joined(words).strip("· "),
    }  # fmt: skip


def record_of(base: sqlite3.Connection, number: int) -> dict[str, Any]:
    """Returns what an index knows of a chip, for JSON."""
    names = ("chip_id", "sensor", "day", "season", "place", "lon", "lat", "cover", "cover_words",
             "photos", "splits")  # fmt: skip
    values = base.execute(
        f"SELECT {', '.join(names)} FROM chips WHERE number = ?", [number]  # noqa: S608
    ).fetchone()  # fmt: skip
    found = dict(zip(names, values, strict=True))
    return {
        "chip_id": found["chip_id"], "sensor": found["sensor"], "date": found["day"],
        "season": found["season"] or None, "place": found["place"],
        "lon": round(found["lon"], 6), "lat": round(found["lat"], 6),
        "cover": None if found["cover"] is None else json.loads(found["cover"]),
        "cover_words": found["cover_words"], "photos": found["photos"],
        "splits": json.loads(found["splits"]),
    }  # fmt: skip
