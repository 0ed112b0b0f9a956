"""Arrow tables of made-up photos, chips, pairs and rejects of many cells, for `large_dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from collectors.geo import transformer
from tests.benchmarks import large_columns as made
from tests.benchmarks.large_cells import SENSORS, SIZE_PX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tests.benchmarks.large_cells import Chips, Photos, Size

Columns = dict[str, Any]

IN_SHARD: Final = {"photos": 64, "sentinel2": 32, "naip": 32}
MARKS: Final = {"photos": "a", "sentinel2": "b", "naip": "c"}
"""In the names of shards, what they are links to."""

_EDGE: Final = np.array(
    [(i / 4, 0) for i in range(4)] + [(1, i / 4) for i in range(4)]
    + [(1 - i / 4, 1) for i in range(4)] + [(0, 1 - i / 4) for i in range(4)]
)  # fmt: skip

_REJECTS: Final = (
    ("rejected", "screen", "low_accuracy", 0.39), ("rejected", "select", "over_quota", 0.32),
    ("rejected", "screen", "unknown_date", 0.108), ("rejected", "screen", "burst", 0.08),
    ("rejected", "judge", "indoor", 0.06), ("rejected", "screen", "not_public_geo", 0.011),
    ("rejected", "screen", "coarse_date", 0.01), ("rejected", "screen", "no_location", 0.01),
    ("rejected", "select", "owner_share", 0.005), ("failed", "download", "placeholder", 0.003),
    ("failed", "download", "gone", 0.002), ("rejected", "compare", "same_picture", 0.001),
)  # fmt: skip

_BANDS: Final = (
    ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12", "SCL"],
    ["R", "G", "B", "N"],
)


@dataclass(frozen=True, slots=True)
class Template:
    """A shard whose bytes all shards of its kind share.

    Attributes:
        offsets: Where each member begins.
        sizes: Its bytes.
    """

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


def photo_columns(
    photos: Photos, sizes: Sequence[Size], first: int, template: Template,
    unpaired: pa.Array, chance: np.random.Generator,
) -> Columns:  # fmt: skip
    """Returns the columns of kept photos.

    Args:
        photos: The photos.
        sizes: Their cells.
        first: Number of the first one in the whole dataset, which makes its id.
        template: Where the bytes of its shards lie.
        unpaired: The column of that name.
        chance: Draws the rest.
    """
    count = len(photos.cell)
    ids = made.photo_ids(first, count)
    owner = made.owners(chance, count)
    names = list(made.LICENCES)
    licence = made.drawn(chance, names, count, [share for _, share in made.LICENCES.values()])
    short = pa.array([name for name, _ in made.LICENCES.values()])
    title = made.titles(chance, count)
    taken = made.moments(photos.day, chance)
    behind = -np.round(photos.lon / 15).astype(int)
    uploaded = taken + chance.exponential(20 * 86400, count).astype("timedelta64[s]") + _hours(14)
    zone = pa.array([f"Etc/GMT{hours:+d}" if hours else "Etc/GMT" for hours in range(-12, 13)])
    page = made.joined("https://www.flickr.com/photos/user", made.digits(owner), "/",
                       made.digits(ids), "/")  # fmt: skip
    member = _places(photos.cell, ids) % IN_SHARD["photos"]
    portrait = chance.random(count) < 0.3
    return {
        "photo_id": made.digits(ids), "owner": made.owner_ids(owner), "lon": photos.lon,
        "lat": photos.lat, "accuracy": np.full(count, 16), "taken_at": taken,
        "taken_at_utc": taken + _hours(behind), "time_zone": zone.take(pa.array(behind + 12)),
        "taken_granularity": np.zeros(count, int), "uploaded_at": uploaded, "licence": licence,
        "attribution": made.joined(
            '"', pc.replace_substring_regex(title, r"[\pC\s]+", " "), '" by user',
            made.digits(owner), " (",
            short.take(pc.index_in(licence, pa.array(names))), "), via Flickr",
        ),
        "page_url": page,
        "image_url": made.joined("https://live.staticflickr.com/65535/", made.digits(ids), "_",
                                 made.hexadecimal(chance.bytes(5 * count), 10), "_z.jpg"),
        "title": title, "tags": made.tags(chance, count), "cell": _cells(photos.cell, sizes),
        "indoor_probability": chance.beta(0.3, 4.0, count) / 2,
        "shard": shards("photos", photos.cell, _places(photos.cell, ids), sizes),
        "offset": template.offsets[member], "size": template.sizes[member],
        "sha256": made.hexadecimal(chance.bytes(32 * count), 64),
        "width": np.where(portrait, 336, 504), "height": np.where(portrait, 504, 336),
        "picture_hash": made.picture_hashes(chance, np.arange(first, first + count)),
        "unpaired": unpaired, "generation": np.ones(count, int),
        **_points(photos.lon, photos.lat),
    }  # fmt: skip


def reject_columns(
    cells: NDArray[np.intp], photos: Photos, sizes: Sequence[Size], first: int,
    elsewhere: int, chance: np.random.Generator,
) -> Columns:  # fmt: skip
    """Returns the columns of photos that were not kept; they lie around kept ones of their cell.

    Args:
        cells: The cell of each.
        photos: Kept photos of these cells.
        sizes: The cells.
        first: Number of the first one in the whole dataset, which makes its id.
        elsewhere: So many kept photos lie in other cells; one in 10,000 has the id of such a one.
        chance: Draws the rest.
    """
    count = len(cells)
    begins = np.searchsorted(photos.cell, np.arange(len(sizes)))
    kept = np.array([size.photos for size in sizes])
    near = begins[cells] + (chance.random(count) * kept[cells]).astype(int)
    boxes = np.array([(s.cell.box.west, s.cell.box.south, s.cell.box.east, s.cell.box.north)
                      for s in sizes])[cells]  # fmt: skip
    lon = np.clip(photos.lon[near] + chance.normal(0, 0.05, count), boxes[:, 0], boxes[:, 2] - 1e-9)
    lat = np.clip(photos.lat[near] + chance.normal(0, 0.03, count), boxes[:, 1], boxes[:, 3] - 1e-9)
    lon, lat = np.round(lon, 6), np.round(lat, 6)
    kind = chance.choice(len(_REJECTS), size=count, p=[one[3] for one in _REJECTS])
    outcomes, stages, reasons, _ = zip(*_REJECTS, strict=True)
    nowhere = np.array([reason == "no_location" for reason in reasons])[kind]
    doubles = np.array([reason in {"burst", "same_picture"} for reason in reasons])[kind]
    judged = np.array([stage in {"judge", "compare"} for stage in stages])[kind]
    ids = made.photo_ids(first, count)
    if elsewhere:
        met = chance.choice(elsewhere, size=count // 10_000, replace=False)
        ids[chance.choice(count, size=len(met), replace=False)] = made.ids_of(met)
    other = made.digits(made.photo_ids(0, 1 << 20)[near % (1 << 20)])
    lon[nowhere], lat[nowhere] = 0.0, 0.0
    return {
        "photo_id": made.digits(ids), "owner": made.owner_ids(made.owners(chance, count)),
        "lon": lon, "lat": lat,
        "taken_at": made.moments(photos.day[near], chance),
        "licence": made.drawn(
            chance, list(made.LICENCES), count, [share for _, share in made.LICENCES.values()]
        ),
        "cell": _cells(cells, sizes), "outcome": _named(outcomes, kind),
        "stage": _named(stages, kind), "reason": _named(reasons, kind),
        "detail": pc.if_else(pa.array(doubles), other, ""),
        "indoor_probability": pa.array(0.5 + chance.random(count) / 2, mask=~judged),
        "generation": np.ones(count, int), **_points(lon, lat),
    }  # fmt: skip


def chip_columns(
    chips: Chips, outcome: Mapping[str, Any], ids: pa.Array, bins: pa.Array,
    counts: NDArray[np.intp], sizes: Sequence[Size], templates: Sequence[Template],
    chance: np.random.Generator,
) -> Columns:  # fmt: skip
    """Returns the columns of chips.

    Args:
        chips: The chips.
        outcome: `kept`, `tried` (scenes refused), `target`, `delta`: as `large_dataset` draws them.
        ids: Their ids.
        bins: Their time bins.
        counts: Photos of each.
        sizes: Their cells.
        templates: Where the bytes of the shards of each sensor lie.
        chance: Draws the rest.
    """
    count, kept = len(chips.cell), outcome["kept"]
    sentinel = chips.sensor == 0
    scene = outcome["target"] + outcome["delta"].astype("timedelta64[D]")
    acquired = scene.astype("datetime64[us]") + _hours(18)
    member = _places(2 * chips.cell + chips.sensor, np.arange(count))
    files = [shards(name, chips.cell, member, sizes) for name in SENSORS]
    member = member % IN_SHARD["naip"]
    reason = np.where(kept, 0, np.where(outcome["tried"] > 0, 1, 2))
    scale = np.where(sentinel, 10.0, 1.0)
    zeros = np.zeros(count)
    transform = np.column_stack([scale, zeros, chips.west, zeros, -scale, chips.north])

    def where(values: Any, mask: NDArray[np.bool_]) -> pa.Array:
        return pa.array(values, mask=~mask)

    scenes = _scene_ids(chips, scene)
    return {
        "chip_id": ids, "sensor": _named(SENSORS, chips.sensor),
        "cell": _cells(chips.cell, sizes), "time_bin": bins,
        "outcome": _named(("rejected", "kept"), kept.astype(int)),
        "reason": pa.array([None, "all_refused", "no_scene"], pa.string()).take(pa.array(reason)),
        "scene_id": pc.if_else(pa.array(kept), scenes, None), "acquired_at": where(acquired, kept),
        "target_date": outcome["target"], "delta_days": where(outcome["delta"], kept),
        "cloud_scene_pct": where(chance.random(count), kept & sentinel),
        "cloud_chip_pct": where(chance.random(count) ** 6, kept & sentinel),
        "shadow_pct": where(chance.random(count) ** 6, kept & sentinel),
        "valid_pct": where(np.full(count, 100.0), kept),
        "cover": _cover(kept & sentinel, chance),
        "scene_cloud_limit_pct": where(np.ones(count), sentinel),
        "chip_cloud_limit_pct": where(np.ones(count), sentinel),
        "missing_limit_pct": np.ones(count), "refused": _refused(outcome, scenes, chance),
        "crs": made.joined("EPSG:", made.digits(chips.epsg)),
        "transform": pa.ListArray.from_arrays(
            pa.array(np.arange(0, 6 * count + 1, 6), pa.int32()), pa.array(transform.ravel())
        ),
        "width": np.full(count, SIZE_PX), "height": np.full(count, SIZE_PX),
        "bands": pa.array(_BANDS).take(pa.array(chips.sensor)), "scale_m": scale,
        "source_gsd_m": where(np.where(sentinel, 10.0, 0.6), kept),
        "processing": pc.if_else(pa.array(kept & sentinel), "05.09", None), "photos": counts,
        "shard": pc.if_else(pa.array(kept), pc.if_else(pa.array(sentinel), *files), None),
        "offset": where(_of_sensor(chips, [one.offsets for one in templates], member), kept),
        "size": where(_of_sensor(chips, [one.sizes for one in templates], member), kept),
        "sha256": pc.if_else(
            pa.array(kept), made.hexadecimal(chance.bytes(32 * count), 64), None
        ),
        "generation": np.ones(count, int), **_outlines(chips),
    }  # fmt: skip


def shards(
    kind: str, cells: NDArray[np.intp], places: NDArray[np.intp], sizes: Sequence[Size]
) -> pa.Array:
    """Returns the path of the shard of each row: so many rows of a cell after one another."""
    number = places // IN_SHARD[kind]
    return made.joined("shards/", _cells(cells, sizes), "/", MARKS[kind] * 25,
                       made.digits(1_000_000 + number), ".tar")  # fmt: skip


def _places(cells: NDArray[np.intp], order: NDArray[Any]) -> NDArray[np.intp]:
    """Returns each row's place among those of its cell."""
    sorted_ = np.lexsort([order, cells])
    begins = np.searchsorted(cells[sorted_], np.arange(cells.max() + 1 if len(cells) else 0))
    places = np.empty(len(cells), np.intp)
    places[sorted_] = np.arange(len(cells)) - begins[cells[sorted_]]
    return places


