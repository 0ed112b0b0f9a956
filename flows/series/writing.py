"""Makes the series of a catalogue at places of a published version, and goes on where it stopped.

<output>/series.json                 what this is a series of; created first
<output>/<file of a part>            pictures, stacks, lists of products, as the catalogue says
<output>/places/<place>.json         a place is finished: what it has, or why it has nothing
<output>/manifest/places.parquet     all places
<output>/train.csv, val.csv, test.csv    names of the places that are kept
<output>/manifest.json               written last: the series is whole
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from collectors.earth_engine_stacks import resolve_stacks
from collectors.storage import open_store
from collectors.transport import SetupError, TroubleRemains
from filters.splits import Split
from flows.description.facts import no_progress
from flows.products.versions import read_version
from flows.series.documents import (
    SCHEMA,
    digest,
    json_bytes,
    kept_place,
    refused_place,
    table_bytes,
)
from flows.series.files import write_lines
from flows.series.places import choose_places
from flows.series.reading import (
    PartRead,
    PartRefused,
    day_of,
    image_chip,
    read_image,
    read_stack,
    stack_ask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collectors.earth_engine import EarthEngine
    from collectors.records import Sensor
    from collectors.series_records import Stack
    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.catalogue.series_blocks import SeriesBlock
    from flows.description.facts import Progress
    from flows.products.versions import Version
    from flows.series.places import Choice, Place

BATCH: Final = 40
"""Places worked on together: their scenes are asked for by a few requests, and their pictures, a
megabyte each, wait in memory for the stacks."""

IDENTITY: Final = "series.json"
MANIFEST: Final = "manifest.json"
TABLE: Final = "manifest/places.parquet"
SPLITS: Final = (Split.TRAIN, Split.VAL, Split.TEST)


@dataclass(slots=True)
class _Work:
    """What the work on places needs."""

    series: SeriesBlock
    sensors: dict[str, Sensor]
    stacks: dict[str, Stack]
    engine: EarthEngine
    target: Store
    threads: int
    check: Callable[[], None]
    failed: dict[str, str] = field(default_factory=dict)


def make_series(
    root: str, output: str, catalogue: Catalogue, name: str, engine: EarthEngine, *,
    places: int, limit: int | None = None, version_name: str | None = None, threads: int = 20,
    check: Callable[[], None] = lambda: None, progress: Progress = no_progress,
) -> dict[str, Any]:  # fmt: skip
    """Makes a series, or more of one that was begun; what is finished is not asked for again.

    Args:
        root: The dataset whose photos say where.
        output: A folder, `s3://…` or `gs://…`, of the series alone.
        catalogue: Says what there is at a place, under `series`.
        name: Which of the catalogue's series.
        engine: The client.
        places: How many places; fixed when the series is begun.
        limit: No more new places now; None for all.
        version_name: A version of the dataset; the newest by default.
        threads: Places read at the same time.
        check: Called before each batch of places; it may raise.
        progress: Hears how many places are finished.

    Returns:
        For JSON: where it is, places by outcome and split, reasons, what failed, the requests of
        this run, and whether the series is whole.

    Raises:
        SetupError: If there is no such version or series, or the output holds something else.
        TroubleRemains: If scenes could not be asked for.
    """
    store = open_store(root, writable=False)
    version = read_version(store, version_name)
    if version is None:
        raise SetupError(root, "holds no published version.", "Build one: terrapair build --root …")
    series = _series(catalogue, name)
    sensors = {
        part: block.sensor(catalogue.sensors[block.source], series.footprint_m)
        for part, block in series.images.items()
    }
    extents = [one.extent for one in sensors.values() if one.extent is not None]
    choice = choose_places(store, version, series.footprint_m, extents, places)
    target = open_store(output)
    _begin(target, version, name, series, sensors, places)
    work = _Work(
        series, sensors, {part: block.stack(part) for part, block in series.stacks.items()},
        engine, target, threads, check,
    )  # fmt: skip
    documents = _finished(target, choice.places)
    left = [place for place in choice.places if place.place_id not in documents]
    now = left if limit is None else left[:limit]
    before = len(documents)

    def told(done: int) -> None:
        progress("places", len(documents) + done, before + len(now))

    for start in range(0, len(now), BATCH):
        check()
        documents |= _batch(work, now[start : start + BATCH], told)
    progress("places", len(documents), before + len(now))
    whole = len(documents) == len(choice.places)
    if whole:
        _end(target, version, name, choice, documents)
    said = _counts(choice, documents)
    return {
        "series": name, "root": target.root, "version": version.name, "whole": whole, **said,
        "failed": dict(sorted(work.failed.items())), "new_places": len(documents) - before,
        "requests": asdict(engine.requests),
    }  # fmt: skip


def _series(catalogue: Catalogue, name: str) -> SeriesBlock:
    if name not in catalogue.series:
        raise SetupError(
            "catalogue", f"has no series {name!r}.",
            f"It has {', '.join(sorted(catalogue.series)) or 'none'}; the shipped one has s2-naip.",
        )  # fmt: skip
    return catalogue.series[name]


def _begin(
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
        raise SetupError(
            target.uri(IDENTITY),
            "says that another series was begun here: of another version, by another catalogue, or"
            " of another number of places.",
            "Give --output a folder that is empty, or the same version, catalogue and --places.",
        )
    if target.objects():
        raise SetupError(
            target.root, "holds other files.", "Give --output a folder of the series alone."
        )
    target.create(IDENTITY, identity)


def _finished(target: Store, places: Sequence[Place]) -> dict[str, dict[str, Any]]:
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


def _batch(
    work: _Work, places: Sequence[Place], told: Callable[[int], None]
) -> dict[str, dict[str, Any]]:
    """Finishes some places; those that meet trouble are told of in `work.failed`."""
    series, engine = work.series, work.engine
    chips = [
        [image_chip(place, name, sensor) for name, sensor in work.sensors.items()]
        for place in places
    ]
    told(0)
    scenes = engine.resolve([chip for own in chips for chip in own], work.sensors)
    pool = ThreadPoolExecutor(work.threads, "series")

    def pictures(number: int) -> dict[str, PartRead | PartRefused]:
        found: dict[str, PartRead | PartRefused] = {}
        for chip in chips[number]:
            found[chip.sensor] = read_image(
                engine, chip, scenes[chip.chip_id], work.sensors[chip.sensor]
            )
            if isinstance(found[chip.sensor], PartRefused):
                break
        return found

    try:
        read = _each(work, pool, places, pictures)
        asks = {
            (number, name): stack_ask(
                places[number], stack, day_of(anchor), series.stacks[name].window_days
            )
            for number, parts in read.items()
            if all(isinstance(part, PartRead) for part in parts.values())
            and isinstance(anchor := parts[series.anchor], PartRead)
            for name, stack in work.stacks.items()
        }
        offered = dict(
            zip(asks, resolve_stacks(engine, list(asks.values()), work.stacks), strict=True)
        )

        def finish(number: int) -> dict[str, Any]:
            parts = read.pop(number)
            for name, stack in work.stacks.items():
                if (number, name) not in asks:
                    continue
                parts[name] = read_stack(engine, asks[number, name], offered[number, name], stack)
                if isinstance(parts[name], PartRefused):
                    break
            return _finish(work, places[number], parts)

        done = _each(work, pool, places, finish, sorted(read), told)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return {places[number].place_id: document for number, document in done.items()}


def _each(
    work: _Work, pool: ThreadPoolExecutor, places: Sequence[Place], do: Callable[[int], Any],
    numbers: Sequence[int] | None = None, told: Callable[[int], None] = lambda _done: None,
) -> dict[int, Any]:  # fmt: skip
    """Does something for places side by side; trouble that remains is a place's own."""
    futures = [
        (number, pool.submit(do, number))
        for number in (range(len(places)) if numbers is None else numbers)
    ]
    found: dict[int, Any] = {}
    try:
        for number, future in futures:
            try:
                found[number] = future.result()
            except TroubleRemains as trouble:
                work.failed[places[number].place_id] = str(trouble)
            told(len(found))
    except BaseException:
        for _, future in futures:
            future.cancel()
        raise
    return found


