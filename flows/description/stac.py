"""STAC: a catalogue, and a collection for each sensor.

Source: STAC 1.1.0; the extensions EO 2.0, Projection 2.0, Raster 2.0, File 2.1 and Archive 1.0.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from flows.description.bands import band_of, platform_of

if TYPE_CHECKING:
    from flows.description.facts import Facts, SensorFacts
    from flows.products.versions import Version

STAC_VERSION: Final = "1.1.0"
FOLDER: Final = "stac"
TAR: Final = "application/x-tar"
PARQUET: Final = "application/vnd.apache.parquet"

_SITE: Final = "https://stac-extensions.github.io"
EO: Final = f"{_SITE}/eo/v2.0.0/schema.json"
PROJECTION: Final = f"{_SITE}/projection/v2.0.0/schema.json"
RASTER: Final = f"{_SITE}/raster/v2.0.0/schema.json"
FILE: Final = f"{_SITE}/file/v2.1.0/schema.json"
ARCHIVE: Final = f"{_SITE}/archive/v1.0.0/schema.json"

SHA256_MULTIHASH: Final = "1220"
"""What a SHA-256 of 32 bytes begins with as a multihash (multiformats' table: 0x12, 0x20)."""


def identifier(sensor: str) -> str:
    """Returns the id of a sensor's collection."""
    return f"terrapair-{sensor}"


def catalogue_json(version: Version, sensors: list[str]) -> dict[str, Any]:
    """Returns the catalogue that leads to the collections."""
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    links += [
        {"rel": "child", "href": f"./{name}/collection.json", "type": "application/json"}
        for name in sensors
    ]
    return {
        "type": "Catalog", "stac_version": STAC_VERSION, "id": f"terrapair-{version.name}",
        "title": f"Terrapair {version.name}: satellite chips",
        "description": "The satellite chips of a dataset that pairs them with photos taken on the"
        " ground. Which photo lies in which chip stands in the table `pairs`.",
        "links": links,
    }  # fmt: skip


def collection_json(version: Version, sensor: str, facts: SensorFacts) -> dict[str, Any]:
    """Returns a sensor's collection, without its assets.

    Args:
        version: The version; of its manifest, `sensors` is used.
        sensor: Its name.
        facts: What the version holds of it; it has chips with pixels.
    """
    block = version.manifest["sensors"][sensor]
    platform = platform_of(block["collection"])
    assert facts.bounds is not None and facts.acquired is not None  # noqa: S101, PT018 - has chips
    summaries: dict[str, Any] = {
        "gsd": [block["scale_m"]],
        "proj:code": sorted(facts.crs),
        "bands": _bands(block, facts.all_bands),
    }
    if platform.instrument:
        summaries["instruments"] = [platform.instrument]
    if facts.cloud_pct is not None:
        low, high = facts.cloud_pct
        summaries["eo:cloud_cover"] = {"minimum": low, "maximum": high}
    links = [
        {"rel": "root", "href": "../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
    ]
    if platform.rights_url:
        links.append({"rel": "license", "href": platform.rights_url})
    return {
        "type": "Collection", "stac_version": STAC_VERSION,
        "stac_extensions": [EO, PROJECTION, RASTER, FILE, ARCHIVE],
        "id": identifier(sensor),
        "title": f"{platform.title} chips of {block['size_px']} pixels at {block['scale_m']:g} m",
        "description": f"Chips cut from {_names(block)} on its own pixel grid, around places"
        f" where photos were taken. Rights: {platform.rights}.",
        "keywords": ["satellite", "aerial", "chips", sensor],
        "license": "other",
        "providers": [
            {"name": platform.provider, "roles": ["producer", "licensor"],
             "url": platform.provider_url},
            {"name": "Google Earth Engine", "roles": ["host"],
             "url": "https://earthengine.google.com/"},
        ],
        "extent": {
            "spatial": {"bbox": [list(facts.bounds)]},
            "temporal": {"interval": [[_time(one) for one in facts.acquired]]},
        },
        "summaries": summaries,
        "item_assets": {
            "chip": {
                "title": "A tar that holds the chip among others; `archive` says where",
                "type": TAR, "roles": ["data", "archive"],
                "bands": _bands(block, facts.all_bands),
                "raster:spatial_resolution": block["scale_m"],
                "archive": [],
            }
        },
        "links": links,
    }  # fmt: skip


def mirror_asset(name: str, data: bytes, items: int) -> dict[str, Any]:
    """Returns the asset of a collection for one of its files of items."""
    return {
        "href": f"./{name}", "type": PARQUET, "roles": ["collection-mirror"],
        "title": f"{items:,} items as stac-geoparquet", "file:size": len(data),
        "file:checksum": SHA256_MULTIHASH + hashlib.sha256(data).hexdigest(),
    }  # fmt: skip


def described_sensors(facts: Facts) -> list[str]:
    """Returns the sensors that have chips with pixels, sorted."""
    return sorted(name for name, one in facts.sensors.items() if one.kept)


def _bands(block: dict[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns what is known of bands, as STAC says it; wavelengths in micrometres."""
    platform = platform_of(block["collection"])
    found = []
    for name in names:
        band = band_of(platform, name)
        one: dict[str, Any] = {"name": name, "description": band.meaning}
        if band.common_name:
            one["eo:common_name"] = band.common_name
        if band.centre_nm:
            one["eo:center_wavelength"] = round(band.centre_nm / 1000, 6)
        if band.width_nm:
            one["eo:full_width_half_max"] = round(band.width_nm / 1000, 6)
        if band.measured and platform.scale:
            one |= {"raster:scale": platform.scale, "raster:offset": platform.offset}
        found.append(one)
    return found


def _names(block: dict[str, Any]) -> str:
    """Returns a sensor's collections for people."""
    names = block["collection"]
    return names if isinstance(names, str) else " and ".join(names)


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
