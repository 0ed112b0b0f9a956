"""Exports a version in a form that other programs read: portion by portion, to go on at any."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.exports.cards import readme
from flows.exports.folder import ExportFolder
from flows.exports.forms import Context, Ending, LoadedSample
from flows.exports.planning import groups_of, shuffled
from flows.exports.table_files import version_schemas
from flows.products.versions import open_beside, published_version
from flows.progress import no_progress
from flows.samples.members import read_members
from flows.samples.opening import open_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collectors.storage import Store
    from filters.splits import Split
    from flows.exports.forms import Form, Portion
    from flows.products.versions import Version
    from flows.progress import Progress
    from flows.samples.samples import Sample, Samples

_WRITING_THREADS: Final = 4
"""Files of a portion that are made and written at once; they are given in order."""

_TOLD: Final = "samples exported"


def export_version(
    root: str,
    output: str,
    form: Form,
    *,
    version_name: str | None = None,
    split: Split | None = None,
    sensor: str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Exports a version, or goes on with an export that was stopped.

    The same version and options give the same bytes, stopped or not. Memory grows by some 30 bytes
    for each sample and 130 for each file, besides what one portion takes.

    Args:
        root: The dataset: a local path, `s3://…` or `gs://…`.
        output: Where the export goes: an empty folder or prefix, or the same export begun.
        form: The form.
        version_name: A version; the newest by default.
        split: Only pairs of this split.
        sensor: Only chips of this sensor.
        progress: Hears how many samples are exported.

    Returns:
        What `export.json` holds.

    Raises:
        SetupError: If there is no such version or sensor, nothing to export, the version was
            revoked meanwhile, or the output holds anything else.
        StorageError: If a storage cannot be read or written.
    """
    store = open_store(root, writable=False)
    samples = open_samples(root, version_name, split=split, sensor=sensor)
    version = published_version(store, samples.version)
    splits = form.splits if split is None else (split,)
    groups = [
        form.order(group, lambda group, seed: shuffled(group, samples, seed))
        for group in groups_of(samples, splits)
    ]
    portions = [portion for group in groups for portion in form.divide(group)]
    if not portions:
        raise SetupError(
            root, f"{version.name} has no pairs of that kind.",
            "Leave --split or --sensor away, or build more: terrapair build --root …",
        )  # fmt: skip
    identity = {"form": form.name, "version": version.name, "tables_sha256": version.fingerprint,
                "split": split, "sensor": sensor, "options": form.options()}  # fmt: skip
    folder = ExportFolder(open_beside(store, output), identity)
    total = sum(portion.end - portion.first for portion in portions)

    def fill() -> dict[str, Any]:
        finished = folder.finished()
        context = Context(version, version_schemas(store, version))
        done = 0
        for portion in portions:
            progress(_TOLD, done, total)
            if portion.name not in finished:
                _export(folder, form, portion, _loaded(store, samples, portion), context)
            done += portion.end - portion.first
        return _end(folder, form, store, version, portions)

    record = folder.complete(fill)
    progress(_TOLD, total, total)
    return record


def _loaded(store: Store, samples: Samples, portion: Portion) -> list[LoadedSample]:
    """Reads the samples of a portion with their bytes, in as few requests as possible."""
    rows = [_of_split(samples[number], portion.group.split) for number in portion.numbers]
    start = portion.group.before + portion.first
    read = iter(read_members(store, [place for sample in rows for place in sample.places]))
    return [
        LoadedSample(start + number, sample, next(read), tuple(next(read) for _ in sample.photos))
        for number, sample in enumerate(rows)
    ]  # fmt: skip


def _of_split(sample: Sample, split: str | None) -> Sample:
    if split is None:
        return sample
    return replace(sample, photos=tuple(one for one in sample.photos if one.pair.split == split))


def _export(
    folder: ExportFolder, form: Form, portion: Portion, samples: Sequence[LoadedSample],
    context: Context,
) -> None:  # fmt: skip
    """Writes the files of a portion, then that it is finished."""
    written = form.write(portion, samples, context)
    lines = list(_written(folder, written.files))
    counts = Counter(samples=len(samples))
    for one in samples:
        counts["pairs"] += len(one.photos)
        for photo in one.sample.photos:
            counts[f"split {photo.pair.split}"] += 1
            counts[f"licence {photo.photo.licence}"] += 1
    folder.finish(portion.name, lines, counts, written.pieces)


def _written(folder: ExportFolder, files: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    with ThreadPoolExecutor(_WRITING_THREADS, "export") as pool:
        yield from pool.map(lambda one: folder.write(*one), files)


def _end(
    folder: ExportFolder, form: Form, store: Store, version: Version, portions: Sequence[Portion]
) -> dict[str, Any]:
    """Writes the last files, and commits the export.

    Raises:
        SetupError: If the version was revoked meanwhile.
    """
    counts: Counter[str] = Counter()
    lines: list[str] = []
    for portion in portions:
        more, counted = folder.journal(portion.name)
        lines += more
        counts.update(counted)

    figures = _figures(counts)

    def pieces(wanted: Iterable[Portion], what: str) -> Iterator[bytes]:
        return folder.pieces((one.name for one in wanted), what)

    for path, data in form.end(Ending(portions, pieces)):
        lines.append(folder.write(path, data))
    lines.append(
        folder.write("README.md", readme(form, version, folder.identity, figures, portions))
    )
    published_version(store, version.name)  # what was forgotten meanwhile must not be committed
    return folder.commit(figures, lines)


def _figures(counts: Counter[str]) -> dict[str, Any]:
    """Returns what is in an export: samples, pairs, and pairs by split and by licence."""
    named: dict[str, dict[str, int]] = {"split": {}, "licence": {}}
    for name, count in sorted(counts.items()):
        what, _, value = name.partition(" ")
        if value:
            named[what][value] = count
    return {"samples": counts["samples"], "pairs": counts["pairs"],
            "pairs_by_split": named["split"], "pairs_by_licence": named["licence"]}  # fmt: skip