def _of_sensor(chips: Chips, of: Sequence[NDArray[Any]], member: NDArray[Any]) -> NDArray[Any]:
    return np.where(chips.sensor == 0, of[0][member], of[1][member])


def _named(names: Sequence[str], which: NDArray[Any]) -> pa.Array:
    return pa.array(list(names)).take(pa.array(which))


def _cells(cells: NDArray[np.intp], sizes: Sequence[Size]) -> pa.Array:
    return _named([size.cell.cell_id for size in sizes], cells)


def _hours(hours: Any) -> Any:
    return (np.asarray(hours) * 3_600_000_000).astype("timedelta64[us]")


def _points(lon: NDArray[Any], lat: NDArray[Any]) -> Columns:
    geometry = shapely.to_wkb(shapely.points(lon, lat), flavor="iso")
    return {"geometry": list(geometry), "bbox": _bbox(lon, lat, lon, lat)}


def _bbox(*bounds: NDArray[Any]) -> pa.Array:
    names = ("xmin", "ymin", "xmax", "ymax")
    return pa.StructArray.from_arrays([pa.array(one) for one in bounds], list(names))


def _outlines(chips: Chips) -> Columns:
    """Returns geometry and bbox of chips, with four points on each edge."""
    count = len(chips.cell)
    x = chips.west[:, None] + chips.side[:, None] * _EDGE[:, 0]
    y = chips.north[:, None] - chips.side[:, None] * (1 - _EDGE[:, 1])
    rings = np.empty((count, len(_EDGE), 2))
    for code in np.unique(chips.epsg).tolist():
        here = np.flatnonzero(chips.epsg == code)
        to_degrees = transformer(f"EPSG:{code}", "EPSG:4326")
        rings[here] = np.stack(to_degrees.transform(x[here], y[here]), axis=2)
    shapes = shapely.polygons(rings)
    bounds = shapely.bounds(shapes)
    return {"geometry": list(shapely.to_wkb(shapes, flavor="iso")), "bbox": _bbox(*bounds.T)}


