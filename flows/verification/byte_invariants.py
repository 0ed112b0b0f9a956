"""The promises about bytes: every member where the rows say it is, every chip what its row says."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image
from rasterio.errors import RasterioError

from collectors.chip_files import decode_chip
from collectors.shards import INDEX_NAME, ShardError, list_members
from collectors.storage import Missing
from filters.chip_quality import measure, refusal
from filters.picture_hashes import picture_hash
from flows.products.rows import ChipRow
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.products.rows import PhotoRow
    from flows.verification.row_invariants import CellRows


class ByteInvariants:
    """Reads every shard of the cells, one shard in memory at a time."""

    def __init__(self, store: Store, sensors: Mapping[str, Sensor]) -> None:
        """Takes the dataset, and the sensors as the version's manifest states them."""
        self._store, self._sensors = store, sensors
        self.whole = Finding(
            "shards-whole",
            "every shard has the content that its name says, every member named by a row is there"
            " with that checksum, and nothing in a shard is unnamed",
        )
        self.pixels = Finding(
            "chip-pixels",
            "each chip has the size, CRS, transform and bands of its row, its cloud measured again"
            " is what the row says, and it is within the limits",
        )

        self.pictures = Finding(
            "photo-pictures", "each photo's picture has the size and the hashes of its row"
        )

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [self.whole, self.pictures, self.pixels]

    def check(self, rows: CellRows, shards: Iterable[str], settled: Iterable[str]) -> None:
        """Checks the shards of one cell.

        Args:
            rows: The published rows of the cell.
            shards: The shards that the cell's commit names.
            settled: Photos of the cell that were left to another cell when this was published.
        """
        by_shard: dict[str, list[PhotoRow | ChipRow]] = {path: [] for path in shards}
        owners: list[PhotoRow | ChipRow] = [*rows.photos, *rows.chips]
        for row in owners:
            if row.shard is None:
                continue
            self.whole.expect(
                row.shard in by_shard, f"{_name(row)}: {row.shard} is not a shard of {rows.cell_id}"
            )
            by_shard.setdefault(row.shard, []).append(row)
        for path, named in by_shard.items():
            self._check_shard(path, named, {f"{photo_id}.jpg" for photo_id in settled})

    def _check_shard(self, path: str, named: list[PhotoRow | ChipRow], settled: set[str]) -> None:
        try:
            data = self._store.read(path)
        except Missing:
            self.whole.expect(False, f"{path} is missing")
            return
        digest = hashlib.sha256(data).hexdigest()
        stem = path.rsplit("/", 1)[1].removesuffix(".tar")
        self.whole.expect(digest.startswith(stem), f"{path}: its content is not what its name says")
        try:
            members = {member.name: member for member in list_members(self._store, path)}
        except ShardError as error:
            self.whole.expect(False, f"{path}: {error}")
            members = {}
        unnamed = members.keys() - {_member(row) for row in named} - settled - {INDEX_NAME}
        self.whole.expect(not unnamed, f"{path}: no row names {sorted(unnamed)[:3]}")
        for row in named:
            assert row.offset is not None and row.size is not None  # noqa: S101, PT018 - has a shard
            member = members.get(_member(row))
            content = data[row.offset : row.offset + row.size]
            self.whole.expect(
                member is not None
                and (member.offset, member.size) == (row.offset, row.size)
                and hashlib.sha256(content).hexdigest() == row.sha256,
                f"{_name(row)}: not at {row.offset}+{row.size} of {path} with its checksum",
            )
            if isinstance(row, ChipRow):
                self._check_chip(row, content)
            else:
                self._check_photo(row, content)

    def _check_photo(self, row: PhotoRow, content: bytes) -> None:
        try:
            with Image.open(BytesIO(content)) as picture:
                size = picture.size
            found = picture_hash(content)
        except OSError as error:
            self.pictures.expect(False, f"photo {row.photo_id}: cannot be read ({error})")
            return
        self.pictures.expect(
            size == (row.width, row.height) and found == row.picture_hash,
            f"photo {row.photo_id}: {size[0]} × {size[1]} px with hashes {found[:16]}… is not what"
            " the row says",
        )

    def _check_chip(self, row: ChipRow, content: bytes) -> None:
        try:
            chip = decode_chip(content)
        except (RasterioError, ValueError) as error:
            self.pixels.expect(False, f"chip {row.chip_id}: cannot be read ({error})")
            return
        sensor = self._sensors[row.sensor]
        try:
            measured = measure(chip.pixels, sensor)
        except ValueError as error:
            self.pixels.expect(False, f"chip {row.chip_id}: cannot be measured ({error})")
            return
        stated = (row.cloud_chip_pct, row.shadow_pct, row.valid_pct)
        found = (measured.cloud_pct, measured.shadow_pct, measured.valid_pct)
        # Releases before the shares were measured left them empty.
        covers = row.cover is None or row.cover == measured.cover
        side = sensor.size_px
        self.pixels.expect(
            chip.data.shape == (len(row.bands), side, side)
            and (row.width, row.height) == (side, side)
            and (chip.bands, chip.crs, chip.transform) == (row.bands, row.crs, row.transform),
            f"chip {row.chip_id}: {chip.data.shape} {chip.crs} {chip.transform} {chip.bands}"
            " is not what the row says",
        )
        self.pixels.expect(
            stated == found and covers and refusal(measured, sensor) is None,
            f"chip {row.chip_id}: cloud, shadow, valid and land cover are {found}"
            f" {measured.cover} %, and the row says {stated} {row.cover}",
        )


def _member(row: PhotoRow | ChipRow) -> str:
    return f"{row.chip_id}.tif" if isinstance(row, ChipRow) else f"{row.photo_id}.jpg"


def _name(row: PhotoRow | ChipRow) -> str:
    return f"chip {row.chip_id}" if isinstance(row, ChipRow) else f"photo {row.photo_id}"
