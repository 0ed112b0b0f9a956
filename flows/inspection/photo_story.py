"""The whole story of one photo, from the box in which it was found to the chips that it lies in."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from collectors.cells import Cell, tile_at, tile_box
from collectors.storage import Missing, open_store
from filters.selection import BOXES_ACROSS
from flows.cells.state import read_commit
from flows.inspection.explanations import REJECTED, UNPAIRED, explain
from flows.inspection.judgements import ended, judgements
from flows.inspection.printing import (
    busy,
    harmless,
    paged,
    print_record,
    print_table,
)
from flows.inspection.rows_view import as_records
from flows.inspection.version_query import add_views, open_version

if TYPE_CHECKING:
    import duckdb
    from rich.console import Console

    from collectors.storage import Store


class UnknownIdError(LookupError):
    """There is nothing of that id in a version."""


def photo_story(root: str, photo_id: str, version: str | None = None) -> dict[str, Any]:
    """Returns all that a dataset knows of a photo, kept or not.

    Args:
        root: The dataset.
        photo_id: Flickr's id.
        version: The newest by default.

    Returns:
        For JSON: how it ended and why, its row, where and when it was found, every judgement, its
        pairs or why there are none, where its bytes are, and cells whose row was left out.

    Raises:
        UnknownIdError: If no table of the version has it.
    """
    store = open_store(root, writable=False)
    with open_version(root, version, ("photos",)) as (found, base):
        row = _row(base, "photos", photo_id)
        pairs: list[dict[str, Any]] = []
        if row is not None:
            add_views(base, store, found, ("pairs", "chips"))
            pairs = _pairs(base, row)
        else:
            add_views(base, store, found, ("rejects",))
            row = _row(base, "rejects", photo_id)
        if row is None:
            held = found.rows("photos") + found.rows("rejects")
            raise UnknownIdError(
                f"photo {harmless(photo_id)} is none of the {held:,} photos that {found.name} of"
                f" {root} has seen. An id is the number in the address of the photo's page;"
                " `terrapair catalog find --photo ID` looks through all versions, and through cells"
                " that are not published yet."
            )
        survey = _survey(store, row)
        owner_photos = base.execute(
            "SELECT count(*) FROM photos WHERE cell = ? AND owner = ?", [row["cell"], row["owner"]]
        ).fetchall()[0][0]
    settled = found.manifest.get("settled_duplicates", {})
    unpaired = row.pop("unpaired", {})
    return {
        "photo_id": photo_id,
        "version": found.name,
        "ended": ended(row),
        "stage": row.get("stage"),
        "reason": row.get("reason"),
        "because": explain(REJECTED, row.get("reason")),
        "stands_for_it": _stands_for_it(row),
        "row": row,
        "found": _found(row, survey),
        "judgements": judgements(row, found.manifest["rules"], survey, owner_photos),
        "pairs": pairs,
        "unpaired": [
            {"sensor": sensor, "reason": reason, "because": explain(UNPAIRED, reason)}
            for sensor, reason in sorted(unpaired.items())
        ],
        "bytes": _bytes(store, row),
        "also_seen_in_cells": settled.get(photo_id, []),
    }


def _row(base: duckdb.DuckDBPyConnection, product: str, photo_id: str) -> dict[str, Any] | None:
    """Returns a photo's row, of photos or rejects, without its geometry."""
    base.execute(
        f"SELECT * EXCLUDE (geometry, bbox) FROM {product} WHERE photo_id = ?",  # noqa: S608
        [photo_id],
    )
    found = as_records(base)
    return found[0] if found else None


