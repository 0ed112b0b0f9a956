"""The few searches, downloads and requests by which a plan sees what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from collectors.chip_files import encode_chip
from collectors.chips import SceneGone
from collectors.flickr import GEO_PAGE, PhotoSearch
from collectors.records import PhotoImage
from filters.chip_quality import measure, refusal
from filters.indoor import Unreadable, is_indoor
from filters.metadata import Rules, screen
from filters.sampling import photo_hash, seeded_hash
from filters.scenes import rank
from flows.planning.groups import surrounding
from flows.planning.outlooks import Pool, pool_of
from flows.planning.populations import Uploads
from flows.products.block_list import BlockList

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.cells import Cell
    from collectors.chips import Chip
    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr, SearchPage
    from collectors.geo import Box
    from collectors.photo_files import PhotoHost
    from collectors.records import Photo
    from collectors.sensors import Sensor
    from filters.indoor import IndoorClassifier
    from flows.catalogue.catalogue import Catalogue
    from flows.planning.groups import Plot
    from flows.planning.held import Held
    from flows.planning.rates import Rates
    from flows.progress import Progress

PHOTOS_JUDGED: Final = 24
"""Photos that are downloaded and judged."""

CHIPS_RESOLVED: Final = 120
"""Chips of a sensor whose scenes are looked for: all sensors in one request of up to 500."""

CHIPS_READ: Final = 4
"""Chips of a sensor whose pixels are fetched. Water, fields and towns compress very differently:
one chip's size was seen to be half as large as the mean of its region."""


@dataclass(slots=True)
class Outside:
    """The services that a plan may ask.

    Attributes:
        flickr: Search.
        photo_host: Photo files.
        earth_engine: Scenes and pixels.
        classifier: Tells indoor from outdoor; None where its weights are not at hand.
        blocks: Photos and owners that must not be looked at.
    """

    flickr: Flickr
    photo_host: PhotoHost
    earth_engine: EarthEngine
    classifier: IndoorClassifier | None
    blocks: BlockList = field(default_factory=BlockList)


@dataclass(slots=True)
class Seen:
    """What was seen of the region.

    Attributes:
        pools: The cells, with what they promise.
        uploads: Which share of the photos had been uploaded by when.
        photos: Everything that the searches brought.
        searches: Searches made.
    """

    pools: list[Pool] = field(default_factory=list)
    uploads: Uploads = field(default_factory=lambda: Uploads((0.0, 1.0), (0.0, 1.0)))
    photos: dict[str, tuple[Plot, Photo]] = field(default_factory=dict)
    searches: int = 0


def look(
    groups: Sequence[tuple[Plot, ...]],
    flickr: Flickr,
    catalogue: Catalogue,
    held: Mapping[Cell, Held],
    seed: int,
    progress: Progress,
) -> Seen:
    """Searches each group of cells as a whole, as of an earlier time, and one of its cells alone.

    A search lists the newest uploads first. The second one, of all that had been uploaded by some
    earlier time, says how the photos lie in time, and brings some that are older; the times are
    spread over the groups.

    Args:
        groups: Cells that lie together.
        flickr: Search.
        catalogue: Gives the licences.
        held: What the dataset has seen of the cells.
        seed: Chooses times and cells.
        progress: Hears how many groups are done.
    """
    seen = Seen()
    curve: list[tuple[datetime, float]] = []
    every = [order for plots in groups for plot in plots for order in plot.orders]
    first = min(order.taken_from for order in every)
    last = max(order.taken_until for order in every)
    now = max(order.now for order in every)
    licences = tuple(sorted(catalogue.rules.licence_ids))

    def search(box: Box, until: datetime) -> SearchPage:
        seen.searches += 1
        return flickr.search(PhotoSearch(box, first, last + timedelta(days=1), until, licences))

    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for number, plots in enumerate(groups):
        box = surrounding([plot.box for plot in plots])
        newest = search(box, now)
        photos = list(newest.photos)
        closer: dict[Cell, tuple[int, Sequence[Photo]]] = {}
        if newest.total > GEO_PAGE:
            turn = sorted(range(len(groups)), key=lambda one: seeded_hash(seed, f"time {one}"))
            part = (turn[number] + 0.5) / len(groups)
            earlier = search(box, start + (now - start) * part)
            curve.append((start + (now - start) * part, earlier.total / newest.total))
            if newest.photos:
                oldest = min(one.uploaded_at for one in newest.photos)
                curve.append((oldest, 1 - len(newest.ids) / newest.total))
            have = {one.photo_id for one in photos}
            photos += [one for one in earlier.photos if one.photo_id not in have]
            if len(plots) > 1:
                chosen = min(plots, key=lambda one: seeded_hash(seed, one.cell.cell_id))
                alone = search(chosen.box, now)
                closer[chosen.cell] = (alone.total, alone.photos)
        else:
            closer = {
                plot.cell: (len(mine), mine) for plot in plots
                if (mine := [one for one in photos if plot.holds(one.lon, one.lat)]) is not None
            }  # fmt: skip
        seen.pools.append(pool_of(plots, newest.total, photos, closer, held))
        for plot in plots:
            mine = [one for one in photos if plot.holds(one.lon, one.lat)]
            mine += list(closer.get(plot.cell, (0, ()))[1])
            seen.photos.update((one.photo_id, (plot, one)) for one in mine)
        progress("groups of cells searched", number + 1, len(groups))
    seen.uploads = Uploads.of(start, now, curve)
    return seen


