"""The catalogue: what is read, what is refused, and in which words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.catalogue.text import CatalogueError
from flows.products.rows import ROWS, columns
from flows.products.tables import check_products, schema_of
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_catalogue_is_sound() -> None:
    """It loads, its products are what this release writes, and its regions have ground."""
    catalogue = load_catalogue(SHIPPED)
    check_products(catalogue)
    assert set(catalogue.sensors) == {"sentinel2", "naip"}
    assert all(catalogue.polygons(name, SHIPPED.parent).area > 0 for name in catalogue.regions)


def test_older_sentinel2_scenes_are_asked_for_by_a_block_of_their_own(tmp_path: Path) -> None:
    """The block that stands in the catalogue as a comment is one, and begins where the other ends.

    No photo has a scene of both: the last photo of the one is a day older than the first of the
    other.
    """
    lines = TEXT.split("\n")
    first = lines.index("  # sentinel2-l1c:")
    last = next(i for i, line in enumerate(lines) if line.startswith("  #   until:"))
    lines[first : last + 1] = [line.replace("  # ", "  ", 1) for line in lines[first : last + 1]]
    path = tmp_path / "data_catalog.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    sensors = load_catalogue(path).sensors
    older, newer = sensors["sentinel2-l1c"], sensors["sentinel2"]
    assert older.collection == "COPERNICUS/S2_HARMONIZED"
    assert older.until == newer.since - timedelta(days=newer.window_days + 1)
    assert older.required_bands == older.bands
    assert (older.size_px, older.area_px) == (newer.size_px, newer.area_px)


@pytest.mark.parametrize("product", list(ROWS))
def test_arrow_schemas_are_the_catalogues(product: str) -> None:
    """Every column is there in order, with the unit and the meaning that the catalogue gives."""
    catalogue = load_catalogue(SHIPPED)
    schema = schema_of(catalogue, product)
    assert [name for name in schema.names if name != "bbox"] == columns(product)
    for name, column in catalogue.products[product].columns.items():
        metadata = schema.field(name).metadata
        assert metadata[b"unit"].decode() == column.unit
        assert metadata[b"meaning"].decode() == column.meaning


def test_columns_have_the_types_that_the_rows_need() -> None:
    """A few types that readers depend on, said here a second time on purpose."""
    chips = schema_of(load_catalogue(SHIPPED), "chips")
    assert chips.field("transform").type == pa.list_(pa.float64())
    assert chips.field("acquired_at").type == pa.timestamp("us", tz="UTC")
    assert chips.field("target_date").type == pa.date32()
    photos = schema_of(load_catalogue(SHIPPED), "photos")
    assert photos.field("taken_at").type == pa.timestamp("us")
    assert photos.field("unpaired").type == pa.map_(pa.string(), pa.string())


REFUSED = [
    ("owner_share: 0.2", "owner_shar: 0.2", r"rules\.owner_shar: .*did you mean `owner_share`"),
    ("bin_months: 3\n", "bin_monthes: 3\n", r"bin_monthes: .*did you mean `bin_months`"),
    ("photos_per_chip: 25", "photos_per_chip: 0", r"photos_per_chip: .*greater than or equal to 1"),
    ("quota_per_cell: 300", "quota_per_cell: many", r"quota_per_cell: .*integer"),
    (
        "[5.3, 45.3, 8.2, 47.3]", "[8.2, 45.3, 5.3, 47.3]",
        r"western-alps\.box: .*write \[5\.3, 45\.3, 8\.2, 47\.3\]",
    ),
    ("[5.3, 45.3, 8.2, 47.3]", "[5.3, 45.3, 5.3, 47.3]", r"region is empty; widen it"),
    ("[5.3, 45.3, 8.2, 47.3]", "[5.3, 47.3, 8.2, 45.3]", r"south .* must be less than north"),
    ("[5.3, 45.3, 8.2, 47.3]", "[45.3, 5.3, 470.3, 8.2]", r"west, south, east, north"),
    ("sensors: [sentinel2]", "sensors: [sentinel3]", r"asks for \['sentinel3'\]"),
    ("- CC0-1.0", "- CC0", r"'CC0' is not the code of a licence"),
    ("- CC0-1.0", "- CC-BY-ND-2.0", r"does not let adapted copies be passed on"),
    ("quality: scl ", "clear_above: 0.6\n    quality: scl ", r"cloud_score_plus` go together"),
    (
        "quality: scl ", "clear_above: 0.655\n    quality: cloud_score_plus ",
        r"clear_above has two decimals at most",
    ),
    ("scene_rule: nearest", "scene_rule: newest", r"scene_rule: .*'nearest' or 'latest'"),
    (
        "collection: COPERNICUS/S2_SR_HARMONIZED",
        "until: 2017-03-27\n    collection: COPERNICUS/S2_SR_HARMONIZED",
        r"until \(2017-03-27\) is before since",
    ),
    ("bin_months: 3\n", "bin_months: 5\n", r"bin_months must divide the year"),
    ("  min_accuracy: 16", "  min_accuracy: 17", r"min_accuracy: .*less than or equal to 16"),
    ("kind: photos", "kind: pictures", r"sources\.flickr"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "said"), REFUSED)
def test_mistakes_are_refused_with_their_line(
    good: str, bad: str, said: str, tmp_path: Path
) -> None:
    """The message names the file, the line of the mistake, and what to write instead."""
    assert TEXT.count(good) >= 1
    path = tmp_path / "data_catalog.yaml"
    path.write_text(TEXT.replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=said) as caught:
        load_catalogue(path)
    line = int(re.search(r"line (\d+)", str(caught.value))[1])
    changed = TEXT[: TEXT.index(good)].count("\n") + 1
    assert str(path) in str(caught.value)
    assert changed - 12 <= line <= changed  # the line itself, or the key of the block around it


def test_a_column_that_is_not_written_is_refused(tmp_path: Path) -> None:
    """A product's columns are held to what this release writes."""
    path = tmp_path / "data_catalog.yaml"
    path.write_text(TEXT.replace("      tags: {type", "      tagz: {type", 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"missing here: \['tags'\]; unknown: \['tagz'\]"):
        check_products(load_catalogue(path))


def test_places365_is_short_for_the_public_weights(tmp_path: Path) -> None:
    """The name and the address in full are one and the same."""
    given = re.search(r"  indoor_weights:\n(    .*\n)+", TEXT)
    assert given is not None
    path = tmp_path / "data_catalog.yaml"
    path.write_text(TEXT.replace(given[0], "  indoor_weights: places365\n"), encoding="utf-8")
    shipped = load_catalogue(SHIPPED).rules.indoor_weights
    assert load_catalogue(path).rules.indoor_weights == shipped


def test_what_is_no_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    """A syntax error is a message with the line, not a traceback."""
    path = tmp_path / "data_catalog.yaml"
    path.write_text("regions:\n  a: {box: [1, 2\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"line \d+: this is not YAML"):
        load_catalogue(path)


def test_a_missing_catalogue_says_where_to_look(tmp_path: Path) -> None:
    """The message names the file and the option."""
    with pytest.raises(CatalogueError, match="--catalog"):
        load_catalogue(tmp_path / "none.yaml")


def test_the_catalogue_here_comes_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file given, then the one in this folder, then the one that is shipped."""
    monkeypatch.chdir(tmp_path)
    assert find_catalogue(None).resolve() == SHIPPED
    (tmp_path / "data_catalog.yaml").write_text(TEXT, encoding="utf-8")
    assert find_catalogue(None).resolve() == tmp_path / "data_catalog.yaml"
    assert find_catalogue(tmp_path / "x.yaml") == tmp_path / "x.yaml"


GEOJSON = """{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {},
 "geometry": {"type": "Polygon", "coordinates": [%s]}}]}"""


def test_polygons_come_from_a_file_beside_the_catalogue(tmp_path: Path) -> None:
    """A GeoJSON path is relative to the catalogue; a self-crossing ring is repaired."""
    bow_tie = "[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]"
    (tmp_path / "ground.geojson").write_text(GEOJSON % bow_tie, encoding="utf-8")
    path = tmp_path / "data_catalog.yaml"
    path.write_text(
        TEXT.replace("box: [5.3, 45.3, 8.2, 47.3]", "geojson: ground.geojson"), encoding="utf-8"
    )
    catalogue = load_catalogue(path)
    assert catalogue.polygons("western-alps", tmp_path).area == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        ("[[0, 0], [1, 1], [0, 0], [0, 0]]", "the region is empty"),
        ("[[500000, 0], [500001, 0], [500001, 1], [500000, 0]]", "give degrees"),
    ],
)
def test_files_without_usable_ground_are_refused(ring: str, said: str, tmp_path: Path) -> None:
    """A line is no ground, and metres are no degrees."""
    (tmp_path / "ground.geojson").write_text(GEOJSON % ring, encoding="utf-8")
    path = tmp_path / "data_catalog.yaml"
    path.write_text(
        TEXT.replace("box: [5.3, 45.3, 8.2, 47.3]", "geojson: ground.geojson"), encoding="utf-8"
    )
    with pytest.raises(CatalogueError, match=said) as caught:
        load_catalogue(path)
    assert "western-alps" in str(caught.value)
