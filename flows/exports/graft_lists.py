"""The layout that GRAFT's training reads: pictures in folders, lists of pairs, pixel offsets.

For each sensor a folder like `data` in the authors' scripts (utkarshmall13/graft-data-collection on
GitHub, commit 16f2048, `src/create_train_test_split.py`):

    <sensor>/<sensor>images/0000/00000012.jpg   chip 12: eight digits, 5,000 to a folder
    <sensor>/images/1/7/2/2/14021571722.jpg     a photo, by the last four digits of its id
    <sensor>/split_m2o/{train,val,test}.csv     chip, photo
    <sensor>/split_m2o/pixel_offset.csv         chip, photo, x, y

No list has a header. A chip's path counts from the `data` folder, a photo's from `images`. x and y
are pixels from the chip's centre: x to the right, y down.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, ClassVar, Final

from filters.splits import Split
from flows.exports.forms import SPLITS, Written
from flows.exports.loose_rows import loose_tables
from flows.exports.planning import cut
from flows.exports.table_files import joined, table_piece
from flows.exports.true_colour import WHITE, PictureFormat, encoded, true_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flows.exports.forms import Context, Ending, Group, LoadedSample, Portion

_CHIPS_OF_A_FOLDER: Final = 5_000
"""As the authors' `naip_downloader.py` has it."""

_SAMPLES_OF_A_PORTION: Final = 32

TABLES: Final = ("chips", "photos", "pairs")


@dataclass(frozen=True, slots=True)
class GraftLists:
    """The form `graft`.

    Attributes:
        picture: Format of the chips' pictures.
        white: Number of a 16-bit band that becomes 255.
    """

    picture: PictureFormat = "jpeg"
    white: int = WHITE

    name: ClassVar[str] = "graft"
    splits: ClassVar[Sequence[Split]] = tuple(one for one in SPLITS if one is not Split.NONE)
    layout: ClassVar[Sequence[tuple[str, str]]] = (
        ("<sensor>/", "what GRAFT's scripts call `data`; for each sensor, one"),
        ("<sensor>/<sensor>images/0000/00000000.jpg", "chips, red, green and blue"),
        ("<sensor>/images/1/2/3/4/….jpg", "photos as they are stored"),
        ("<sensor>/split_m2o/train.csv, val.csv, test.csv", "chip and photo of each pair"),
        (
            "<sensor>/split_m2o/pixel_offset.csv",
            "chip, photo, x and y: pixels from the chip's centre, x to the right, y down",
        ),
        ("tables/*.parquet", "chips, photos and pairs with their `path`: credits, dates, scenes"),
    )
    notes: ClassVar[Sequence[str]] = (
        (
            "Pairs of the split `none` are left out. Pictures have the chips' own pixels, so that"
            " offsets are pixels of the pictures, whatever the sensor."
        ),
    )

    def front_matter(self, _portions: Sequence[Portion]) -> Sequence[str]:
        """Returns nothing: no program reads it."""
        return ()

    def options(self) -> dict[str, Any]:
        """Returns its own options, for the record."""
        return asdict(self)

    def order(self, group: Group, _shuffle: Callable[[Group, int], Group]) -> Group:
        """Returns a group in the dataset's order."""
        return group

    def divide(self, group: Group) -> Iterator[Portion]:
        """Divides a group into portions of some samples."""
        return cut(group, most_samples=_SAMPLES_OF_A_PORTION)

    def write(self, portion: Portion, samples: Sequence[LoadedSample], context: Context) -> Written:
        """Makes the pictures of a portion, and its lines of the lists."""
        sensor = portion.group.sensor
        pairs: list[tuple[str, str]] = []
        offsets: list[tuple[str, str, float, float]] = []
        for one in samples:
            chip = self._chip_path(sensor, one)
            middle = (one.sample.chip.height / 2, one.sample.chip.width / 2)
            for taken in one.sample.photos:
                photo = _photo_path(taken.photo.photo_id)
                pairs.append((chip, photo))
                x, y = taken.pair.col - middle[1], taken.pair.row - middle[0]
                offsets.append((chip, photo, x, y))
        tables = loose_tables(
            samples, context.schemas,
            lambda one: f"{sensor}/{self._chip_path(sensor, one)}",
            lambda _, photo: f"{sensor}/images/{_photo_path(photo.photo.photo_id)}",
        )  # fmt: skip
        pieces = {"list": _csv(pairs), "offsets": _csv(offsets)}
        pieces |= {name: table_piece(table) for name, table in tables.items()}
        return Written(self._files(sensor, samples), pieces)

    def end(self, ending: Ending) -> Iterator[tuple[str, bytes]]:
        """Makes the lists, and the tables."""
        by_sensor: dict[str, list[Portion]] = {}
        for portion in ending.portions:
            by_sensor.setdefault(portion.group.sensor, []).append(portion)
        for sensor, portions in by_sensor.items():
            for split in self.splits:
                mine = [one for one in portions if one.group.split == split]
                if mine:
                    data = b"".join(ending.pieces(mine, "list"))
                    yield f"{sensor}/split_m2o/{split}.csv", data
            offsets = b"".join(ending.pieces(portions, "offsets"))
            yield f"{sensor}/split_m2o/pixel_offset.csv", offsets
        for product in TABLES:
            yield from joined(ending, product, f"tables/{product}")

    def _files(self, sensor: str, samples: Iterable[LoadedSample]) -> Iterator[tuple[str, bytes]]:
        for one in samples:
            picture = true_colour(one.chip, one.sample.chip.bands, self.white)
            yield f"{sensor}/{self._chip_path(sensor, one)}", encoded(picture, self.picture)
            for taken, data in one.pictures:
                yield f"{sensor}/images/{_photo_path(taken.photo.photo_id)}", data

    def _chip_path(self, sensor: str, one: LoadedSample) -> str:
        """Returns the path of a chip's picture, as the lists have it."""
        ending = "jpg" if self.picture == "jpeg" else "png"
        return f"{sensor}images/{one.number // _CHIPS_OF_A_FOLDER:04d}/{one.number:08d}.{ending}"


def _photo_path(photo_id: str) -> str:
    """Returns the path of a photo, as the lists have it: by the last four digits of its id."""
    return f"{'/'.join(photo_id.zfill(4)[-4:])}/{photo_id}.jpg"


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Returns rows of CSV, RFC 4180; numbers so that reading them gives the same number."""
    sink = StringIO(newline="")
    csv.writer(sink).writerows(rows)
    return sink.getvalue().encode("ascii")
