"""Croissant: the dataset as JSON-LD that machine-learning tools load records through.

Source: Croissant 1.1 (mlcommons.org/croissant/1.1), its extension for responsible AI 1.0 and
GeoCroissant 1.0. There is no `datePublished`: nothing that is published holds the wall clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from collectors.licences import licence_by_code
from flows.description import statements
from flows.description.bands import band_of, platform_of
from flows.description.stac import described_sensors
from flows.products.rows import columns as product_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flows.description.facts import Facts
    from flows.products.versions import Version

CONFORMS_TO: Final = (
    "http://mlcommons.org/croissant/1.1",
    "http://mlcommons.org/croissant/RAI/1.0",
    "http://mlcommons.org/croissant/geo/1.0",
)

PARQUET: Final = "application/x-parquet"
"""What mlcroissant knows Parquet by."""

_TERMS: Final = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field",
    "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset",
    "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
"""Terms of Croissant that are written without their prefix, as its own context has them."""

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "geocr": "http://mlcommons.org/croissant/geo/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS},
}

_TYPES: Final = {
    "string": "sc:Text", "int32": "cr:Int32", "int64": "cr:Int64", "float64": "cr:Float64",
    "timestamp": "sc:DateTime", "timestamp_utc": "sc:DateTime", "date": "sc:Date",
    "list_string": "sc:Text", "list_float64": "cr:Float64",
}  # fmt: skip
"""Croissant's type of a column, by the catalogue's; those left out have none."""

_URLS: Final = frozenset({"page_url", "image_url"})

_KEYS: Final = {
    "photos": ("photo_id",), "chips": ("chip_id",), "pairs": ("photo_id", "sensor"),
    "rejects": ("photo_id",),
}  # fmt: skip

_REFERENCES: Final = {
    ("pairs", "photo_id"): "photos/photo_id", ("pairs", "chip_id"): "chips/chip_id",
    ("pairs", "split"): "splits/name",
}  # fmt: skip

_SPLITS: Final = {
    "train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit",
    "none": "cr:Split",
}  # fmt: skip


def croissant_json(
    version: Version, facts: Facts, written: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns the JSON-LD of a version; paths in it are relative to the version's folder.

    Args:
        version: The version; of its manifest, `tables`, `columns`, `sensors` and `seed` are used.
        facts: What it holds.
        written: The descriptions that were written before, by path in the version's folder:
            `bytes`, `sha256`, and `type`, their media type.
    """
    name = f"terrapair-{version.name}"
    sensors = described_sensors(facts)
    scales = sorted({float(version.manifest["sensors"][one]["scale_m"]) for one in sensors})
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": statements.summary(version, facts),
        "conformsTo": list(CONFORMS_TO),
        "version": f"{int(version.name[1:])}.0.0",
        "citeAs": _citation(version),
        "license": [licence_by_code(code).url for code in facts.licences],
        "isBasedOn": statements.RECIPE_URL,
        "keywords": statements.keywords(sensors),
        "creator": {"@type": "sc:Organization", "name": "Photographers on Flickr, each named in"
                    " the column attribution", "url": "https://www.flickr.com/"},
        "isLiveDataset": False,
        "distribution": [*_tables(version), *_others(written), _shards()],
        "recordSet": [
            _splits(),
            *(_records(product, version) for product in ("photos", "chips", "pairs", "rejects")),
            *(_pixels(sensor, version, facts) for sensor in sensors),
        ],
        **statements.responsible_ai(version, facts),
        "geocr:coordinateReferenceSystem": "OGC:CRS84",
        "geocr:samplingStrategy": statements.sampling(version),
        "geocr:spatialBias": statements.SPATIAL_BIAS,
    }  # fmt: skip
    if facts.bounds is not None and facts.taken is not None:
        west, south, east, north = facts.bounds
        box = f"{south} {west} {north} {east}"
        shape = {"@type": "sc:GeoShape", "box": box}
        found["spatialCoverage"] = {"@type": "sc:Place", "geo": shape}
        found["temporalCoverage"] = "/".join(f"{moment:%Y-%m-%d}" for moment in facts.taken)
    if scales:
        found["geocr:spatialResolution"] = _metres(scales)
    return found


def _citation(version: Version) -> str:
    """Returns a BibTeX entry that names exactly this version."""
    fingerprint = version.fingerprint[:16]
    return (
        f"@misc{{terrapair_{version.name}_{fingerprint}, title={{Terrapair {version.name}: ground"
        f" photos paired with satellite chips}}, note={{seed {version.manifest['seed']}, tables"
        f" {fingerprint}}}}}"
    )


def _metres(scales: list[float]) -> dict[str, Any]:
    """Returns a resolution in metres, or the range of several."""
    found: dict[str, Any] = {"@type": "sc:QuantitativeValue", "unitText": "m"}
    if len(scales) == 1:
        return found | {"value": scales[0]}
    return found | {"minValue": scales[0], "maxValue": scales[-1]}


def _tables(version: Version) -> Iterable[dict[str, Any]]:
    """Yields each table as a set of files, and each of its files with size and checksum."""
    for product, files in sorted(version.manifest["tables"].items()):
        for one in files:
            inside = _inside(version, one["path"])
            yield _file(inside, {"type": PARQUET} | one)
        yield {
            "@type": "cr:FileSet", "@id": f"{product}-files", "name": f"{product}-files",
            "encodingFormat": PARQUET,
            "description": f"All files of the table {product}; each stands by itself as well, with"
            " its checksum.",
            "includes": f"{product}/*.parquet",
        }  # fmt: skip


