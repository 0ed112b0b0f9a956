"""What placement needs to know of photos: one by one, and as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Spot:
    """What placement needs to know of a photo.

    Attributes:
        photo_id: The photo's id.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
        taken_on: Local date of the capture.
        hash: The photo's seeded hash, 0 to 2⁶⁴ − 1; smaller comes first.
        owner: Id of the photo's owner.
    """

    photo_id: str
    lon: float
    lat: float
    taken_on: date
    hash: int
    owner: str


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """The same of many photos, as columns of equal length.

    Attributes:
        photo_ids: Ids, as objects.
        lon: Longitudes in degrees.
        lat: Latitudes in degrees.
        taken_on: Local dates of the capture, `datetime64[D]`.
        hashes: Seeded hashes, `uint64`.
        owners: Ids of the owners, as objects.

    Raises:
        ValueError: If the columns differ in length, or a photo has no place on Earth or no date.
    """

    photo_ids: NDArray[np.object_]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    taken_on: NDArray[np.datetime64]
    hashes: NDArray[np.uint64]
    owners: NDArray[np.object_]

    def __post_init__(self) -> None:
        columns = (self.photo_ids, self.lon, self.lat, self.taken_on, self.hashes,
                   self.owners)  # fmt: skip
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of unlike lengths: {[len(column) for column in columns]}")
        # Written so that NaN, for which every comparison is false, counts as bad.
        bad = ~((np.abs(self.lon) <= 180) & (np.abs(self.lat) <= 90))
        if bad.any():
            first = int(np.argmax(bad))
            raise ValueError(
                f"photo {self.photo_ids[first]}: longitude {self.lon[first]}, latitude"
                f" {self.lat[first]} is no place on Earth"
            )
        undated = np.isnat(self.taken_on)
        if undated.any():
            raise ValueError(f"photo {self.photo_ids[int(np.argmax(undated))]} has no date")

    def __len__(self) -> int:
        return len(self.photo_ids)

    @classmethod
    def of(cls, photos: Sequence[Spot]) -> Spots:
        """Returns photos as columns, in their order."""
        return cls(
            np.array([photo.photo_id for photo in photos], dtype=object),
            np.array([photo.lon for photo in photos], dtype=np.float64),
            np.array([photo.lat for photo in photos], dtype=np.float64),
            np.array([photo.taken_on for photo in photos], dtype="datetime64[D]"),
            np.array([photo.hash for photo in photos], dtype=np.uint64),
            np.array([photo.owner for photo in photos], dtype=object),
        )

    def take(self, rows: NDArray[Any]) -> Spots:
        """Returns the photos of these rows."""
        return Spots(
            self.photo_ids[rows], self.lon[rows], self.lat[rows], self.taken_on[rows],
            self.hashes[rows], self.owners[rows],
        )  # fmt: skip

    def by_chance(self) -> Spots:
        """Returns the photos by hash, then by id."""
        order = np.argsort(self.hashes, kind="stable")
        ordered = self.hashes[order]
        if (ordered[1:] == ordered[:-1]).any():
            order = np.lexsort((self.photo_ids.astype(np.str_), self.hashes))
        return self.take(order)
