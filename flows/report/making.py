"""How a version was made: what its manifest says, for a reader."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version as release_of
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.products.versions import Version


@dataclass(frozen=True, slots=True)
class Made:
    """A part of the page.

    Attributes:
        key: Unique on the page.
        title: The heading.
        text: What to know; may be empty.
        facts: Names and values.
        headers: Of a table.
        rows: Of a table.
    """

    key: str
    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def describe_making(version: Version) -> tuple[Made, ...]:
    """Describes how a version was made."""
    manifest = version.manifest
    splits = manifest.get("splits", {})
    return (
        Made(
            "version", "Version",
            "The hash of the rules is the same in two datasets that judged by the same rules; the"
            " rules themselves stand below.",
            (
                ("version", version.name),
                ("schema", str(manifest["schema"])),
                ("seed", str(manifest["seed"])),
                ("cells", f"{len(manifest['cells']):,}"),
                ("cells built more than once",
                 f"{sum(number > 1 for number in manifest['cells'].values()):,}"),
                *((f"rules, {_digest(one)}", one) for one in manifest["judgements"]),
                ("report made with", f"terrapair {release_of('terrapair')}"),
            ),
        ),
        Made(
            "filter", "Indoor filter",
            "Weights are named by the SHA-256 of their file. The engine decides the last digits of"
            " a score, so a dataset keeps to one.",
            (
                *(("weights, SHA-256", one) for one in manifest["weights"]),
                *(pair for engine in manifest["engines"] for pair in _facts(
                    {name: one for name, one in engine.items() if name != "weights_sha256"}
                )),
            ),
        ),
        Made("evenness", "Evenness", "", _facts(
            {name: value for name, value in manifest.get("evenness", {}).items()
             if name != "uniqueness"}
        )),
        Made("splits", "Splits", "", _facts(splits)),
        Made("rules", "Catalogue: rules", "", _facts(manifest["rules"])),
        *(
            Made(f"sensor-{name}", f"Catalogue: {name}", "", _facts(block))
            for name, block in manifest["sensors"].items()
        ),
        Made(
            "settled", "Settled when it was published", "",
            (
                ("photos that two cells had", f"{len(manifest.get('settled_duplicates', {})):,}"),
                ("pictures that two cells had", f"{manifest.get('settled_pictures', 0):,}"),
            ),
        ),
        Made(
            "files", "Tables", "Paths are relative to the dataset's root.", (),
            ("file", "rows", "bytes", "SHA-256"),
            tuple(
                (one["path"], f"{one['rows']:,}", f"{one['bytes']:,}", one["sha256"])
                for files in manifest["tables"].values()
                for one in files
            ),
        ),
    )  # fmt: skip


def _digest(text: str) -> str:
    return "SHA-256" if len(text) == 64 else "hash"


def _facts(block: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", " "), _text(value)) for name, value in block.items())


def _text(value: Any) -> str:
    """Returns a value of JSON for a reader."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value)) or "—"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(one)}" for name, one in value.items()) or "—"
    return value if isinstance(value, str) else json.dumps(value)
