"""The folder of a series: what it is of, what is finished, and what commits it.

    <output>/series.json                 what this is a series of; created first
    <output>/<file of a part>            pictures, stacks, lists of products, as the catalogue says
    <output>/places/<place>.json         a place is finished: what it has, or why it has nothing
    <output>/manifest/places.parquet     all places
    <output>/train.csv, val.csv, test.csv    names of the places that are kept
    <output>/manifest.json               written last: the series is whole

Everything is created exclusively: who comes second finds its own bytes there, or is refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from collectors.transport import SetupError, WrongUse
from filters.splits import Split
from flows.series.documents import SCHEMA, digest, json_bytes, table_bytes
from flows.series.files import write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.catalogue.series_blocks import SeriesBlock
    from flows.products.versions import Version
    from flows.series.places import Choice, Place

IDENTITY: Final = "series.json"
MANIFEST: Final = "manifest.json"
TABLE: Final = "manifest/places.parquet"
SPLITS: Final = (Split.TRAIN, Split.VAL, Split.TEST)


def begin(
    target: Store, version: Version, name: str, series: SeriesBlock, sensors: dict[str, Sensor],
    places: int,
) -> None:  # fmt: skip
    """Writes down what the output is a series of.

    Raises:
        SetupError: If it was begun as another one, or holds other files.
    """
    identity = json_bytes({
        "schema": SCHEMA, "series": name, "version": version.name,
        "tables_sha256": version.fingerprint, "seed": version.manifest["seed"], "places": places,
        "block": series.model_dump(mode="json"),
        "sensors": json.loads(json.dumps({k: asdict(v) for k, v in sensors.items()}, default=str)),
    })  # fmt: skip
    if target.exists(IDENTITY):
        if target.read(IDENTITY) == identity:
            return
        raise _another(target)
    if target.objects() and not target.exists(IDENTITY):  # another process may begin just now
        raise WrongUse(
            target.root, "holds other files.", "Give --output a folder of the series alone."
        )
    if not target.create(IDENTITY, identity):
        raise _another(target)


def _another(target: Store) -> SetupError:
    return SetupError(
        target.uri(IDENTITY),
        "says that another series was begun here: of another version, by another catalogue, or of"
        " another number of places.",
        "Give --output a folder that is empty, or the same version, catalogue and --places.",
    )


def finished(target: Store, places: Sequence[Place]) -> dict[str, dict[str, Any]]:
    """Returns the documents of the places that are finished."""
    there = set(target.list("places"))
    found = {}
    for place in places:
        path = _path(place)
        if path in there:
            found[place.place_id] = json.loads(target.read(path))
    return found


def _path(place: Place) -> str:
    return f"places/{place.place_id}.json"


def write_place(
    target: Store, place: Place, document: Mapping[str, Any], files: Mapping[str, bytes]
) -> None:
    """Writes the files of a place, and then that it is finished.

    Raises:
        SetupError: If other files lie where these would.
    """
    for path, data in [*files.items(), (_path(place), json_bytes(document))]:
        if not target.create(path, data):
            raise SetupError(
                target.uri(path),
                f"is there already, made from other scenes than {place.place_id} has now.",
                f"No {_path(place)} names it: remove what there is of that place, and go on."
                if path != _path(place)
                else "Another run finished it: run this one again.",
            )


def end(
    target: Store, version: Version, name: str, choice: Choice,
    documents: dict[str, dict[str, Any]],
) -> None:  # fmt: skip
    """Writes the table, the lists of the splits, and what commits them.

    Raises:
        SetupError: If they are there and say something else.
    """
    rows = [documents[place.place_id] for place in choice.places]
    files = {TABLE: table_bytes(choice.places, rows)}
    for split in SPLITS:
        names = [one["place_id"] for one in rows
                 if one["outcome"] == "kept" and one["split"] == split.value]  # fmt: skip
        files[f"{split.value}.csv"] = write_lines(["name", *names])
    manifest = {
        "schema": SCHEMA, "series": name, "version": version.name,
        "tables_sha256": version.fingerprint, **counts(choice, documents),
        "files": [{"path": path, "bytes": len(data), "sha256": digest(data)}
                  for path, data in files.items()],
    }  # fmt: skip
    for path, data in [*files.items(), (MANIFEST, json_bytes(manifest))]:
        if not target.create(path, data):
            raise WrongUse(
                target.uri(path), "is there already and says something else.",
                "Give --output a folder that is empty.",
            )  # fmt: skip


def counts(choice: Choice, documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns how many places there are, by outcome, split and reason."""
    kept = [one for one in documents.values() if one["outcome"] == "kept"]
    reasons: dict[str, int] = {}
    for one in documents.values():
        if one["outcome"] != "kept":
            reasons[one["reason"]] = reasons.get(one["reason"], 0) + 1
    return {
        "places": len(choice.places), "finished": len(documents), "kept": len(kept),
        "refused": dict(sorted(reasons.items())),
        "splits": {split.value: sum(one["split"] == split.value for one in kept)
                   for split in SPLITS},
        "squares_left_out": choice.left_out,
    }  # fmt: skip
