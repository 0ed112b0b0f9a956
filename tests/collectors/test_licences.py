"""The table of licences and the line of credit."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.licences import (
    LICENCES,
    UnknownLicence,
    attribution,
    differences,
    licence_by_code,
    licence_by_id,
    licence_id_by_code,
)
from tests.collectors.photos import make_photo


@pytest.mark.parametrize(
    ("number", "code", "adaptable", "noncommercial"),
    [
        (0, "all-rights-reserved", False, False),
        (1, "CC-BY-NC-SA-2.0", True, True),
        (2, "CC-BY-NC-2.0", True, True),
        (3, "CC-BY-NC-ND-2.0", False, True),
        (4, "CC-BY-2.0", True, False),
        (5, "CC-BY-SA-2.0", True, False),
        (6, "CC-BY-ND-2.0", False, False),
        (7, "no-known-copyright-restrictions", True, False),
        (8, "US-Gov", True, False),
        (9, "CC0-1.0", True, False),
        (10, "CC-PDM-1.0", True, False),
        (11, "CC-BY-4.0", True, False),
        (12, "CC-BY-SA-4.0", True, False),
        (13, "CC-BY-ND-4.0", False, False),
        (14, "CC-BY-NC-4.0", True, True),
        (15, "CC-BY-NC-SA-4.0", True, True),
        (16, "CC-BY-NC-ND-4.0", False, True),
    ],
)
def test_the_table(number, code, adaptable, noncommercial):
    """Each of Flickr's ids means what Flickr says it means."""
    licence = licence_by_id(number)
    assert (licence.code, licence.adaptable, licence.noncommercial) == (
        code, adaptable, noncommercial,
    )  # fmt: skip
    assert licence_by_code(code) is licence
    assert licence_id_by_code(code) == number


def test_the_table_agrees_with_a_recorded_answer(shared_data):
    """The ids and addresses are those of an answer of the real service."""
    recorded = (
        shared_data / "flickr_cassettes" / "TestLicenseMethods.test_get_licenses.yml"
    ).read_text()
    flat = re.sub(r"\\?\n\s*", " ", recorded).replace("\\", "")
    found = re.findall(r'<license id="(\d+)" name="([^"]+)" url="([^"]+)"', flat)
    listed = {int(number): url for number, _, url in found}
    assert listed == {number: licence.url for number, licence in LICENCES.items()}
    assert differences(listed) == []
    for number, name, _ in found:
        if name.startswith("CC BY"):
            assert licence_by_id(int(number)).name == name


@pytest.mark.parametrize("number", [-1, 17, 99])
def test_an_unknown_id_is_named(number):
    """An id that Flickr may add one day stops with the id, not with a guess."""
    with pytest.raises(UnknownLicence, match=f"id {number} is not in"):
        licence_by_id(number)


def test_an_unknown_code_is_named_with_the_known_ones():
    """A typo in a code is answered with what there is."""
    with pytest.raises(UnknownLicence, match=r"'CC-BY-3.0' is not .* CC-BY-2.0, CC-BY-SA-2.0"):
        licence_by_code("CC-BY-3.0")


def test_changes_of_flickrs_list_are_named():
    """A new id, one that is gone and one that means something else each give a line."""
    listed = {number: licence.url for number, licence in LICENCES.items()}
    del listed[10]
    listed[17] = "https://creativecommons.org/licenses/by/5.0/"
    listed[4] = "https://creativecommons.org/licenses/by/4.0/"
    listed[7] = "https://creativecommons.org/publicdomain/zero/1.0/"
    lines = differences(listed)
    assert [line.split(" (")[0].split(" https")[0] for line in lines] == [
        "id 10 is gone", "id 17 is new", "id 4 is", "id 7 is",
    ]  # fmt: skip


def test_the_form_of_an_address_is_no_difference():
    """Http for https, a deed's page or a moved help page do not change a licence's meaning."""
    listed = {number: licence.url for number, licence in LICENCES.items()}
    listed[4] = "http://creativecommons.org/licenses/by/2.0/deed.en"
    listed[0] = ""
    listed[8] = "https://www.usa.gov/copyright.shtml"
    assert differences(listed) == []


def test_the_line_of_credit():
    """Title, owner, licence and source stand in one line."""
    assert attribution(make_photo()) == '"Bridge" by Ada (CC BY 2.0), via Flickr'


@pytest.mark.parametrize(
    ("title", "owner_name", "expected"),
    [
        ("", "", '"Untitled" by 12345678@N01 (CC BY 2.0), via Flickr'),
        (" \n\t\x00\u200b", "\u202e", '"Untitled" by 12345678@N01 (CC BY 2.0), via Flickr'),
        ("a\r\nb\u2028c  d", "A\tB", '"a b c d" by A B (CC BY 2.0), via Flickr'),
        ("\u202eevil\u2066", "x\x1b[31m", '"evil" by x[31m (CC BY 2.0), via Flickr'),
        ("نمی\u200cخواهم", "👩\u200d🚀", '"نمی\u200cخواهم" by 👩\u200d🚀 (CC BY 2.0), via Flickr'),
        ("<b>bold</b>", "A & B", '"<b>bold</b>" by A & B (CC BY 2.0), via Flickr'),
    ],
)
def test_odd_titles(title, owner_name, expected):
    """White space, control characters and turned text do not break the line; joiners stay."""
    assert attribution(make_photo(title=title, owner_name=owner_name)) == expected


def test_a_long_title_is_cut():
    """A title of 5,000 characters is cut at 200, marked as cut; one of 200 is whole."""
    line = attribution(make_photo(title="word " * 1000))
    title = line.split('"')[1]
    assert len(title) <= 200
    assert title.endswith("…")
    assert '"' + "x" * 200 + '"' in attribution(make_photo(title="x" * 200))


@given(st.text(), st.text(), st.sampled_from(sorted(LICENCES)))
def test_every_photo_has_a_clean_line(title, owner_name, licence):
    """Whatever people write, the line is short, on one line, encodable, and says its licence."""
    line = attribution(make_photo(title=title, owner_name=owner_name, licence=licence))
    assert len(line.splitlines()) == 1
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in line)
    assert line.encode("utf-8")
    assert len(line) < 500
    assert re.fullmatch(r'"[^\n]+" by [^\n]+ \([^\n]+\), via Flickr', line)
    assert LICENCES[licence].name in line
