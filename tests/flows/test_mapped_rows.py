"""Single rows of a mapped table: the same values as Arrow's own way gives."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.products.tables import from_plain
from flows.samples.mapped_rows import MappedRows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - wall clocks
SCENES = st.fixed_dictionaries(
    {
        "scene_id": TEXTS,
        "delta_days": st.integers(-999, 999),
        "cloud_scene_pct": st.none() | st.floats(0, 100),
        "cloud_chip_pct": st.none() | st.floats(0, 100),
        "valid_pct": st.none() | st.floats(0, 100),
        "reason": TEXTS,
    }
)
SCENE = pa.struct(
    [("scene_id", pa.string()), ("delta_days", pa.int32()), ("cloud_scene_pct", pa.float64()),
     ("cloud_chip_pct", pa.float64()), ("valid_pct", pa.float64()), ("reason", pa.string())]
)  # fmt: skip

COLUMNS = {
    "title": (pa.string(), TEXTS),
    "licence": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
    "generation": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "offset": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "lon": (pa.float64(), st.floats(allow_nan=False)),
    "taken_at": (pa.timestamp("us"), TIMES),
    "taken_at_utc": (pa.timestamp("us", tz="UTC"), TIMES.map(lambda one: one.replace(tzinfo=UTC))),
    "target_date": (pa.date32(), st.dates(date(1900, 1, 1), date(2100, 1, 1))),
    "bands": (pa.list_(pa.string()), st.lists(TEXTS, max_size=3)),
    "transform": (pa.list_(pa.float64()), st.lists(st.floats(allow_nan=False), max_size=3)),
    "unpaired": (pa.map_(pa.string(), pa.string()), st.dictionaries(TEXTS, TEXTS, max_size=2)),
}
"""Every type that a product's columns have, by the name of one of them."""


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_values_are_arrows_own(name: str, data: st.DataObject) -> None:
    """Of every type, with and without gaps, of a whole table and of a part of it."""
    kind, values = COLUMNS[name]
    rows = data.draw(st.lists(st.none() | values, min_size=1, max_size=9))
    first = data.draw(st.integers(0, len(rows) - 1))
    batch = pa.record_batch({name: pa.array(rows, kind)}).slice(first)
    _same(batch, name)


@given(rows=st.lists(st.lists(SCENES, max_size=2), min_size=1, max_size=5))
def test_refused_scenes_become_records(rows: list[list[dict[str, Any]]]) -> None:
    """Lists of records are left to Arrow, and made into what the rows hold."""
    _same(pa.record_batch({"refused": pa.array(rows, pa.list_(SCENE))}), "refused")


def test_only_what_came_with_a_later_release_may_be_missing() -> None:
    """It is None; any other column must be there."""
    batch = pa.record_batch({"chip_id": ["a", "b"]})
    assert MappedRows(batch, ["chip_id", "cover"])[1] == {"chip_id": "b", "cover": None}
    with pytest.raises(KeyError, match="sensor"):
        MappedRows(batch, ["chip_id", "sensor"])


def _same(batch: pa.RecordBatch, name: str) -> None:
    found = MappedRows(batch, [name])
    for at, value in enumerate(batch[name].to_pylist(maps_as_pydicts="strict")):
        expected = from_plain(name, value)
        assert found[at] == {name: expected}
        assert type(found[at][name]) is type(expected)
        if isinstance(expected, datetime):
            assert found[at][name].tzinfo == expected.tzinfo
