"""Answers have the shape of those that were recorded of Flickr; nothing of ours reads them here."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from collectors.sandbox.server import Options
from tests.sandbox.whole_sandbox import BOX, SEARCH, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sandbox.whole_sandbox import Whole

XML = {**SEARCH, **BOX, "format": "rest"}
# The extras of the recorded page of a search, and, with these, of the recorded table.
PAGE_EXTRAS = (
    "license,safety_level,date_upload,date_taken,owner_name,realname,count_views,count_comments,"
    "tags,geo,media,url_sq,url_t,url_s,url_m,url_q,url_l,url_o,path_alias,original_format,description"
)
TABLE_EXTRAS = (
    "license,o_dims,date_upload,last_update,date_taken,owner_name,icon_server,views,tags,"
    "machine_tags,original_format,geo,media,path_alias,description,"
    "url_sq,url_t,url_s,url_m,url_z,url_l,url_o,url_c,url_q,url_n,url_k,url_h"
)
PAIR = re.compile(r"(url|height|width)_(\w+)")


@pytest.fixture(scope="module")
def service() -> Iterator[Whole]:
    """The sandbox over the made-up world."""
    with running(Options(seed=0)) as whole:
        yield whole


@pytest.fixture(scope="module")
def page(shared_data: Path) -> ET.Element:
    """A recorded page of a search by tag, as XML."""
    folder = shared_data.parent / "wire" / "flickr"
    return ET.parse(folder / "recorded_photos_search_rest_tag_nature.xml").getroot()


@pytest.fixture(scope="module")
def table(shared_data: Path) -> list[dict[str, str]]:
    """77 recorded rows with all extras; nested values are flattened by their names."""
    path = shared_data / "flickr_search_schema" / "2020-roland-flickr-metadata.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def described(shared_data: Path) -> dict[str, Any]:
    """The service's own description of the search."""
    path = shared_data / "flickr_search_schema" / "flickr.photos.search.methodinfo.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def cassette(shared_data: Path, name: str) -> list[dict[str, Any]]:
    """The recorded answers of a file: status, content type and body, one after the other."""
    path = shared_data / "flickr_cassettes" / f"{name}.yml"
    answers = []
    for one in YAML(typ="safe").load(path.read_text("utf-8"))["interactions"]:
        answer = one["response"]
        body = answer["content"] if "content" in answer else answer["body"]["string"]
        status = answer.get("status_code") or answer["status"]["code"]
        answers.append(
            {"status": status, "type": answer["headers"]["Content-Type"][0], "body": body}
        )
    return answers


def search_as_xml(service: Whole, **changes: str) -> ET.Element:
    """The answer to a search as XML."""
    return ET.fromstring(service.call(XML | changes).content)


