"""Rows of a search whose values mean harm, and how each has to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Hostile:
    """One row.

    Attributes:
        name: What is hostile about it.
        changes: Fields of the row that differ from an innocent one; HOST in a value becomes the
            address of the photo host, without scheme.
        end: `kept`, or `stage: reason`.
    """

    name: str
    changes: dict[str, Any]
    end: str


def _ids(*values: Any) -> list[Hostile]:
    return [Hostile(f"id {value!r:.40}", {"id": value}, "screen: unreadable") for value in values]


def _urls(*values: Any) -> list[Hostile]:
    return [
        Hostile(f"address {value!r:.60}", {"url_m": value}, "download: foreign_host")
        for value in values
    ]


def _kept(**values: Any) -> list[Hostile]:
    return [
        Hostile(f"{field} {text!r:.40}", {field: text}, "kept")
        for field, texts in values.items()
        for text in texts
    ]


TITLES: Final = (
    "<script>alert(document.cookie)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://169.254.169.254/?"&A1,"click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-2;DROP TABLE photos;--",
    "{{7*7}} ${jndi:ldap://127.0.0.1/a} %s %n {0.__class__}",
    '{"stat": "fail", "code": 100, "message": "Invalid API Key"}',
    '"}],"photo":[{"id":"1"}]}}',
    "\u202egpj.elif\u202c \u2066x\u2069",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred \x9b31m",
    "[red]markup[/red] [link=file:///etc/passwd]x[/link]",
    "nul \x00 inside, line\r\nbreak, \u2028 separator",
    "../../../../etc/passwd",
    "__index__",
    "word " * 200_000,
)

HOSTILE: Final = (
    *_ids(
        "../../escaped", "..\\..\\escaped", "/etc/passwd", "C:\\escaped", "CON", "NUL.jpg",
        "53000000001\x00.jpg", "53000000001/../../escaped", "53000000001.jpg", "53000000001\n",
        " 53000000001", "５３０００００００１", "-1", "9" * 4000, ["1"], {"a": 1}, "__index__",
        "'; DROP TABLE photos; --",
    ),
    *_urls(
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "https://169.254.169.254/a.jpg",
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://0251.0376.0251.0376/a.jpg",
        "file:///etc/passwd",
        "ftp://live.staticflickr.com/a.jpg",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "data:image/jpeg;base64,/9j/4AAQ",
        "javascript:alert(1)",
        "http://live.staticflickr.com/a.jpg",
        "https://user:word@live.staticflickr.com/a.jpg",
        "https://live.staticflickr.com:22/a.jpg",
        "https://live.staticflickr.com.evil.example/a.jpg",
        "https://live.st\u0430ticflickr.com/a.jpg",
        "https://ｅｖｉｌ.staticflickr.com/a.jpg",
        "https://evil.example\u3002staticflickr.com/a.jpg",
        "https://evil.example\\@live.staticflickr.com/a.jpg",
        "https://evil.example\r\nHost: live.staticflickr.com/a.jpg",
        "//live.staticflickr.com/a.jpg",
        "https:///a.jpg",
        "http://127.0.0.1:1/a.jpg",
        "http://HOST@evil.example/a.jpg",
        "http://HOST.evil.example/a.jpg",
        {"a": 1},
        "../../../etc/passwd",
    ),
    Hostile("redirected to a metadata service", {"url_m": "http://HOST/to-metadata"},
            "download: moved"),
    Hostile("redirected to a file", {"url_m": "http://HOST/to-file"}, "download: moved"),
    *_kept(
        title=TITLES,
        tags=("<script>alert(1)</script> =1+1", "tag " * 50_000),
        ownername=("=cmd|' /C calc'!A0", "\u202eevil\x1b[31m", "<b>x</b>" * 1000),
        pathalias=("../../escaped", "evil.example/@x", "a?b#c", "x\r\ny", "javascript:alert(1)"),
        owner=("../../escaped", "=1+1@N01", "9@N01/../../escaped"),
    ),
    Hostile("an owner that is none", {"owner": " \t"}, "screen: unreadable"),
    Hostile("a title that is no text", {"title": {"_content": ["x"]}}, "kept"),
    Hostile("sizes that are none", {"width_m": "1e9"}, "screen: unreadable"),
    Hostile("sides of a giant", {"width_m": 10**9, "height_m": 10**9}, "download: wrong_size"),
    Hostile("a place of no number", {"latitude": "NaN"}, "screen: unreadable"),
    Hostile("a date beyond all", {"datetaken": "9" * 400}, "screen: unknown_date"),
)  # fmt: skip
