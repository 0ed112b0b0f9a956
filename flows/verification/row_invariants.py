"""The promises that the rows of a cell keep among themselves."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from collectors.cells import Cell
from collectors.geo import transformer
from collectors.licences import licence_by_code
from collectors.sensors import SceneRule
from filters.geotag_uncertainty import uncertainty_m
from filters.sampling import part_of, photo_hash
from filters.scenes import distance
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.products.rows import ChipRow, PairRow, PhotoRow, PublishedPairRow, RejectRow

PIXEL_TOLERANCE: Final = 0.01
"""Pixels by which (row, col) and (lon, lat) may disagree, as the design promises."""


@dataclass(frozen=True, slots=True)
class CellRows:
    """The published rows of one cell."""

    cell_id: str
    photos: Sequence[PhotoRow]
    rejects: Sequence[RejectRow]
    chips: Sequence[ChipRow]
    pairs: Sequence[PublishedPairRow]


class RowInvariants:
    """Checks cells one after the other; what crosses cells is remembered in a small form."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        """Takes rules and sensors from a version's manifest."""
        self._sensors: Mapping[str, Any] = manifest["sensors"]
        self._cap = int(manifest["rules"]["photos_per_chip"])
        self._street_m = float(manifest["rules"]["street_uncertainty_m"])
        self._owner_cap = part_of(self._cap, float(manifest["rules"]["owner_share_of_chip"]))
        self._seed = int(manifest["seed"])
        self._centres: dict[tuple[str, str, str, int, int], list[tuple[str, float, float]]] = (
            defaultdict(list)
        )
        self.rights = Finding(
            "rights", "every kept photo has a licence that allows adapted copies, an attribution"
            " line and a page address",
        )  # fmt: skip
        self.explained = Finding(
            "paired-or-explained",
            "a kept photo has, per sensor, exactly one pair or a stated reason for none",
        )
        self.placed = Finding(
            "photo-in-chip",
            "a pair's photo lies in the chip's central area, at the row and column stated, with the"
            " radius of its accuracy",
        )
        self.apart = Finding(
            "centres-apart",
            "no chip's centre lies in the area of another (same sensor, zone and time bin), and"
            " every area lies in its cell",
        )
        self.capped = Finding(
            "photos-per-chip",
            f"no chip has more than {self._cap} photos, and {self._owner_cap} of one owner; of"
            " those that came together, the ones of smallest hash were taken",
        )
        self.nearest = Finding(
            "nearest-scene",
            "each chip's scene is within its limits, dates agree, scenes were tried in the order of"
            " the sensor's rule, and no refused scene would pass",
        )

    @property
    def findings(self) -> list[Finding]:
        """All findings; complete after the last cell and `finish`."""
        return [self.rights, self.explained, self.placed, self.apart, self.capped, self.nearest]

    def check(self, rows: CellRows) -> None:
        """Checks the rows of one cell."""
        chips = {chip.chip_id: chip for chip in rows.chips}
        photos = {photo.photo_id: photo for photo in rows.photos}
        for photo in rows.photos:
            self._check_rights(photo)
        self._check_explained(rows)
        for pair in rows.pairs:
            self._check_pair(pair, photos.get(pair.photo_id), chips.get(pair.chip_id))
        self._check_cap(rows, chips, photos)
        for chip in rows.chips:
            self._check_scene(chip)
            self._check_area(chip)

    def _check_rights(self, photo: PhotoRow) -> None:
        try:
            adaptable = licence_by_code(photo.licence).adaptable
        except (ValueError, LookupError):
            adaptable = False
        self.rights.expect(
            adaptable and bool(photo.attribution) and photo.page_url.startswith("https://"),
            f"photo {photo.photo_id}: licence {photo.licence!r}, attribution"
            f" {photo.attribution!r}, page {photo.page_url!r}",
        )

    def _check_explained(self, rows: CellRows) -> None:
        pairs = Counter((pair.photo_id, pair.sensor) for pair in rows.pairs)
        for photo in rows.photos:
            for sensor in self._sensors:
                count = pairs.pop((photo.photo_id, sensor), 0)
                reason = photo.unpaired.get(sensor)
                self.explained.expect(
                    (count == 1) != bool(reason) and count <= 1,
                    f"photo {photo.photo_id}: {count} {sensor} pairs, reason {reason!r}",
                )
        for (photo_id, sensor), count in pairs.items():
            self.explained.expect(False, f"{count} {sensor} pair of {photo_id}, which is no photo")

    def _check_pair(self, pair: PairRow, photo: PhotoRow | None, chip: ChipRow | None) -> None:
        where = f"pair {pair.photo_id} / {pair.chip_id}"
        if photo is None or chip is None or not chip.kept:
            self.placed.expect(False, f"{where}: photo or chip with pixels is missing")
            return
        row, col = chip.grid.locate(photo.lon, photo.lat)
        error = max(abs(row - pair.row), abs(col - pair.col))
        x, y = chip.grid.centre
        photo_x, photo_y = transformer("EPSG:4326", chip.crs).transform(photo.lon, photo.lat)
        away = ((photo_x - x) ** 2 + (photo_y - y) ** 2) ** 0.5
        area = int(self._sensors[chip.sensor]["area_px"])
        self.placed.expect(
            error <= PIXEL_TOLERANCE
            and chip.grid.area_holds(pair.row, pair.col, area)
            and abs(away - pair.distance_m) <= PIXEL_TOLERANCE * chip.scale_m
            and self._radius_agrees(pair, photo, chip)
            and Cell.at(photo.lon, photo.lat).cell_id == photo.cell == chip.cell,
            f"{where}: stated row {pair.row:.3f}, col {pair.col:.3f}; the geotag is at row"
            f" {row:.3f}, col {col:.3f}; radius {pair.uncertainty_px:g} px at accuracy"
            f" {photo.accuracy}",
        )
        acquired = chip.acquired_at
        days = (acquired.astimezone(UTC).date() - photo.taken_at.date()).days if acquired else None
        self.nearest.expect(
            pair.delta_days == days, f"{where}: delta_days is {pair.delta_days}, not {days}"
        )

    def _radius_agrees(self, pair: PairRow, photo: PhotoRow, chip: ChipRow) -> bool:
        """Says whether a pair's radius is that of the photo's accuracy, in the chip's pixels."""
        try:
            radius_m = uncertainty_m(photo.accuracy, self._street_m)
        except ValueError:
            return False
        return math.isclose(pair.uncertainty_px * chip.scale_m, radius_m, rel_tol=1e-9)

    def _check_cap(
        self, rows: CellRows, chips: Mapping[str, ChipRow], photos: Mapping[str, PhotoRow]
    ) -> None:
        members: dict[str, list[PairRow]] = defaultdict(list)
        for pair in rows.pairs:
            members[pair.chip_id].append(pair)
        for chip in rows.chips:
            count = len(members[chip.chip_id])
            self.capped.expect(
                count <= self._cap and count == chip.photos,
                f"chip {chip.chip_id}: {count} pairs, {chip.photos} stated, cap {self._cap}",
            )
            owners = Counter(
                photos[pair.photo_id].owner
                for pair in members[chip.chip_id]
                if pair.photo_id in photos
            )
            for owner, of_one in owners.items():
                self.capped.expect(
                    of_one <= self._owner_cap,
                    f"chip {chip.chip_id}: {of_one} photos of {owner}, cap {self._owner_cap}",
                )
        full = {
            chip_id: max(
                photo_hash(self._seed, pair.photo_id)
                for pair in pairs
                if pair.generation == max(one.generation for one in pairs)
            )
            for chip_id, pairs in members.items()
            if len(pairs) >= self._cap
        }
        for photo in photos.values():
            for sensor in (name for name, why in photo.unpaired.items() if why == "chip_full"):
                for chip_id, largest in full.items():
                    chip = chips[chip_id]
                    area = int(self._sensors[sensor]["area_px"])
                    if chip.sensor != sensor or not chip.grid.area_holds(
                        *chip.grid.locate(photo.lon, photo.lat), area
                    ):
                        continue
                    together = {pair.generation for pair in members[chip_id]} == {photo.generation}
                    same_time = _same_bin(chip, photo, int(self._sensors[sensor]["bin_months"]))
                    if together and same_time:
                        self.capped.expect(
                            photo_hash(self._seed, photo.photo_id) > largest,
                            f"photo {photo.photo_id} was left out of {chip_id} for one of larger"
                            " hash",
                        )

    def _check_scene(self, chip: ChipRow) -> None:
        where = f"chip {chip.chip_id}"
        sensor = self._sensors[chip.sensor]
        rule = SceneRule(sensor["scene_rule"])
        distances = [distance(one.delta_days, rule) for one in chip.refused]
        if chip.kept:
            assert chip.acquired_at is not None  # noqa: S101 - the schema of kept chips
            days = (chip.acquired_at.astimezone(UTC).date() - chip.target_date).days
            distances.append(distance(days, rule))
            scene_limit = chip.scene_cloud_limit_pct
            self.nearest.expect(
                chip.delta_days == days
                and abs(days) <= int(sensor["window_days"])
                and (scene_limit is None or (chip.cloud_scene_pct or 0.0) < scene_limit),
                f"{where}: {chip.scene_id}, {chip.delta_days} days, scene cloud"
                f" {chip.cloud_scene_pct} % (limit {scene_limit})",
            )
        self.nearest.expect(
            distances == sorted(distances), f"{where}: scenes were not tried {rule} first"
        )
        for one in chip.refused:
            cloudy = (
                chip.chip_cloud_limit_pct is not None
                and one.cloud_chip_pct is not None
                and one.cloud_chip_pct > chip.chip_cloud_limit_pct
            )
            missing = one.valid_pct is not None and 100 - one.valid_pct > chip.missing_limit_pct
            self.nearest.expect(
                cloudy or missing or one.reason in {"gone", "no_cloud_score"},
                f"{where}: refused scene {one.scene_id} would have passed",
            )

    def _check_area(self, chip: ChipRow) -> None:
        area = int(self._sensors[chip.sensor]["area_px"])
        box = Cell.parse(chip.cell).box
        west, south, east, north = chip.grid.area_footprint(area).bounds
        self.apart.expect(
            box.west <= west and east <= box.east and box.south <= south and north <= box.north,
            f"chip {chip.chip_id}: its area leaves cell {chip.cell}",
        )
        x, y = chip.grid.centre
        side = area * chip.scale_m
        key = (chip.sensor, chip.crs, chip.time_bin, int(x // side), int(y // side))
        self._centres[key].append((chip.chip_id, x, y))

    def finish(self) -> None:
        """Compares the chips of all cells with one another."""
        for (sensor, crs, time_bin, column, row), here in self._centres.items():
            half = (
                int(self._sensors[sensor]["area_px"]) * float(self._sensors[sensor]["scale_m"]) / 2
            )
            near = [
                other
                for dx in (-1, 0, 1)
                for dy in (-1, 0, 1)
                for other in self._centres.get((sensor, crs, time_bin, column + dx, row + dy), ())
            ]
            for name, x, y in here:
                others = [
                    other for other, east, north in near
                    # half-open: rows and columns from low to high, so west and north are inside
                    if other != name and -half <= x - east < half and -half <= north - y < half
                ]  # fmt: skip
                self.apart.expect(
                    not others, f"chip {name}: its centre lies in the area of {others[:1]}"
                )


def _same_bin(chip: ChipRow, photo: PhotoRow, bin_months: int) -> bool:
    from filters.time_bins import time_bin

    return chip.time_bin == time_bin(photo.taken_at.date(), bin_months)