def judge_some(
    seen: Seen,
    outside: Outside,
    catalogue: Catalogue,
    rates: Rates,
    seed: int,
    progress: Progress,
) -> int:
    """Downloads and judges a few of the photos that pass the screen, of as many cells as there are.

    Returns:
        How many were downloaded.
    """
    rules = catalogue.rules
    passed = []
    for plot, photo in seen.photos.values():
        if outside.blocks.blocks(photo.photo_id, photo.owner):
            continue
        order = plot.orders[0]
        asked = Rules(
            rules.min_accuracy, rules.licence_ids, order.taken_from,
            order.taken_until + timedelta(days=1),
        )  # fmt: skip
        if screen(photo, order.ground, asked) is None:
            passed.append((photo_hash(seed, photo.photo_id), plot.cell, photo))
    by_cell: dict[Cell, int] = {}
    queue = []
    for chance, cell, photo in sorted(passed, key=lambda one: one[0]):
        by_cell[cell] = by_cell.get(cell, 0) + 1
        queue.append((by_cell[cell], chance, photo))
    images: list[PhotoImage] = []
    chosen = sorted(queue, key=lambda one: one[:2])[:PHOTOS_JUDGED]
    for number, (_, _, photo) in enumerate(chosen):
        image = outside.photo_host.fetch(photo)
        rates.failed.count(*((0, 1) if isinstance(image, PhotoImage) else (1, 0)))
        if isinstance(image, PhotoImage):
            images.append(image)
            rates.photo_bytes.seen.append(len(image.jpeg))
        progress("photos looked at", number + 1, len(chosen))
    if outside.classifier is not None and images:
        for score in outside.classifier.probabilities([one.jpeg for one in images]):
            if isinstance(score, Unreadable):
                continue
            indoor = is_indoor(score, rules.indoor_threshold, rules.indoor_rule)
            rates.indoor.count(*((1, 0) if indoor else (0, 1)))
    return len(chosen)


def resolve_some(
    chips: Sequence[Chip],
    outside: Outside,
    sensors: dict[str, Sensor],
    rates: Rates,
    seed: int,
) -> int:
    """Looks for the scenes of some chips in one request, and fetches a few of each sensor.

    Returns:
        How many chips were looked at.
    """
    by_chance = sorted(
        {chip.chip_id: chip for chip in chips}.values(),
        key=lambda chip: seeded_hash(seed, chip.chip_id),
    )
    asked = [
        chip for name in sorted(sensors)
        for chip in [one for one in by_chance if one.sensor == name][:CHIPS_RESOLVED]
    ]  # fmt: skip
    if not asked:
        return 0
    found = outside.earth_engine.resolve(asked, sensors)
    for name in sorted({chip.sensor for chip in asked}):
        sensor, counted = sensors[name], rates.sensors[name]
        with_scenes = []
        for chip in (one for one in asked if one.sensor == name):
            ranked = rank(found[chip.chip_id], chip, sensor)
            counted.no_scene.count(*((0, 1) if ranked else (1, 0)))
            if ranked:
                counted.candidates.append(len(ranked))
                with_scenes.append((chip, ranked))
        for chip, ranked in with_scenes[:CHIPS_READ]:
            pixels = outside.earth_engine.read(chip, ranked[0], sensor)
            passes = (
                not isinstance(pixels, SceneGone)
                and refusal(measure(pixels, sensor), sensor) is None
            )
            counted.refused.count(*((0, 1) if passes else (1, 0)))
            if passes and not isinstance(pixels, SceneGone):
                counted.bytes.seen.append(len(encode_chip(pixels, chip.grid, tags={})))
    return len(asked)