def _finish(work: _Work, place: Place, parts: dict[str, PartRead | PartRefused]) -> dict[str, Any]:
    """Writes the files of a place, and then that it is finished.

    Raises:
        SetupError: If other files lie where these would.
    """
    files: dict[str, bytes] = {}
    refused = [(name, part) for name, part in parts.items() if isinstance(part, PartRefused)]
    if refused:
        document = refused_place(place, *refused[0])
    else:
        whole = {name: part for name, part in parts.items() if isinstance(part, PartRead)}
        document, files = kept_place(place, work.series.parts, whole)
    for path, data in [*files.items(), (_path(place), json_bytes(document))]:
        if not work.target.create(path, data):
            raise SetupError(
                work.target.uri(path),
                f"is there already, made from other scenes than {place.place_id} has now.",
                f"No {_path(place)} names it: remove what there is of that place, and go on."
                if path != _path(place)
                else "Another run finished it: run this one again.",
            )
    return document


def _end(
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
        "tables_sha256": version.fingerprint, **_counts(choice, documents),
        "files": [{"path": path, "bytes": len(data), "sha256": digest(data)}
                  for path, data in files.items()],
    }  # fmt: skip
    for path, data in [*files.items(), (MANIFEST, json_bytes(manifest))]:
        if not target.create(path, data):
            raise SetupError(
                target.uri(path), "is there already and says something else.",
                "Give --output a folder that is empty.",
            )  # fmt: skip


def _counts(choice: Choice, documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
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