def _others(written: Mapping[str, Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yields the other descriptions, and the sets of chips as stac-geoparquet."""
    folders = set()
    for path, one in sorted(written.items()):
        yield _file(path, one)
        if path.endswith(".parquet"):
            folders.add(path.rpartition("/")[0])
    for folder in sorted(folders):
        yield {
            "@type": "cr:FileSet", "@id": f"{folder}-files",
            "name": f"{folder.replace('/', '-')}-files",
            "description": "Chips as stac-geoparquet: an item each, whose asset gives the tar and"
            " the bytes in it.",
            "encodingFormat": PARQUET, "includes": f"{folder}/*.parquet",
        }  # fmt: skip


def _shards() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": "shards", "name": "shards",
        "description": "Uncompressed tars in WebDataset's manner with the JPEGs of photos and the"
        " GeoTIFFs of chips. The columns shard, offset, size and sha256 of photos and chips say"
        " where each lies. The name of a tar is the begin of the SHA-256 of its bytes.",
        "encodingFormat": "application/x-tar", "includes": "../../shards/*/*.tar",
    }  # fmt: skip


def _file(path: str, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": path, "name": path.replace("/", "-"), "contentUrl": path,
        "contentSize": f"{one['bytes']} B", "encodingFormat": one["type"], "sha256": one["sha256"],
    }  # fmt: skip


def _inside(version: Version, path: str) -> str:
    """Returns a path of the dataset as one of the version's folder."""
    return path.removeprefix(f"manifests/{version.name}/")


def _splits() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet", "@id": "splits", "name": "splits", "dataType": "cr:Split",
        "description": "What a pair is for. A pair in none is for nothing: its chip is too near to"
        " ground of another split.",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"},
        ],
        "data": [{"splits/name": name, "splits/url": url} for name, url in _SPLITS.items()],
    }  # fmt: skip


def _records(product: str, version: Version) -> dict[str, Any]:
    """Returns the record set of a table.

    Columns of maps, records and geometries are left out, and named: mlcroissant reads none of them.
    """
    stated = version.manifest["columns"][product]
    columns = {name: stated[name] for name in product_columns(product) if name in stated}
    fields = [_field(product, name, column) for name, column in columns.items()]
    missing = [name for name, field in zip(columns, fields, strict=True) if field is None]
    besides = f" Not given here: {', '.join(missing)}." if missing else ""
    return {
        "@type": "cr:RecordSet", "@id": product, "name": product,
        "description": f"{statements.PRODUCTS[product]}{besides}",
        "key": [{"@id": f"{product}/{name}"} for name in _KEYS[product]],
        "field": [field for field in fields if field is not None],
    }  # fmt: skip


def _field(product: str, name: str, column: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = _TYPES.get(column["type"])
    if kind is None:
        return None
    unit = f" In {column['unit']}." if column["unit"] else ""
    found: dict[str, Any] = {
        "@type": "cr:Field", "@id": f"{product}/{name}", "name": name,
        "description": f"{column['meaning']}{unit}",
        "dataType": "sc:URL" if name in _URLS else kind,
        "source": {"fileSet": {"@id": f"{product}-files"}, "extract": {"column": name}},
    }  # fmt: skip
    if (product, name) in _REFERENCES:
        found["references"] = {"field": {"@id": _REFERENCES[product, name]}}
    if column["type"].startswith("list_"):
        found |= {"isArray": True, "arrayShape": "6" if name == "transform" else "-1"}
    return found


def _pixels(sensor: str, version: Version, facts: Facts) -> dict[str, Any]:
    """Returns a sensor's chips as they lie in the files, with what GeoCroissant says of bands."""
    block = version.manifest["sensors"][sensor]
    platform = platform_of(block["collection"])
    bands = facts.sensors[sensor].all_bands
    spectral = []
    for name in bands:
        band = band_of(platform, name)
        if band.centre_nm and band.width_nm:
            spectral.append({
                "@type": "geocr:SpectralBand", "name": name,
                "geocr:centerWavelength": _nanometres(band.centre_nm),
                "geocr:bandwidth": _nanometres(band.width_nm),
            })  # fmt: skip
    files = f"stac/{sensor}-files"

    def field(name: str, kind: str, meaning: str, column: str, path: str = "") -> dict[str, Any]:
        source: dict[str, Any] = {"fileSet": {"@id": files}, "extract": {"column": column}}
        if path:
            source["transform"] = {"jsonPath": path}
        return {"@type": "cr:Field", "@id": f"chips-{sensor}/{name}", "name": name,
                "description": meaning, "dataType": kind, "source": source}  # fmt: skip

    shard = field(
        "shard", "sc:Text", "The tar with its GeoTIFF, from the dataset's root.", "terrapair:shard"
    )
    shard["geocr:bandConfiguration"] = {
        "@type": "geocr:BandConfiguration",
        "geocr:totalBands": len(bands),
        "geocr:bandNameList": list(bands),
    }
    if spectral:
        shard["geocr:spectralBandMetadata"] = spectral
    return {
        "@type": "cr:RecordSet", "@id": f"chips-{sensor}", "name": f"chips-{sensor}",
        "description": f"Chips of {platform.title} that have pixels.",
        "key": {"@id": f"chips-{sensor}/chip_id"},
        "geocr:spatialResolution": _metres([float(block["scale_m"])]),
        "geocr:temporalResolution": f"irregular: the scene nearest in date to the photos, within"
        f" {block['window_days']} days",
        "field": [
            field("chip_id", "sc:Text", "The chip.", "id"),
            field("acquired_at", "sc:DateTime", "When the scene was taken, UTC.", "datetime"),
            field("crs", "sc:Text", "EPSG code of the pixel grid.", "proj:code"),
            shard,
        ],
    }  # fmt: skip


def _nanometres(value: float) -> dict[str, Any]:
    return {"@type": "sc:QuantitativeValue", "value": value, "unitText": "nm"}
