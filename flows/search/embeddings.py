"""Embeddings of a version's chips, photos or texts, made once for each model and kept.

They lie in the cache beside the indices, a Parquet file for each 256 chips, which gets its name
when it is whole: a stopped run goes on with the next. Like the indices they follow the version, and
go when it is revoked.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from collectors.transport import SetupError
from flows.description.bands import TRUE_COLOUR, platform_of
from flows.exports.true_colour import true_colour
from flows.products.tables import COMPRESSION
from flows.samples.members import read_members
from flows.samples.opening import open_samples
from flows.search.indexing import dataset_folder, is_gone, unfinished
from flows.wording.reading import chip_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.progress import Progress
    from flows.samples.samples import Samples
    from flows.search.clip_models import ClipModel
    from flows.wording.reading import Regions

    Rows = tuple[list[str], list[str], NDArray[np.float32]]
    """Chips, what of each (its own id, or a photo's), and (rows, dimensions) embeddings."""

FORMAT: Final = "terrapair-embeddings/1"

PORTION: Final = 256
"""Chips of a file, and the step of resuming."""

_HELD: Final = 32
"""Chips whose bytes are held at a time: some 60 MB of Sentinel-2."""

Kind = Literal["chips", "photos", "texts"]
"""What is embedded: chips in true colour, the photos in them, or sentences of what was measured."""


def embeddings_of(
    store: Store,
    version: Version,
    model: ClipModel,
    kind: Kind,
    cache: Path,
    regions: Regions,
    progress: Progress,
) -> Path:
    """Returns the folder of a version's embeddings; what is missing of them is made now.

    Args:
        store: The dataset.
        version: The version.
        model: The model.
        kind: What to embed.
        cache: Folder of all indices and embeddings.
        regions: The catalogue's regions, for the words.
        progress: Hears how many chips are embedded.

    Raises:
        SetupError: If the version was revoked meanwhile, or the cache cannot be written.
    """
    told = [FORMAT, version.fingerprint, model.fingerprint, kind]
    told += [regions.fingerprint] if kind == "texts" else []
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:24]
    folder = dataset_folder(cache, store.root) / f"{version.name}-{key}-{kind}"
    samples = open_samples(store.root, version.name)
    count = len(samples)
    if kind == "texts":
        portions = _of_texts(store, version, model, regions)
    else:
        portions = _of_samples(store, samples, model, kind)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number, make in enumerate(portions):
            progress(f"{kind} embedded, by chips", min(count, number * PORTION), count)
            path = folder / f"{number:06d}.parquet"
            if not path.exists():
                _write(path, make())
    except OSError as error:
        raise SetupError(
            str(folder), f"embeddings cannot be kept there: {error}.",
            "Make room, or name another folder with TERRAPAIR_SEARCH_CACHE.",
        ) from error  # fmt: skip
    progress(f"{kind} embedded, by chips", count, count)
    if is_gone(store, version.name):
        shutil.rmtree(folder, ignore_errors=True)
        raise SetupError(
            store.root, f"version {version.name} was revoked meanwhile.", "Search again."
        )
    return folder


def read_embeddings(folder: Path) -> Iterator[Rows]:
    """Yields the embeddings of a folder, a file at a time."""
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        if not table.num_rows:  # chips of sensors without red, green and blue
            continue
        chips, ids = (table[name].to_pylist() for name in ("chip_id", "id"))
        values = table["embedding"].combine_chunks()
        yield chips, ids, values.flatten().to_numpy().reshape(len(chips), -1)


def _of_samples(
    store: Store, samples: Samples, model: ClipModel, kind: Kind
) -> Iterator[Callable[[], Iterator[Rows]]]:
    """Yields what makes each portion of images."""
    for first in range(0, len(samples), PORTION):
        numbers = range(first, min(len(samples), first + PORTION))

        def make(numbers: range = numbers) -> Iterator[Rows]:
            for begin in range(0, len(numbers), _HELD):
                yield from _images(store, samples, numbers[begin : begin + _HELD], model, kind)

        yield make


def _images(
    store: Store, samples: Samples, numbers: Sequence[int], model: ClipModel, kind: Kind
) -> Iterator[Rows]:
    some = [samples[number] for number in numbers]
    if kind == "chips":
        some = [one for one in some if any(set(bands) <= set(one.chip.bands)
                                           for bands in TRUE_COLOUR)]  # fmt: skip
        chips = ids = [one.chip.chip_id for one in some]
        read = read_members(store, [one.place for one in some])
        pictures = [
            Image.fromarray(true_colour(data, one.chip.bands))
            for one, data in zip(some, read, strict=True)
        ]
    else:
        photos = [(one.chip.chip_id, photo) for one in some for photo in one.photos]
        chips, ids = [chip for chip, _ in photos], [one.photo.photo_id for _, one in photos]
        read = read_members(store, [one.place for _, one in photos])
        pictures = [Image.open(io.BytesIO(data)) for data in read]
    if pictures:
        yield chips, ids, model.images(pictures)


def _of_texts(
    store: Store, version: Version, model: ClipModel, regions: Regions
) -> Iterator[Callable[[], Iterator[Rows]]]:
    """Yields what makes each portion of sentences."""
    texts = chip_texts(store, version, regions, lambda _what, _done, _of: None)
    names = {name: platform_of(block["collection"]).title
             for name, block in version.manifest["sensors"].items()}  # fmt: skip
    while some := list(islice(texts, PORTION)):
        ids = [one.chip_id for one in some]
        sentences = [one.sentence(names[one.sensor]) for one in some]

        def make(ids: list[str] = ids, sentences: list[str] = sentences) -> Iterator[Rows]:
            yield ids, ids, model.texts(sentences)

        yield make


def _write(path: Path, rows: Iterator[Rows]) -> None:
    """Writes a portion; the file has its name only when it is whole."""
    found = list(rows)
    chips = [one for part in found for one in part[0]]
    ids = [one for part in found for one in part[1]]
    values = np.concatenate([part[2] for part in found]) if found else np.empty((0, 1), np.float32)
    table = pa.table({
        "chip_id": pa.array(chips, pa.string()), "id": pa.array(ids, pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1]),
    })  # fmt: skip
    part = unfinished(path)
    try:
        part.touch(mode=0o600)
        with part.open("rb+") as file:
            pq.write_table(table, file, compression=COMPRESSION)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