def _scene_ids(chips: Chips, scene: NDArray[Any]) -> pa.Array:
    """Returns the ids of scenes: a day and a tile of about 100 km for Sentinel-2."""
    day = pc.replace_substring(pa.array(scene).cast(pa.string()), "-", "")
    tile = made.digits(chips.epsg % 100 * 1000 + (chips.west // 100_000).astype(int))
    wide = made.joined("COPERNICUS/S2_SR_HARMONIZED/", day, "T183144_", day, "T184747_T", tile)
    small = made.joined("USDA/NAIP/DOQQ/m_", made.digits((chips.north // 6000).astype(int)), "_",
                        tile, "_", day)  # fmt: skip
    return pc.if_else(pa.array(chips.sensor == 0), wide, small)


def _cover(mask: NDArray[np.bool_], chance: np.random.Generator) -> pa.Array:
    """Returns shares of vegetation, bare ground and water that add up to all."""
    count = len(mask)
    cuts = np.sort(chance.random((count, 2)) * 100.0, axis=1)
    shares = np.column_stack([cuts[:, 0], cuts[:, 1] - cuts[:, 0], 100.0 - cuts[:, 1]])
    names = pa.array(["vegetation", "bare", "water"]).take(pa.array(np.arange(3 * count) % 3))
    made = pa.MapArray.from_arrays(
        pa.array(np.arange(0, 3 * count + 1, 3), pa.int32()), names, pa.array(shares.ravel())
    )
    return pc.if_else(pa.array(mask), made, pa.scalar(None, made.type))


def _refused(outcome: Mapping[str, Any], scenes: pa.Array, chance: np.random.Generator) -> pa.Array:
    """Returns the scenes that were refused for each chip."""
    tried = outcome["tried"]
    total = int(tried.sum())
    offsets = np.concatenate([[0], np.cumsum(tried)]).astype(np.int32)
    of = np.repeat(np.arange(len(tried)), tried)
    records = pa.StructArray.from_arrays(
        [
            made.joined(scenes.take(pa.array(of)), "X"),
            pa.array(outcome["delta"][of] + chance.integers(-9, 10, total), pa.int32()),
            pa.array(chance.random(total)), pa.array(1 + 60 * chance.random(total)),
            pa.array(np.full(total, 100.0)), pa.array(["cloudy"] * total, pa.string()),
        ],
        ["scene_id", "delta_days", "cloud_scene_pct", "cloud_chip_pct", "valid_pct", "reason"],
    )  # fmt: skip
    return pa.ListArray.from_arrays(pa.array(offsets), records)
