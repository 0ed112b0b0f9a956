"""What the browser of pairs shows: its data files, and the pictures that they name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from collectors.licences import UnknownLicence, licence_by_code
from flows.report.pictures import PHOTO_SIDE_PX, Picture, false_colour, true_colour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flows.report.samples import PairSample, Record

CHIPS_IN_FILE: Final = 48
"""Chips of one data file: what a page of the browser needs comes from one or a few of them."""

FOLDER: Final = "pictures"


@dataclass(frozen=True, slots=True)
class Album:
    """The sample as it is shown.

    Attributes:
        chips: An entry for each chip, ready for JSON.
        pictures: What is drawn, by file name.
    """

    chips: tuple[dict[str, Any], ...]
    pictures: Mapping[str, Picture]

    def without(self, missing: Mapping[str, str]) -> Album:
        """Returns the album with what could not be drawn named instead of shown.

        Args:
            missing: For names of pictures: why.
        """
        chips = json.loads(json.dumps(self.chips))
        for chip in chips:
            for shown in (chip["trueColour"], chip["falseColour"], *chip["photos"]):
                if shown is not None and shown["source"] in missing:
                    shown["why"], shown["source"] = missing[shown["source"]], None
        left = {name: one for name, one in self.pictures.items() if name not in missing}
        return Album(tuple(chips), left)

    def data_files(self) -> dict[str, bytes]:
        """Returns the scripts that hold the data, by path in the report.

        They are scripts because a page that was opened from disk may load those and nothing else.
        """
        parts = [
            self.chips[begin : begin + CHIPS_IN_FILE]
            for begin in range(0, len(self.chips), CHIPS_IN_FILE)
        ]
        files = {
            f"data/pairs-{n:04d}.js": f"terrapair.receive({n},{_script(part)});\n".encode()
            for n, part in enumerate(parts)
        }
        return files | {"data/index.js": self._index()}

    def _index(self) -> bytes:
        """Returns what the filters need of every chip."""
        sensors = sorted({chip["sensor"] for chip in self.chips})
        cells = sorted({chip["cell"] for chip in self.chips})
        order = {"train": 0, "val": 1, "test": 2}
        splits = sorted(
            {photo["split"] for chip in self.chips for photo in chip["photos"]},
            key=lambda name: (order.get(name, 3), name),
        )
        index = {
            "chipsInFile": CHIPS_IN_FILE, "sensors": sensors, "cells": cells, "splits": splits,
            "chips": [
                [
                    sensors.index(chip["sensor"]), cells.index(chip["cell"]),
                    [[splits.index(photo["split"]), photo["gap"]] for photo in chip["photos"]],
                ]
                for chip in self.chips
            ],
        }  # fmt: skip
        return data_script("index", index)


def data_script(name: str, value: Any) -> bytes:
    """Returns a script that sets a member of the report's one global object."""
    return f"window.terrapair=window.terrapair||{{}};terrapair.{name}={_script(value)};\n".encode()


def _script(value: Any) -> str:
    """Returns a value as JSON of ASCII: no character of a title means anything to a reader."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def make_album(sample: PairSample, area_px: Mapping[str, int | None]) -> Album:
    """Names the pictures of a sample and says what is shown beside them.

    Args:
        sample: Chips with their photos.
        area_px: Side of the area of each sensor in which photos belong to a chip, pixels.
    """
    pictures: dict[str, Picture] = {}
    names: dict[str, str] = {}
    chips = []
    for number, chip in enumerate(sample.chips):
        colours: dict[str, dict[str, Any] | None] = {}
        for key, bands in (
            ("true", true_colour(chip["bands"])),
            ("false", false_colour(chip["bands"])),
        ):
            colours[key] = None
            if bands is not None:
                name = f"{FOLDER}/chip-{number:05d}-{key}.webp"
                pictures[name] = _picture(name, chip, bands)
                colours[key] = {"source": name, "bands": bands, "why": ""}
        photos = []
        for photo in chip["photos"]:
            if photo["photo_id"] not in names:
                name = f"{FOLDER}/photo-{len(names):05d}.webp"
                names[photo["photo_id"]] = name
                pictures[name] = _picture(name, photo, None)
            photos.append(_photo(photo, names[photo["photo_id"]]))
        chips.append(_chip(chip, area_px) | {
            "trueColour": colours["true"], "falseColour": colours["false"], "photos": photos,
        })  # fmt: skip
    return Album(tuple(chips), pictures)


def _picture(name: str, row: Record, bands: tuple[str, str, str] | None) -> Picture:
    return Picture(
        name, "photo" if bands is None else "chip", row["shard"], row["offset"], row["size"],
        row["sha256"], bands,
    )  # fmt: skip


def _chip(chip: Record, area_px: Mapping[str, int | None]) -> dict[str, Any]:
    return {
        "id": chip["chip_id"], "sensor": chip["sensor"], "cell": chip["cell"],
        "scene": chip["scene_id"], "acquired": _utc(chip["acquired_at"]),
        "target": chip["target_date"].isoformat(), "gap": chip["delta_days"],
        "cloud": _rounded(chip["cloud_chip_pct"]), "sceneCloud": _rounded(chip["cloud_scene_pct"]),
        "shadow": _rounded(chip["shadow_pct"]), "valid": _rounded(chip["valid_pct"]),
        "cover": cover_words(chip.get("cover")),
        "crs": chip["crs"], "width": chip["width"], "height": chip["height"],
        "scale": chip["scale_m"], "area": area_px.get(chip["sensor"]),
    }  # fmt: skip


def cover_words(shares: Mapping[str, float] | None) -> str:
    """Returns the land cover of a chip in words, the most first."""
    most_first = sorted((shares or {}).items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name.replace('_', ' ')} {share:.1f} %" for name, share in most_first)


def _photo(photo: Record, name: str) -> dict[str, Any]:
    shrunk = min(1.0, PHOTO_SIDE_PX / max(photo["width"], photo["height"]))
    try:
        licence = licence_by_code(photo["licence"])
        licence_name, licence_url = licence.name, licence.url
    except UnknownLicence:
        licence_name, licence_url = photo["licence"], ""
    return {
        "source": name, "why": "",
        "width": max(1, round(photo["width"] * shrunk)),
        "height": max(1, round(photo["height"] * shrunk)),
        "title": photo["title"], "attribution": photo["attribution"],
        "page": web_address(photo["page_url"]),
        "licence": licence_name, "licenceUrl": licence_url,
        "taken": photo["taken_at"].isoformat(), "zone": photo["time_zone"],
        "lat": f"{photo['lat']:.5f}", "lon": f"{photo['lon']:.5f}", "gap": photo["delta_days"],
        "split": photo["split"], "row": round(photo["row"], 1), "col": round(photo["col"], 1),
        "distance": round(photo["distance_m"]),
        "uncertainty": _rounded(photo["uncertainty_px"]),
        "indoor": f"{photo['indoor_probability']:.1%}",
    }  # fmt: skip


def web_address(text: str | None) -> str | None:
    """Returns an address if it is one of the web; a page must not link to anything else."""
    try:
        parts = urlsplit(text or "")
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.hostname else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
