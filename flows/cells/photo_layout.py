"""Lays the new photos of a cell out chip by chip, just before they are committed.

Photos are stored as they are judged, in batches that chance makes up, so that a stopped build loses
little. Which chip a photo belongs to is known only when all are placed. Left like that, the photos
of a chip lie in several shards, and whoever reads chips at random makes a request for each. So the
bytes are written once more, neighbours side by side: then a chip's photos are one range of one
shard.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from collectors.cells import tile_at
from collectors.shards import pack, write_shard
from collectors.storage import Missing
from collectors.transport import TroubleRemains
from flows.cells.batches import ShardRemovedError
from flows.cells.photo_work import kept_verdict
from flows.samples.members import MemberPlace, cut, merged_ranges

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.cells.state import CellState
    from flows.products.rows import ChipRow, PairRow, PhotoRow

SHARD_BYTES: Final = 64 * 1024 * 1024
"""Bytes of photos in a shard at most: some 1,500. Twice that is in memory while it is packed, in
each cell that is in work."""

LAID_OUT: Final = "laid out"
"""Work key of such a shard: no batch is taken from it."""

_TILES: Final = 1024
"""Tiles across a cell, some 97 m each: a power of two, for they are ordered by quarters."""

_READ_ALONG: Final = 256 * 1024
"""Bytes between two photos that are read along; a batch with all its photos wanted is one range."""


def lay_out(
    store: Store, state: CellState, committed: Collection[str], sensors: Mapping[str, Sensor]
) -> CellState:
    """Writes the photos that no commit names yet into shards of their own, by place and chip.

    What is written follows from the rows alone. The shards that held them before are left.

    Args:
        store: The dataset.
        state: The cell with photos, chips and pairs, about to be committed.
        committed: Shards that the cell's newest commit names; their photos stay where they are.
        sensors: The sensors by name.

    Returns:
        The state with rows that say where the bytes are now.

    Raises:
        ShardRemovedError: If somebody has removed a shard meanwhile.
        TroubleRemains: If a shard does not hold what was written.
    """
    fresh = [row for row in state.photos if row.shard not in committed]
    order = by_place(fresh, state.chips, state.pairs, sensors)
    moved: dict[str, PhotoRow] = {}
    for rows in shards_of(order):
        members = [(f"{row.photo_id}.jpg", data) for row, data in _read(store, rows)]
        index = [
            {"item_id": row.photo_id, "work_key": LAID_OUT, "beside": "",
             "member": f"{row.photo_id}.jpg", "verdict": kept_verdict(row)}
            for row in rows
        ]  # fmt: skip
        packed = pack(members, index)
        path = write_shard(store, state.cell_id, packed)
        for row in rows:
            place = packed.places[f"{row.photo_id}.jpg"]
            moved[row.photo_id] = replace(row, shard=path, offset=place.offset)
    photos = tuple(moved.get(row.photo_id, row) for row in state.photos)
    return replace(state, photos=photos).ordered()


def by_place(
    photos: Sequence[PhotoRow],
    chips: Sequence[ChipRow],
    pairs: Sequence[PairRow],
    sensors: Mapping[str, Sensor],
) -> list[PhotoRow]:
    """Returns photos so ordered that those of a chip stand together.

    Chips of the sensor that sees the most ground come in the order of their places, a quarter of
    the cell after the other, and so on down to 97 m; within such a chip the photos go by the chips
    of the next sensor. A photo without such a chip stands where it was taken.

    Args:
        photos: The photos.
        chips: Chips; those without pixels are passed over.
        pairs: Which photo is in which chip.
        sensors: The sensors by name.
    """
    widest = sorted(sensors.values(), key=lambda one: (-one.scale_m * one.area_px, one.name))
    kept = {chip.chip_id: chip for chip in chips if chip.kept}
    of_photo: dict[str, dict[str, str]] = {}
    for pair in pairs:
        if pair.chip_id in kept:
            of_photo.setdefault(pair.photo_id, {})[pair.sensor] = pair.chip_id
    places = {name: _place(*_centre(chip)) for name, chip in kept.items()}

    def key(photo: PhotoRow) -> tuple[Any, ...]:
        own = of_photo.get(photo.photo_id, {})
        names = tuple(own.get(sensor.name, "") for sensor in widest)
        place = places[names[0]] if names and names[0] else _place(photo.lon, photo.lat)
        return (place, *names, photo.photo_id)

    return sorted(photos, key=key)


def shards_of(photos: Sequence[PhotoRow]) -> Iterator[list[PhotoRow]]:
    """Cuts photos, in their order, into what goes into a shard each."""
    found: list[PhotoRow] = []
    size = 0
    for photo in photos:
        if found and size + photo.size > SHARD_BYTES:
            yield found
            found, size = [], 0
        found.append(photo)
        size += photo.size
    if found:
        yield found


def _centre(chip: ChipRow) -> tuple[float, float]:
    """Returns the centre of a chip, lon and lat in degrees."""
    return chip.grid.point_at(chip.height / 2, chip.width / 2)


def _place(lon: float, lat: float) -> int:
    """Returns the number of a point's tile, counted by quarters of quarters (Morton)."""
    row, column = (one % _TILES for one in tile_at(lon, lat, _TILES))
    return sum(
        (row >> bit & 1) << 2 * bit + 1 | (column >> bit & 1) << 2 * bit
        for bit in range(_TILES.bit_length() - 1)
    )


def _read(store: Store, rows: Sequence[PhotoRow]) -> list[tuple[PhotoRow, bytes]]:
    """Returns the photos' bytes, held to their checksums."""
    places = [MemberPlace(row.shard, row.offset, row.size, row.sha256) for row in rows]
    read = []
    for one in merged_ranges(places, _READ_ALONG):
        try:
            read.append((one, store.read_range(one.path, one.offset, one.size)))
        except Missing as error:
            raise ShardRemovedError(one.path) from error
    found = list(zip(rows, cut(places, read), strict=True))
    for row, data in found:
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise TroubleRemains(
                "storage",
                f"{store.uri(row.shard)} does not hold photo {row.photo_id} with the checksum that"
                " was written; remove that file, and its photos are downloaded anew",
            )
    return found
