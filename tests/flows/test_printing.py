"""Tables on narrow terminals: ids and numbers stay whole, and nothing is cut off."""

from __future__ import annotations

import string
from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flows.inspection.printing import print_table

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=9)
WORDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=36)
COLUMNS = st.one_of(
    st.tuples(NAMES, st.just(WORDS)),
    st.tuples(NAMES, st.just(st.integers(-(10**12), 10**12))),
    st.tuples(NAMES, st.just(st.lists(WORDS, max_size=12).map(" ".join))),
)


def printed(records: list[dict[str, Any]], width: int) -> str:
    """Returns a table as a console of a width shows it."""
    file = StringIO()
    print_table(Console(file=file, width=width), "Table", records)
    return file.getvalue()


@given(data=st.data(), width=st.sampled_from([60, 80, 100, 132]))
def test_no_id_is_broken_and_nothing_is_cut_off(data: st.DataObject, width: int) -> None:
    """As a table where it fits, else record by record."""
    columns = dict(data.draw(st.lists(COLUMNS, min_size=1, max_size=9, unique_by=lambda o: o[0])))
    rows = st.fixed_dictionaries(columns)
    records = data.draw(st.lists(rows, min_size=1, max_size=4))
    shown = printed(records, width)
    assert all(len(line) <= width for line in shown.splitlines())
    words = shown.split()
    for name in columns:
        values = [str(record[name]) for record in records]
        if all(" " not in value for value in values):
            assert all(value in words for value in values if value)


def test_records_stand_one_below_the_other_where_a_table_does_not_fit() -> None:
    """Each with its number; wide enough, they are a table."""
    records = [{"id": f"{number:020d}", "other": "x" * 20, "third": "y" * 20} for number in (1, 2)]
    assert "Table: 2 of 2\n" in printed(records, 60)
    assert "Table: 2 of 2" not in printed(records, 80)
