"""The whole story of one chip: its scene, those that were refused, its photos, how to open it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from collectors.geo import ChipGrid
from collectors.storage import open_store
from flows.inspection.explanations import CHIP, REFUSED, explain
from flows.inspection.photo_story import UnknownIdError
from flows.inspection.printing import (
    busy,
    harmless,
    paged,
    print_record,
    print_table,
)
from flows.inspection.rows_view import as_records
from flows.inspection.version_query import open_version

if TYPE_CHECKING:
    from rich.console import Console

    from collectors.storage import Store


def chip_story(root: str, chip_id: str, version: str | None = None) -> dict[str, Any]:
    """Returns all that a dataset knows of a chip, with or without pixels.

    Args:
        root: The dataset.
        chip_id: Its id.
        version: The newest by default.

    Returns:
        For JSON: how it ended and why, its row, its scene, each measure with its limit, the refused
        scenes, its grid with its corners in degrees, how to open it, and its photos, nearest to its
        centre first.

    Raises:
        UnknownIdError: If the version has no such chip.
    """
    store = open_store(root, writable=False)
    with open_version(root, version, ("chips", "pairs", "photos")) as (found, base):
        base.execute("SELECT * EXCLUDE (geometry, bbox) FROM chips WHERE chip_id = ?", [chip_id])
        rows = as_records(base)
        if not rows:
            raise UnknownIdError(
                f"{harmless(chip_id)} is none of the {found.rows('chips'):,} chips of {found.name}"
                f" of {root}. Ids are sensor, zone, western and northern edge and time bin, such as"
                " sentinel2_10N_669330_4175150_2023Q1; `terrapair catalog show chips` lists them,"
                " and --version looks at another version."
            )
        row = rows[0]
        base.execute(
            "SELECT photo_id, row, col, distance_m, delta_days, uncertainty_px, split FROM pairs"
            " WHERE chip_id = ? AND cell = ? ORDER BY distance_m, photo_id",
            [chip_id, row["cell"]],
        )
        photos = as_records(base)
        ids = [photo["photo_id"] for photo in photos]
        base.execute(
            "SELECT photo_id, taken_at, licence, title, attribution, page_url FROM photos"
            " WHERE photo_id IN (SELECT unnest(?::VARCHAR[])) AND cell = ?",
            [ids, row["cell"]],
        )
        told = {photo["photo_id"]: photo for photo in as_records(base)}
    sensor = found.manifest["sensors"].get(row["sensor"], {})
    refused = row.pop("refused")
    return {
        "chip_id": chip_id,
        "version": found.name,
        "ended": row["outcome"],
        "reason": row["reason"],
        "because": explain(CHIP, row["reason"]),
        "scene": {
            "scene_id": row["scene_id"], "acquired_at": row["acquired_at"],
            "target_date": row["target_date"], "delta_days": row["delta_days"],
            "window_days": sensor.get("window_days"), "scene_rule": sensor.get("scene_rule"),
            "processing": row["processing"],
        },
        "measures": _measures(row),
        "refused": [one | {"because": explain(REFUSED, one["reason"])} for one in refused],
        "grid": _grid(row),
        "bytes": _bytes(store, row),
        "photos": [photo | told.get(photo["photo_id"], {}) for photo in photos],
        "cell": row["cell"],
        "generation": row["generation"],
        "time_bin": row["time_bin"],
    }  # fmt: skip


def _measures(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what was measured of a chip, each beside its limit."""
    missing = None if row["valid_pct"] is None else 100 - row["valid_pct"]

    def limit(word: str, name: str) -> str | None:
        return None if row[name] is None else f"{word} {row[name]:g} %"

    cover = row.get("cover") or {}  # versions of earlier releases have no such column
    shares = sorted(cover.items(), key=lambda one: (-one[1], one[0]))
    return [
        {"measure": "cloud in the whole scene", "percent": row["cloud_scene_pct"],
         "limit": limit("under", "scene_cloud_limit_pct")},
        {"measure": "cloud in the chip", "percent": row["cloud_chip_pct"],
         "limit": limit("at most", "chip_cloud_limit_pct")},
        {"measure": "cloud shadow in the chip", "percent": row["shadow_pct"], "limit": None},
        {"measure": "pixels without data", "percent": missing,
         "limit": limit("at most", "missing_limit_pct")},
        *({"measure": f"land cover: {name}", "percent": share, "limit": None}
          for name, share in shares),
    ]  # fmt: skip


def _grid(row: dict[str, Any]) -> dict[str, Any]:
    """Returns a chip's pixel grid, and where its corners lie."""
    grid = ChipGrid(
        row["crs"], row["transform"][2], row["transform"][5], row["scale_m"], row["width"]
    )
    names = ("crs", "transform", "width", "height", "scale_m", "source_gsd_m", "bands")
    corners = {"north_west": (0, 0), "north_east": (0, row["width"]),
               "south_east": (row["height"], row["width"]), "south_west": (row["height"], 0),
               "centre": (row["height"] / 2, row["width"] / 2)}  # fmt: skip
    degrees = {
        name: [round(edge, 6) for edge in grid.point_at(*place)] for name, place in corners.items()
    }
    return {name: row[name] for name in names} | degrees


def _bytes(store: Store, row: dict[str, Any]) -> dict[str, Any] | None:
    """Returns where a chip's bytes are and how to open them; None if it has none."""
    if row["shard"] is None:
        return None
    place = {name: row[name] for name in ("shard", "offset", "size", "sha256")}
    return place | {"gdal": f"/vsitar/{store.gdal_path(row['shard'])}/{row['chip_id']}.tif"}


def _brief(value: Any) -> Any:
    """Returns a number as people read it: pixels and metres to a tenth."""
    return round(value, 1) if isinstance(value, float) else value


def show_chip(
    console: Console, root: str, chip_id: str, version: str | None, *, as_json: bool
) -> None:
    """Prints the story of a chip.

    Raises:
        UnknownIdError: If the version has no such chip.
    """
    with busy("looking for the chip"):
        story = chip_story(root, chip_id, version)
    if as_json:
        console.print_json(json.dumps(story))
        return
    with paged(console):
        how = story["ended"] + (f": {story['because']}" if story["because"] else "")
        console.print(Text(f"chip {chip_id} in {story['version']}: {how}", "bold"))
        about = {name: story[name] for name in ("cell", "generation", "time_bin")}
        print_record(console, about | story["scene"], "Scene")
        print_table(console, "Measured", story["measures"])
        for number, one in enumerate(story["refused"], start=1):
            print_record(console, one, f"Tried before and refused, {number}")
        print_record(console, story["grid"], "Grid")
        if story["bytes"]:
            place = dict(story["bytes"])
            path = place.pop("gdal")
            print_record(console, place, "Bytes")
            console.print(Text(f"Open it: gdalinfo {shlex.quote(path)}\n"), soft_wrap=True)
        if story["photos"]:
            names = ("photo_id", "distance_m", "row", "col", "delta_days", "split", "licence",
                     "title")  # fmt: skip
            rows = [{name: _brief(photo.get(name)) for name in names} for photo in story["photos"]]
            print_table(console, "Photos, nearest to the centre first", rows)
        else:
            console.print("It has no photos.")
