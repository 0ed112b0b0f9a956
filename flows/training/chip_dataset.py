"""A PyTorch dataset whose items are chips with their photos."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import Dataset

from collectors.transport import SetupError
from flows.samples.chip_tiles import read_tiles
from flows.samples.decoding import read_photo
from flows.samples.members import check_member, read_members
from flows.training.batch_memory import BatchMemory
from flows.training.batch_rooms import CLASSES, BatchRooms, mask_kind
from flows.training.member_cache import MemberCache
from flows.training.row_tensors import bounds_of, of_pairs, transform_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from collectors.storage import Store
    from flows.products.rows import ChipRow
    from flows.samples.members import MemberPlace
    from flows.samples.samples import Sample, Samples
    from flows.training.batch_rooms import Room

Check = Literal["once", "always", "never"]

Item = dict[str, Any]
"""A sample by TorchGeo's keys and some more; see `ChipDataset`."""


class ChipDataset(Dataset[Item]):
    """Chips with their photos, by number: a map-style dataset.

    An item has TorchGeo's keys (0.8 and later):

    - `image`: (bands, rows, columns), float32 or the chip's own type; numbers as stored (for
      Sentinel-2 reflectance × 10,000, for NAIP 0 to 255), without the scene classification.
    - `mask`: (rows, columns), int64, or uint8 where `image` has the chip's own type: the scene
      classification, where the chip has one: 0 no data, 3 shadow, 4 plants, 5 ground, 6 water,
      8 to 10 cloud, 11 snow (Sentinel-2 L2A); or Landsat's pixel quality, uint16 in place of
      uint8: bits, see `filters.qa_pixel`.
    - `crs`: such as `EPSG:32610`.
    - `transform`: 9 numbers, float64: (a, b, c, d, e, f, 0, 0, 1), x = a·col + b·row + c and
      y = d·col + e·row + f in metres of `crs`.
    - `bounds`: 9 numbers, float64: xmin, xmax, pixel, ymin, ymax, pixel in metres, then begin, end
      and step of the time, seconds since 1970 UTC.

    And of the n photos of the chip, in the order of their ids:

    - `photos`: (n, 3, rows, columns), uint8, RGB, where all have one shape, as after
      `photo_transform`; else a list of n tensors (3, rows, columns). Not there if they are left
      out.
    - `points`: (n, 2), float64: row and column in pixels of the chip, 0 at the outer corner of the
      top-left pixel: pixel (r, c) holds r ≤ row < r + 1 and c ≤ col < c + 1.
    - `delta_days`: (n,), int64: the scene's date minus the photo's, days.
    - `distance_m`, `uncertainty_px`: (n,), float64: from the centre of the chip, metres; radius
      in which the camera probably stood, pixels.
    - `photo_id`, `taken_at` (UTC, ISO 8601), `title`, `tags`, `licence`, `attribution`, `page_url`,
      `split`: lists of n texts. Titles and tags are what strangers wrote.
    - `chip_id`, `sensor`, `cell`, `scene_id`, `acquired_at` (UTC, ISO 8601): texts.
    - `bands`: names of the bands of `image`.
    - `number`: the item's own number.

    It can be sent to workers that are forked as well as to those that are started anew: each
    opens the storage itself, and has a cache of its own.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        bands: Sequence[str] | None = None,
        dtype: torch.dtype | None = torch.float32,
        photos: bool = True,
        photo_transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
        transforms: Callable[[Item], Item] | None = None,
        cache_bytes: int = 0,
        threads: int = 1,
        check: Check = "once",
    ) -> None:
        """Takes the samples, and how they shall look.

        Args:
            samples: From `flows.samples.opening.open_samples`.
            bands: Names of the bands wanted, in this order; all but the scene classification by
                default. Others are not decompressed.
            dtype: Type of `image`; None for the chip's own, uint16 or uint8.
            photos: Whether photos are read; without them only what the tables say of them.
            photo_transform: Is given each photo, (3, rows, columns) uint8, such as a resizing.
            transforms: Is given each item, and returns it changed.
            cache_bytes: How many bytes of chips and photos, as they are stored, each process
                keeps: with four workers, four times this. 0 keeps none.
            threads: How many samples of a batch each process decodes at once. Decompression and
                checksums let other threads run, so threads without workers spare the copies
                between processes; `ChipLoader` then reads a batch ahead, too.
            check: When the bytes read are held to the SHA-256 of the tables: each process does it
                the first time that it reads a sample, or always, or never.
        """
        self.samples = samples
        self.bands = None if bands is None else tuple(bands)
        self.dtype = dtype
        self.photos = photos
        self.photo_transform = photo_transform
        self.transforms = transforms
        self.cache_bytes = cache_bytes
        self.threads = threads
        self.check = check
        self._process: int | None = None
        self._store: Store | None = None
        self._cache = MemberCache(0)
        self._memory = BatchMemory()
        self._threads: ThreadPoolExecutor | None = None
        self._checked: NDArray[np.bool_] = np.empty(0, np.bool_)

    def __getstate__(self) -> dict[str, Any]:
        closed = {"_process": None, "_store": None, "_cache": MemberCache(0), "_threads": None,
                  "_memory": BatchMemory(), "_checked": np.empty(0, np.bool_)}  # fmt: skip
        return self.__dict__ | closed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Item:
        """Returns an item.

        Raises:
            IndexError: If there is none of this number.
            SetupError: If its bytes are gone or damaged, or it has not the bands wanted.
        """
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[Item]:
        """Returns the items of a batch: what lies side by side is read by one request."""
        self._open()
        read = self._reader(numbers)
        rooms = BatchRooms(self._memory, len(numbers), self.dtype)

        items: list[Any] = [None] * len(numbers)
        left = iter(range(len(numbers)))

        def make(_: int) -> None:
            for one in left:
                items[one] = self._item(numbers[one], *read(one), partial(rooms.room, one))

        if self._threads is None:
            make(0)
        else:
            # Each thread takes what is left, one by one: a batch ends when the last of them does.
            list(self._threads.map(make, range(self.threads)))
        return items

    def _reader(self, numbers: Sequence[int]) -> Callable[[int], tuple[Sample, Sequence[bytes]]]:
        """Returns what gives a sample of a batch, by its place there, with its members' bytes.

        Rows and local files are read by the thread that decodes them, while others decode; ranges
        of object storage are read now, for the whole batch, so that neighbours share a request.
        """
        store = self._store
        assert store is not None  # noqa: S101 - just opened

        def places(sample: Sample) -> Sequence[MemberPlace]:
            return sample.places if self.photos else sample.places[:1]

        def read(one: int) -> tuple[Sample, Sequence[bytes]]:
            sample = self.samples[numbers[one]]
            return sample, read_members(store, places(sample), check=False)

        if store.is_local and not self.cache_bytes:
            return read
        samples = [self.samples[number] for number in numbers]
        wanted = [places(sample) for sample in samples]
        data = iter(self._cache.read(store, [place for one in wanted for place in one]))
        found = [list(islice(data, len(one))) for one in wanted]
        return lambda one: (samples[one], found[one])

    def _names(self, chip: ChipRow) -> list[str]:
        """Returns the bands wanted of a chip."""
        if self.bands is not None:
            return list(self.bands)
        return [name for name in chip.bands if name not in CLASSES]

    def _open(self) -> None:
        """Opens what belongs to a process, in each that it comes to."""
        if self._process != os.getpid():
            self._store = self.samples.open_store()
            self._cache = MemberCache(self.cache_bytes)
            self._memory = BatchMemory()
            self._checked = np.full(len(self), self.check == "never")
            if self.threads > 1:
                self._threads = ThreadPoolExecutor(self.threads, "decode", _take_one_core)
            else:
                self._threads = None
            # Last of all: until then another thread, which may come meanwhile, opens them, too.
            self._process = os.getpid()

    def _item(
        self,
        number: int,
        sample: Sample,
        data: Sequence[bytes],
        room: Callable[[ChipRow, int], Room],
    ) -> Item:
        if not self._checked[number]:
            for place, one in zip(sample.places, data, strict=False):
                check_member(self.samples.root, place, one)
            self._checked[number] = self.check == "once"
        item = self._of_chip(sample.chip, data[0], room) | of_pairs(sample)
        item["number"] = number % len(self)
        if self.photos:
            item["photos"] = self._pictures(data[1:])
        return item if self.transforms is None else self.transforms(item)

    def _of_chip(
        self, chip: ChipRow, data: bytes, room: Callable[[ChipRow, int], Room]
    ) -> Item:  # fmt: skip
        wanted = self._names(chip)
        if unknown := [name for name in wanted if name not in chip.bands]:
            raise SetupError(
                self.samples.root, f"chip {chip.chip_id} has no bands {', '.join(unknown)}.",
                f"It has {', '.join(chip.bands)}; open the samples of one sensor.",
            )  # fmt: skip
        order = [chip.bands.index(name) for name in wanted]
        classes = next((chip.bands.index(one) for one in CLASSES if one in chip.bands), None)
        image, place_of_mask = room(chip, len(order))
        out = image.numpy() if image is not None and self.dtype is None else None
        try:
            pixels = read_tiles(data, order, _add_up, out)
            mask = None
            if classes is not None:
                own = classes in order
                mask = (
                    pixels[order.index(classes)] if own
                    else read_tiles(data, [classes], _add_up)[0]
                )  # fmt: skip
        except ValueError as error:
            raise SetupError(
                self.samples.root, f"chip {chip.chip_id} cannot be decoded ({error}).",
                "`terrapair verify` says what else is damaged.",
            ) from error  # fmt: skip
        if image is None:
            image = torch.from_numpy(pixels)
            image = image if self.dtype is None else image.to(self.dtype)
        elif out is None:
            image.copy_(torch.from_numpy(pixels))
        item: Item = {
            "image": image,
            "crs": chip.crs, "transform": transform_of(chip), "bounds": bounds_of(chip),
            "bands": tuple(wanted), "chip_id": chip.chip_id, "sensor": chip.sensor,
            "cell": chip.cell, "scene_id": chip.scene_id,
            "acquired_at": chip.acquired_at.isoformat() if chip.acquired_at else "",
        }  # fmt: skip
        if mask is not None:
            if place_of_mask is None:
                place_of_mask = torch.empty(mask.shape, dtype=mask_kind(chip, self.dtype))
            # Nothing is lost: classes are 0 to 11, and bits have 16 of them.
            np.copyto(place_of_mask.numpy(), mask, casting="unsafe")
            item["mask"] = place_of_mask
        return item

    def _pictures(self, data: Sequence[bytes]) -> torch.Tensor | list[torch.Tensor]:
        pictures = []
        for one in data:
            picture = torch.from_numpy(read_photo(one).transpose(2, 0, 1).copy())
            pictures.append(
                picture if self.photo_transform is None else self.photo_transform(picture)
            )
        return torch.stack(pictures) if len({one.shape for one in pictures}) == 1 else pictures


def _take_one_core() -> None:
    """Keeps PyTorch's operations in this thread to one core, for its neighbours have the others.

    Else each thread brings as many of OpenMP's threads as there are cores, and these wait for one
    another. PyTorch's own setting would be everybody's.
    """
    torch.get_num_threads()  # sets the thread's limit, if nothing has: it must not come later
    threadpool_limits(1, user_api="openmp")


def _add_up(steps: NDArray[Any], sums: NDArray[Any]) -> None:
    """Adds up the differences of each row: PyTorch does it faster than NumPy, bytes six times."""
    signed = np.int16 if steps.dtype.itemsize == 2 else np.uint8
    given, out = torch.from_numpy(steps.view(signed)), torch.from_numpy(sums.view(signed))
    torch.cumsum(given, -1, dtype=out.dtype, out=out)
