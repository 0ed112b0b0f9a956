"""Photos from a file take the place of the made-up ones, unchanged."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.photo_tables import read_photo_table

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "photo_id": "49318127092",
    "owner": "35034347371@N01",
    "lat": 49.280738,
    "lon": -123.080589,
    "date_taken": "2020-01-01 17:55:34",
    "accuracy": 16,
}


def write(folder: Path, rows: list[dict], ending: str) -> Path:
    """Writes rows as a Parquet or CSV file."""
    path = folder / f"photos.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@given(longitude=st.floats(-180, 180), latitude=st.floats(-90, 90))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_coordinates_come_back_to_the_last_bit(
    tmp_path: Path, ending: str, longitude: float, latitude: float
) -> None:
    """Any coordinate is kept exactly, from both kinds of file."""
    path = write(tmp_path, [ROW | {"lon": longitude, "lat": latitude}], ending)
    photo = read_photo_table(path).photo(0)
    assert (photo.longitude, photo.latitude) == (longitude, latitude)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_a_file_says_is_kept_and_what_it_leaves_out_is_made_up(
    tmp_path: Path, ending: str
) -> None:
    """Given columns are taken over; licence 4, outdoors and an upload time stand in for gaps."""
    second = ROW | {
        "photo_id": "007", "date_taken": None, "licence": 9, "title": "Γ & <b>", "tags": "a b",
        "indoor": True,
    }  # fmt: skip
    first = dict.fromkeys(second) | ROW
    table = read_photo_table(write(tmp_path, [first, second], ending))
    one, two = table.photo(0), table.photo(1)
    assert (one.photo_id, one.owner, one.accuracy) == ("49318127092", "35034347371@N01", 16)
    assert (one.licence, one.indoor, one.title, one.taken) == (4, False, "", 1_577_901_334)
    assert one.uploaded > one.taken
    assert not one.taken_unknown
    assert (two.photo_id, two.licence, two.title, two.tags) == ("007", 9, "Γ & <b>", "a b")
    assert two.indoor
    assert two.taken_unknown
    assert two.taken == two.uploaded


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lat": 91.0}, "row 1, lat: 91.0 is not within 90"),
        ({"lon": "east"}, "row 1, lon"),
        ({"accuracy": 17}, "row 1, accuracy"),
        ({"accuracy": 1.5}, "row 1, accuracy"),
        ({"date_taken": "in May"}, "row 1, date_taken"),
        ({"indoor": "perhaps"}, "row 1, indoor: 'perhaps' is neither true nor false"),
        ({"photo_id": "49318127092"}, "row 1: photo_id '49318127092' is empty or there twice"),
        ({"photo_id": ""}, "row 1: photo_id '' is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_row(tmp_path: Path, change: dict, reason: str) -> None:
    """A file that cannot be true is refused, and the message says where to look."""
    rows = [ROW | {"indoor": "false"}, ROW | {"photo_id": "2", "indoor": "false"} | change]
    with pytest.raises(ValueError, match=reason):
        read_photo_table(write(tmp_path, rows, "csv"))


def test_missing_columns_and_files_are_named(tmp_path: Path) -> None:
    """A missing column, a missing file and an unknown ending each get their own message."""
    path = write(tmp_path, [{"photo_id": "1", "lat": 1.0}], "parquet")
    with pytest.raises(ValueError, match="missing: owner, lon, date_taken, accuracy"):
        read_photo_table(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_photo_table(tmp_path / "nowhere.csv")
    odd = tmp_path / "photos.json"
    odd.write_text("[]")
    with pytest.raises(ValueError, match=r"ends in \.parquet or \.csv"):
        read_photo_table(odd)


def test_people_of_a_table_are_only_those_of_the_table(tmp_path: Path) -> None:
    """Searches and look-ups see the file's photos, at a point on all edges of the box, too."""
    people = People(0, write(tmp_path, [ROW], "csv"))
    around = PhotoQuery(ROW["lon"], ROW["lat"], ROW["lon"], ROW["lat"])
    total, photos = people.search(around, 0, 10)
    assert (total, photos) == (1, [people.find("49318127092")])
    assert people.search(PhotoQuery(0, 0, 1, 1), 0, 10) == (0, [])
    assert people.find("46639690951") is None


def test_real_photos_come_back_unchanged(shared_data: Path) -> None:
    """Ids, owners, coordinates and capture times of real photos pass through untouched."""
    path = shared_data / "photos" / "real_geotagged_206.parquet"
    rows = pq.read_table(path).to_pylist()
    people = People(0, path)
    total, photos = people.search(PhotoQuery(-180, -90, 180, 90), 0, 1000)
    by_id = {photo.photo_id: photo for photo in photos}
    assert total == len(rows) == len(by_id)
    for row in rows:
        photo = by_id[row["photo_id"]]
        assert (photo.owner, photo.longitude, photo.latitude, photo.accuracy) == (
            row["owner"], row["lon"], row["lat"], row["accuracy"],
        )  # fmt: skip
        assert photo.taken_unknown == (row["date_taken"] is None)
