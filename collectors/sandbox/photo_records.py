"""What the sandbox knows of a photo: one as a record, many as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from collectors.sandbox.chance import hash_keys

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Longest side in pixels by the ending of the file's name (wire: live.staticflickr.com; the empty
# ending is 500). The two square sizes are cut from the middle.
LONGEST_SIDE: Final = {
    "t": 100,
    "m": 240,
    "n": 320,
    "w": 400,
    "": 500,
    "z": 640,
    "c": 800,
    "b": 1024,
    "h": 1600,
    "k": 2048,
}
SQUARE_SIDE: Final = {"s": 75, "q": 150}
ORIGINAL: Final = "o"
SUFFIXES: Final = frozenset(LONGEST_SIDE) | frozenset(SQUARE_SIDE) | {ORIGINAL}
# Files that cannot be had by the secret of the others (wire: recorded getSizes). Of free accounts
# they are not to be had at all since May 2025, unless the photo has an open licence.
OWN_SECRET: Final = frozenset({"h", "k", ORIGINAL})

# The share of photos that their owners have taken away again since they were listed.
_REMOVED_ONE_IN: Final = 100


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of the sandbox.

    Attributes:
        photo_id: the service's id.
        owner: the owner's id.
        longitude: degrees east (WGS84).
        latitude: degrees north (WGS84).
        taken: seconds from 1970-01-01 on the owner's own clock; the upload time when unknown.
        uploaded: Unix time of the upload (UTC).
        taken_unknown: whether the capture date is not known.
        granularity: 0 to the second, 4 to the month, 6 to the year.
        accuracy: 1 (world) to 16 (street); 0 is a location without an accuracy.
        licence: the service's licence number, 0..16.
        video: whether it is a video.
        content: 0 photo, 1 screenshot, 2 other, 3 virtual.
        geo_public: whether the location may be shown to everyone.
        indoor: whether it was taken inside a building.
        width: of the original, in pixels.
        height: of the original, in pixels.
        scene: names what the picture shows; a re-upload has the scene of the first upload.
        title: as the owner wrote it.
        tags: words with blanks between them.
    """

    photo_id: str
    owner: str
    longitude: float
    latitude: float
    taken: int
    uploaded: int
    taken_unknown: bool
    granularity: int
    accuracy: int
    licence: int
    video: bool
    content: int
    geo_public: bool
    indoor: bool
    width: int
    height: int
    scene: int
    title: str
    tags: str

    @property
    def secret(self) -> str:
        """The ten hexadecimal digits that stand in the addresses of the photo's files."""
        return f"{hash_keys('secret', self.photo_id, self.scene) & 0xFFFFFFFFFF:010x}"

    def secret_of(self, suffix: str) -> str:
        """Gives the ten digits in the address of one of the files; large ones have their own."""
        if suffix not in OWN_SECRET:
            return self.secret
        return f"{hash_keys('secret', self.photo_id, self.scene, suffix) & 0xFFFFFFFFFF:010x}"

    @property
    def removed(self) -> bool:
        """Whether the owner has removed the files since."""
        return hash_keys("removed", self.photo_id, self.scene) % _REMOVED_ONE_IN == 0

    def size(self, suffix: str) -> tuple[int, int] | None:
        """Gives the size of one of the photo's files.

        Args:
            suffix: the ending of the file's name, a key of `LONGEST_SIDE` or `SQUARE_SIDE`.

        Returns:
            (width, height) in pixels; None where the original is smaller than that size, or where
            the file is not given away.

        Raises:
            KeyError: when the service has no such size.
        """
        if suffix in SQUARE_SIDE:
            return SQUARE_SIDE[suffix], SQUARE_SIDE[suffix]
        if suffix in OWN_SECRET and self.licence == 0:
            return None
        if suffix == ORIGINAL:
            return self.width, self.height
        side = LONGEST_SIDE[suffix]
        longest = max(self.width, self.height)
        if longest < side:
            return None
        return round(self.width * side / longest), round(self.height * side / longest)


@dataclass(frozen=True, slots=True)
class PhotoColumns:
    """Many photos, one array of shape (n,) for each attribute of `Photo`."""

    photo_id: NDArray[np.str_]
    owner: NDArray[np.str_]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    taken: NDArray[np.int64]
    uploaded: NDArray[np.int64]
    taken_unknown: NDArray[np.bool_]
    granularity: NDArray[np.int64]
    accuracy: NDArray[np.int64]
    licence: NDArray[np.int64]
    video: NDArray[np.bool_]
    content: NDArray[np.int64]
    geo_public: NDArray[np.bool_]
    indoor: NDArray[np.bool_]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    scene: NDArray[np.uint64]
    title: NDArray[np.str_]
    tags: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.photo_id)

    def photo(self, row: int) -> Photo:
        """Gives one row as a record.

        Args:
            row: 0-based.

        Returns:
            The photo, with plain Python values.

        Raises:
            IndexError: when there is no such row.
        """
        names = (field.name for field in fields(self))
        return Photo(**{name: getattr(self, name)[row].item() for name in names})
