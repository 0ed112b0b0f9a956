"""Makes the series of a catalogue at places of a published version; goes on where it stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from collectors.earth_engine_stacks import resolve_stacks
from collectors.storage import open_store
from collectors.transport import TroubleRemains, WrongUse
from flows.products.versions import open_beside, published_version
from flows.progress import no_progress
from flows.series.documents import kept_place, refused_place
from flows.series.folder import begin, counts, end, finished, write_place
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
    from collectors.sensors import Sensor
    from collectors.series_records import Stack
    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.catalogue.series_blocks import SeriesBlock
    from flows.products.versions import Version
    from flows.progress import Progress
    from flows.series.places import Place

BATCH: Final = 40
"""Places worked on together: their scenes are asked for by a few requests, and their pictures, a
megabyte each, wait in memory for the stacks."""


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
    store, version, series = what_is_asked(root, catalogue, name, version_name)
    sensors = {
        part: block.sensor(catalogue.sensors[block.source], series.footprint_m)
        for part, block in series.images.items()
    }
    extents = [one.extent for one in sensors.values() if one.extent is not None]
    choice = choose_places(store, version, series.footprint_m, extents, places)
    target = open_beside(store, output)
    begin(target, version, name, series, sensors, places)
    work = _Work(
        series, sensors, {part: block.stack(part) for part, block in series.stacks.items()},
        engine, target, threads, check,
    )  # fmt: skip
    documents = finished(target, choice.places)
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
        end(target, version, name, choice, documents)
    said = counts(choice, documents)
    return {
        "series": name, "root": target.root, "version": version.name, "whole": whole, **said,
        "failed": dict(sorted(work.failed.items())), "new_places": len(documents) - before,
        "requests": asdict(engine.requests),
    }  # fmt: skip


def what_is_asked(
    root: str, catalogue: Catalogue, name: str, version_name: str | None = None
) -> tuple[Store, Version, SeriesBlock]:
    """Returns the dataset, its version, and what the catalogue says of a series.

    Raises:
        WrongUse: If one of them is not there.
        SetupError: If the version was revoked.
    """
    store = open_store(root, writable=False)
    version = published_version(store, version_name)
    if name not in catalogue.series:
        raise WrongUse(
            "catalogue", f"has no series {name!r}.",
            f"It has {', '.join(sorted(catalogue.series)) or 'none'}; the shipped one has s2-naip.",
        )  # fmt: skip
    return store, version, catalogue.series[name]


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
    """Writes what was read of a place, or why there is nothing."""
    files: dict[str, bytes] = {}
    refused = [(name, part) for name, part in parts.items() if isinstance(part, PartRefused)]
    if refused:
        document = refused_place(place, *refused[0])
    else:
        whole = {name: part for name, part in parts.items() if isinstance(part, PartRead)}
        document, files = kept_place(place, work.series.parts, whole)
    write_place(work.target, place, document, files)
    return document