def _pairs(base: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a photo's pairs, each with what is known of its chip's scene."""
    # A photo, its pairs and their chips are of one cell, which is one row group.
    here = [row["photo_id"], row["cell"]]
    base.execute("SELECT * FROM pairs WHERE photo_id = ? AND cell = ?", here)
    pairs = []
    for pair in as_records(base):
        base.execute(
            "SELECT scene_id, acquired_at, cloud_chip_pct FROM chips WHERE chip_id = ?"
            " AND cell = ?",
            [pair["chip_id"], row["cell"]],
        )
        both = pair | as_records(base)[0]
        pairs.append({name: both[name] for name in both if name not in {"photo_id", "cell"}})
    return pairs


def _survey(store: Store, row: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the survey with which a photo came; None if that commit is no longer there."""
    try:
        surveyed = read_commit(store, row["cell"], row["generation"])["surveyed"]
    except Missing:
        return None
    return dict(surveyed[-1]) if surveyed else None


def _found(row: dict[str, Any], survey: dict[str, Any] | None) -> dict[str, Any]:
    """Returns where and when a photo was found."""
    box = Cell.parse(row["cell"]).box
    told: dict[str, Any] = {
        "cell": row["cell"],
        "cell_box": [box.west, box.south, box.east, box.north],
        "generation": row["generation"],
    }
    if row["lon"] is not None and box.holds(row["lon"], row["lat"]):
        told["probe_box"] = _probe_box(row)
    if survey is not None:
        told |= {
            "searched_days": f"{survey['taken_from']} to {survey['taken_until']}",
            "uploaded_until": survey["uploaded_until"],
            "searches": len(survey["found"]),
            "search_ended": survey["ended"],
        }
    return told


def _probe_box(row: dict[str, Any]) -> list[float]:
    """Returns the box of about 10 km, one of 100 in its cell, from which a photo was drawn."""
    box = tile_box(*tile_at(row["lon"], row["lat"], BOXES_ACROSS), BOXES_ACROSS)
    return [round(edge, 6) for edge in (box.west, box.south, box.east, box.north)]


def _stands_for_it(row: dict[str, Any]) -> str | None:
    """Returns the id of the photo that is kept in a rejected one's place."""
    return row["detail"] if row.get("reason") in {"burst", "same_picture"} else None


def _bytes(store: Store, row: dict[str, Any]) -> dict[str, Any] | None:
    """Returns where a photo's bytes are; None if it has none."""
    if "shard" not in row:
        return None
    place = {name: row[name] for name in ("shard", "offset", "size", "sha256")}
    path = store.gdal_path(row["shard"])
    return place | {"gdal": f"/vsisubfile/{row['offset']}_{row['size']},{path}"}


def show_photo(
    console: Console, root: str, photo_id: str, version: str | None, *, as_json: bool
) -> None:
    """Prints the story of a photo.

    Raises:
        UnknownIdError: If no table of the version has it.
    """
    with busy("looking for the photo"):
        story = photo_story(root, photo_id, version)
    if as_json:
        console.print_json(json.dumps(story))
        return
    with paged(console):
        _print_story(console, story)


def _print_story(console: Console, story: dict[str, Any]) -> None:
    row = story["row"]
    how = story["ended"]
    if story["because"]:
        how += f" at {story['stage']} as {story['reason']}: {story['because']}"
        if story["stands_for_it"]:
            how += f" ({story['stands_for_it']})"
    console.print(Text(f"photo {story['photo_id']} in {story['version']}: {how}", "bold"))
    names = ("title", "owner", "taken_at", "taken_at_utc", "time_zone", "uploaded_at", "lon", "lat",
             "licence", "attribution", "page_url", "tags")  # fmt: skip
    print_record(console, {name: row[name] for name in names if name in row})
    print_record(console, story["found"], "Found")
    print_table(console, "Judged", story["judgements"])
    for pair in story["pairs"]:
        print_record(console, pair, f"In a chip of {pair['sensor']}")
    if story["unpaired"]:
        print_table(console, "Without a pair", story["unpaired"])
    if story["bytes"]:
        place = dict(story["bytes"])
        path = place.pop("gdal")
        print_record(console, place, "Bytes")
        console.print(Text(f"Open it: gdalinfo {shlex.quote(path)}\n"), soft_wrap=True)
    if story["also_seen_in_cells"]:
        cells = ", ".join(story["also_seen_in_cells"])
        console.print(Text(f"Also seen in {cells}, whose rows are left out."))
