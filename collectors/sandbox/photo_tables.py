"""Photos from a file, in place of the made-up ones."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.chance import Chance, hash_keys
from collectors.sandbox.photo_records import PhotoColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_REQUIRED: Final = ("photo_id", "owner", "lat", "lon", "date_taken", "accuracy")
_OPTIONAL: Final = ("licence", "title", "tags", "indoor")
# Upload time of photos without a capture date, and the size of every original: not in the tables.
_UNDATED_UPLOAD: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
_ORIGINALS: Final = ((4608, 3456), (6000, 4000), (3456, 4608))
_YES_NO: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def read_photo_table(path: Path) -> PhotoColumns:
    """Reads photos from a Parquet or a CSV file.

    Columns: photo_id, owner, lat, lon (WGS84 degrees), date_taken (ISO 8601, the owner's own clock,
    with a blank or a T; empty when unknown), accuracy (0..16), and, if there, licence (0..16, else
    4), title, tags, indoor (else outdoor). Ids, owners and coordinates are kept as they are. Upload
    follows capture by a made-up delay.

    Args:
        path: a file that ends in .parquet or .csv.

    Returns:
        The photos, in the order of the file.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the ending, a column or a value is wrong; names the row (0-based).
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file of photos at {path}")
    if path.suffix == ".parquet":
        rows = _read_parquet(path)
    elif path.suffix == ".csv":
        rows = _read_csv(path)
    else:
        raise ValueError(f"{path}: a file of photos ends in .parquet or .csv")
    read = {
        "photo_id": _column(path, rows, "photo_id", str),
        "owner": _column(path, rows, "owner", str),
        "latitude": _column(path, rows, "lat", _degrees(90.0)),
        "longitude": _column(path, rows, "lon", _degrees(180.0)),
        "taken": _column(path, rows, "date_taken", _moment),
        "accuracy": _column(path, rows, "accuracy", _whole(16)),
        "licence": _column(path, rows, "licence", lambda text: _whole(16)(text or "4")),
        "title": _column(path, rows, "title", str),
        "tags": _column(path, rows, "tags", str),
        "indoor": _column(path, rows, "indoor", _yes_no),
    }
    seen: set[str] = set()
    for row, photo_id in enumerate(read["photo_id"]):
        if not photo_id or photo_id in seen:
            raise ValueError(f"{path}, row {row}: photo_id {photo_id!r} is empty or there twice")
        seen.add(photo_id)
    return _complete(read)


def _complete(read: dict[str, list[Any]]) -> PhotoColumns:
    count = len(read["photo_id"])
    index = np.arange(count)
    scene = np.array([hash_keys("scene", name) for name in read["photo_id"]], dtype=np.uint64)
    unknown = np.array([moment is None for moment in read["taken"]], dtype=np.bool_)
    taken = np.array([moment or 0 for moment in read["taken"]], dtype=np.int64)
    longitude = np.array(read["longitude"], dtype=np.float64)
    delay = 60 + np.floor(np.exp(10.0 + Chance("upload").normals(scene >> np.uint64(3))))
    local = 3600 * np.round(longitude / 15.0).astype(np.int64)
    uploaded = np.where(unknown, _UNDATED_UPLOAD, taken - local + delay.astype(np.int64))
    original = np.array(_ORIGINALS)[(scene % np.uint64(len(_ORIGINALS))).astype(np.intp)]
    return PhotoColumns(
        photo_id=np.array(read["photo_id"], dtype=np.str_),
        owner=np.array(read["owner"], dtype=np.str_),
        longitude=longitude,
        latitude=np.array(read["latitude"], dtype=np.float64),
        taken=np.where(unknown, uploaded, taken),
        uploaded=uploaded,
        taken_unknown=unknown,
        granularity=np.zeros(count, dtype=np.int64),
        accuracy=np.array(read["accuracy"], dtype=np.int64),
        licence=np.array(read["licence"], dtype=np.int64),
        video=index < 0,
        content=np.zeros(count, dtype=np.int64),
        geo_public=index >= 0,
        indoor=np.array(read["indoor"], dtype=np.bool_),
        width=original[:, 0],
        height=original[:, 1],
        scene=scene,
        title=np.array(read["title"], dtype=np.str_),
        tags=np.array(read["tags"], dtype=np.str_),
    )


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet  # noqa: PLC0415 - slow to import, and seldom needed

    table = pyarrow.parquet.read_table(path)
    _check_columns(path, table.column_names)
    wanted = [name for name in (*_REQUIRED, *_OPTIONAL) if name in table.column_names]
    rows: list[dict[str, Any]] = table.select(wanted).to_pylist()
    return rows


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        _check_columns(path, reader.fieldnames or ())
        return list(reader)


def _check_columns(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in _REQUIRED if name not in set(names)]
    if missing:
        raise ValueError(f"{path}: these columns of photos are missing: {', '.join(missing)}")


def _column(
    path: Path, rows: list[dict[str, Any]], name: str, parse: Callable[[str], Any]
) -> list[Any]:
    values = []
    for number, row in enumerate(rows):
        value = row.get(name)
        try:
            values.append(parse("" if value is None else str(value)))
        except ValueError as error:
            raise ValueError(f"{path}, row {number}, {name}: {error}") from error
    return values


def _degrees(limit: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not -limit <= value <= limit:
            raise ValueError(f"{text} is not within {limit} degrees of 0")
        return value

    return parse


def _whole(limit: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = float(text)
        if not (math.isfinite(value) and value.is_integer() and 0 <= value <= limit):
            raise ValueError(f"{text} is not a whole number from 0 to {limit}")
        return int(value)

    return parse


def _moment(text: str) -> int | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    # The owner's own clock: a zone, if one is written, says nothing about it.
    return int(moment.replace(tzinfo=UTC).timestamp())


def _yes_no(text: str) -> bool:
    try:
        return _YES_NO[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None