def shape_of(value: str) -> str:
    """What a value looks like: its runs of digits, hexadecimal digits and letters."""
    for name, pattern in (
        ("empty", r""),
        ("digit", r"\d"),
        ("coordinate", r"-?\d{1,3}\.\d{6}"),
        ("moment", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("secret", r"[0-9a-f]{10}"),
        ("number", r"\d+"),
        ("owner", r"\d+@N\d\d"),
        ("address", r"https?://.*"),
    ):
        if re.fullmatch(pattern, value):
            return name
    return "text"


def test_the_head_of_a_page_is_the_recorded_one(service: Whole, page: ET.Element) -> None:
    """The same elements and attributes in the same order, the first line included."""
    answer = service.call(XML)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    head = '<?xml version="1.0" encoding="utf-8" ?>\n<rsp stat="ok">\n<photos page="1" pages="'
    assert answer.text.startswith(head)
    root = ET.fromstring(answer.content)
    assert root.attrib == page.attrib == {"stat": "ok"}
    ours, theirs = root[0], page[0]
    assert (ours.tag, list(ours.attrib)) == (theirs.tag, list(theirs.attrib))
    assert {name: shape_of(value) for name, value in ours.attrib.items()} == {
        "page": "digit", "pages": "number", "perpage": "number", "total": "number",
    }  # fmt: skip
    assert {element.tag for element in ours} == {element.tag for element in theirs} == {"photo"}


def test_an_empty_page_is_the_recorded_one(service: Whole) -> None:
    """An empty page has no pages and no rows, and is written as one element."""
    answer = service.call(XML | {"geo_context": "2"})
    assert answer.text == (
        '<?xml version="1.0" encoding="utf-8" ?>\n<rsp stat="ok">\n'
        '<photos page="1" pages="0" perpage="100" total="0" />\n</rsp>\n'
    )


def test_rows_have_the_attributes_of_the_recorded_page(service: Whole, page: ET.Element) -> None:
    """Given the same extras, no attribute is missing and none is there that was not recorded."""
    theirs = {name for photo in page.iter("photo") for name in photo.attrib}
    rows = search_as_xml(service, extras=PAGE_EXTRAS, per_page="250").findall(".//photo")
    assert {name for row in rows for name in row.attrib} == theirs
    assert {child.tag for row in rows for child in row} == {"description"}
    sometimes = {"originalsecret", "originalformat", "realname"}
    for row in rows:
        gone = theirs - set(row.attrib)
        assert all(name in sometimes or PAIR.fullmatch(name) for name in gone), gone
    assert any("realname" not in row.attrib for row in rows)


def test_values_look_like_the_recorded_ones(service: Whole, page: ET.Element) -> None:
    """Each attribute has no other shapes than those on record: digits, dates, six decimals."""
    rows = search_as_xml(service, extras=PAGE_EXTRAS, per_page="250").findall(".//photo")
    free = {"title", "tags", "ownername", "realname", "pathalias", "place_id"}
    for name in {name for row in rows for name in row.attrib} - free:
        recorded = {shape_of(photo.get(name, "")) for photo in page.iter("photo")}
        ours = {shape_of(row.attrib[name]) for row in rows if name in row.attrib}
        # Figures of one digit and of several are the same.
        recorded |= {"digit", "number"} if recorded & {"digit", "number"} else set()
        # A photo without a place has 0 for one; no box finds it.
        assert ours <= recorded, name
    assert {row.get("latitude", "")[-1] for row in rows} >= {"0"}
    assert {row.get("place_id") == "" for row in rows} == {True, False}
    assert {row.get("pathalias") == "" for row in rows} == {True, False}


def test_a_video_names_another_server_than_its_pictures(service: Whole, page: ET.Element) -> None:
    """As on record: server and farm 0, and pictures on the server 31337."""
    (recorded,) = (photo for photo in page.iter("photo") if photo.get("media") == "video")
    rows = search_as_xml(service, extras="media,url_m", media="videos").findall(".//photo")
    for row in (recorded, *rows):
        assert (row.get("server"), row.get("farm"), row.get("media_status")) == ("0", "0", "ready")
        assert "/31337/" in row.get("url_m", "")


def test_descriptions_are_elements(service: Whole, page: ET.Element) -> None:
    """Text where there is one, else an element that ends at once."""
    assert "<description />" in ET.tostring(page, encoding="unicode")
    text = service.call(XML | {"extras": "description", "per_page": "250"}).text
    assert "\t<description />\n" in text.replace("\t\t", "\t")
    assert "<description></description>" not in text
    assert re.search(r"\n\t\t<description>[^<]+</description>\n\t</photo>\n", text)
    assert service.search(extras="description")["photo"][0]["description"].keys() == {"_content"}


def test_rows_have_the_columns_of_the_recorded_table(
    service: Whole, table: list[dict[str, str]]
) -> None:
    """All 76 columns but one that its maker added; JSON nests the description's text."""
    rows = service.search(extras=TABLE_EXTRAS, per_page="250", license="9")["photo"]
    full = next(row for row in rows if "url_k" in row and row["media"] == "photo")
    columns = {"description_content" if name == "description" else name for name in full}
    assert columns == set(table[0]) - {"cityphototaken"}


def test_json_has_numbers_where_they_were_recorded(service: Whole) -> None:
    """Flags of a row are numbers, ids and counts are texts; some change from row to row."""
    rows = service.search(extras=TABLE_EXTRAS, per_page="250")["photo"]
    types: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            types.setdefault(name, set()).add(type(value))
    for name in ("farm", "isfamily", "isfriend", "ispublic", "context", "geo_is_public"):
        assert types.pop(name) == {int}, name
    for name in ("id", "owner", "secret", "server", "title", "license", "dateupload", "datetaken",
                 "datetakenunknown", "ownername", "tags", "views", "o_width", "o_height", "url_l",
                 "woeid", "place_id", "originalsecret", "iconserver", "lastupdate"):  # fmt: skip
        assert types.pop(name) == {str}, name
    for name in ("latitude", "longitude"):
        assert types.pop(name) == {str, float}, name
    for name in ("accuracy", "datetakengranularity", "height_c", "width_l", "height_l"):
        assert types.pop(name) == {str, int}, name
    assert types["pathalias"] == {str, type(None)}
    assert types["description"] == {dict}


def test_every_documented_extra_gives_something(service: Whole, described: dict[str, Any]) -> None:
    """The service's own list of extras, one at a time, against a row without any."""
    (text,) = (
        argument["_content"]
        for argument in described["arguments"]["argument"]
        if argument["name"] == "extras"
    )
    names = re.findall(r"<code>(\w+)</code>", text)
    assert len(names) == 25
    bare = set(service.search(per_page="1", license="9")["photo"][0])
    for name in names:
        rows = service.search(per_page="5", license="9", extras=name)["photo"]
        assert any(set(row) - bare for row in rows), name


def test_arguments_are_the_documented_ones(service: Whole, described: dict[str, Any]) -> None:
    """What the sandbox takes is on the service's list, or stands in its newer documentation."""
    newer = {"content_types", "method", "format", "nojsoncallback", "jsoncallback"}
    documented = {argument["name"] for argument in described["arguments"]["argument"]} | newer
    given = {
        "api_key": "0" * 32, "user_id": "1@N01", "min_upload_date": "1", "max_upload_date": "2",
        "max_taken_date": "2026-01-01", "license": "4", "sort": "relevance", "accuracy": "1",
        "safe_search": "1", "content_type": "7", "content_types": "0", "media": "all",
        "has_geo": "1", "geo_context": "0", "extras": "geo", "per_page": "1", "page": "1",
    }  # fmt: skip
    assert "photo" in service.search(**given)
    assert set(given) <= documented
    for name in sorted(documented - set(given) - set(SEARCH) - set(BOX) - newer):
        refusal = service.search(**{name: "1"})
        assert refusal["message"] == f"Illogical arguments (the sandbox does not know {name})"


def test_messages_of_failures_are_the_documented_ones(
    service: Whole, described: dict[str, Any]
) -> None:
    """Codes and texts that a search can fail with here are on the service's list."""
    errors = {int(one["code"]): one["message"] for one in described["errors"]["error"]}
    for changes in (
        {"user_id": "somebody"},
        {"bbox": ""},
        {"accuracy": "17"},
        {"method": "xxx"},
    ):
        answer = service.call({n: v for n, v in (SEARCH | BOX | changes).items() if v}).json()
        assert answer["message"].startswith(errors[answer["code"]])


def test_licences_are_byte_for_byte_the_recorded_answer(service: Whole, shared_data: Path) -> None:
    """As XML, the whole answer with its head, order, blanks and line ends."""
    (recorded,) = cassette(shared_data, "TestLicenseMethods.test_get_licenses")
    answer = service.call({"method": "flickr.photos.licenses.getInfo"})
    assert answer.text == recorded["body"]
    assert answer.headers["content-type"] == recorded["type"]
    rows = service.call({**SEARCH, "method": "flickr.photos.licenses.getInfo"}).json()
    assert rows["licenses"]["license"] == [
        dict(element.attrib) for element in ET.fromstring(recorded["body"]).iter("license")
    ]


def test_a_failure_has_the_recorded_form(service: Whole, shared_data: Path) -> None:
    """But for code and text, byte for byte."""
    (recorded,) = cassette(shared_data, "test_a_usage_error_is_generic_exception")
    answer = service.call({"method": "xxx"})
    assert (answer.status_code, answer.headers["content-type"]) == (
        recorded["status"], recorded["type"],
    )  # fmt: skip
    line = re.compile(r'code="\d+" msg="[^"]*"')
    assert line.sub("", answer.text) == line.sub("", recorded["body"])
    assert line.search(answer.text)


def test_code_201_is_byte_for_byte_the_recorded_answer(service: Whole, shared_data: Path) -> None:
    """As XML, and as JSON with a comma behind it that is called XML."""
    plain = cassette(shared_data, "test_a_persistent_error_201_is_raised")[0]
    wrong = cassette(shared_data, "test_retries_invalid_xml_error")[0]
    for fault, recorded in (({"fault": "failure", "code": 201}, plain),
                            ({"fault": "wrong_body"}, wrong)):  # fmt: skip
        service.post_plan([{**fault, "where": "flickr", "first": 1}])
        answer = service.call(XML)
        assert (answer.status_code, answer.headers["content-type"], answer.text) == tuple(
            recorded[name] for name in ("status", "type", "body")
        )
        assert service.call(XML).text != recorded["body"]


def test_a_missing_file_is_the_recorded_answer(service: Whole, shared_data: Path) -> None:
    """Status, content type and the empty body."""
    (recorded,) = cassette(shared_data, "test_not_found_is_error")
    answer = service.get(f"{service.url}/photos/65535/doesnotexist.jpg")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == tuple(
        recorded[name] for name in ("status", "type", "body")
    )


def test_addresses_of_files_have_the_recorded_form(
    service: Whole, table: list[dict[str, str]]
) -> None:
    """Name, secret and ending of each size; only the largest have secrets of their own."""
    ending = re.compile(r"/\d+/(\d+)_([0-9a-f]{10})(_\w)?\.jpg$")
    rows = service.search(extras=TABLE_EXTRAS, per_page="250", license="9", media="photos")["photo"]
    full = [row for row in rows if "url_k" in row]
    names = [name for name in table[0] if name.startswith("url_")]
    for name in names:
        found: list[set[tuple[str | None, bool, bool]]] = []
        for some in (table, full):
            matches = [(ending.search(row[name]), row) for row in some]
            assert all(match and match[1] == row["id"] for match, row in matches)
            found.append({
                (match[3], match[2] == row["secret"], match[2] == row["originalsecret"])
                for match, row in matches
                if match
            })  # fmt: skip
        assert found[0] == found[1], name


def test_announced_sizes_are_the_recorded_ones(service: Whole, table: list[dict[str, str]]) -> None:
    """The longest side of each size, to the pixel, and the same proportions as the original."""
    rows = service.search(extras=TABLE_EXTRAS, per_page="250", license="9", media="photos")["photo"]
    full = [row for row in rows if "url_k" in row]
    for name in (name.removeprefix("url_") for name in table[0] if name.startswith("url_")):
        sides = [
            {max(int(row[f"width_{name}"]), int(row[f"height_{name}"])) for row in some}
            for some in (table, full)
        ]
        if name != "o":
            assert sides[0] == sides[1], name
    for row in full:
        for name in "tsmnzclhk":
            width, height = int(row[f"width_{name}"]), int(row[f"height_{name}"])
            assert width / height == pytest.approx(
                int(row["o_width"]) / int(row["o_height"]), rel=1 / min(width, height)
            )
