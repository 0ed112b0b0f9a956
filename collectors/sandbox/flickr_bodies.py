"""Flickr's answers as bytes: JSON, JSON in a call of a function, or XML."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_JSON: Final = "application/json"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_XML: Final = "text/xml; charset=utf-8"
_HEAD: Final = '<?xml version="1.0" encoding="utf-8" ?>\n'
_CALLBACK: Final = re.compile(r"[A-Za-z_$][\w.$]{0,99}")
# What XML 1.0 cannot hold, section 2.2 of its recommendation.
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#039;"}
)


@dataclass(frozen=True, slots=True)
class Format:
    """The form of an answer.

    Attributes:
        name: "json", "rest" (XML, the service's default), or a name that does not exist.
        callback: the function in whose call JSON is wrapped; empty for bare JSON.
    """

    name: str = "rest"
    callback: str = ""

    @property
    def known(self) -> bool:
        """Whether the sandbox writes it."""
        return self.name in {"json", "rest"}


def parse_format(arguments: Mapping[str, str]) -> Format:
    """Reads the form that a call asks for; of functions only names of plain letters are taken."""
    name = arguments.get("format") or "rest"
    if arguments.get("nojsoncallback") == "1":
        return Format(name)
    callback = arguments.get("jsoncallback") or "jsonFlickrApi"
    return Format(name, callback if _CALLBACK.fullmatch(callback) else "jsonFlickrApi")


def write_answer(content: Mapping[str, Any], form: Format) -> tuple[bytes, str]:
    """Writes a success.

    Args:
        content: one name, and what it stands for.
        form: how to write it.

    Returns:
        Body and content type.
    """
    if form.name == "json":
        return _write_json({**content, "stat": "ok"}, form)
    lines = "".join(_write_elements(content, ""))
    return f'{_HEAD}<rsp stat="ok">\n{lines}</rsp>\n'.encode(), _XML


def write_failure(code: int, message: str, form: Format) -> tuple[bytes, str]:
    """Writes a failure; one of an unknown format is written as XML.

    Returns:
        Body and content type.
    """
    if form.name == "json":
        return _write_json({"stat": "fail", "code": code, "message": message}, form)
    error = f'\t<err code="{code}" msg="{_escape(message)}" />\n'
    return f'{_HEAD}<rsp stat="fail">\n{error}</rsp>\n'.encode(), _XML


def write_degrees(value: float) -> str:
    """Writes a coordinate with six decimals, as the service does, unless that would change it."""
    text = f"{value:.6f}"
    return text if float(text) == value else str(value)


def _write_json(content: Mapping[str, Any], form: Format) -> tuple[bytes, str]:
    text = json.dumps(content, separators=(",", ":"))
    if form.callback:
        return f"{form.callback}({text})".encode(), _SCRIPT
    return text.encode(), _JSON


def _write_elements(content: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Writes JSON's objects as elements: plain values are attributes, lists repeat the name."""
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            yield from _write_element(name, one, indent)


def _write_element(name: str, value: Any, indent: str) -> Iterator[str]:
    inside = value if isinstance(value, dict) else {"_content": value}
    plain = {key: one for key, one in inside.items() if not isinstance(one, dict | list)}
    nested = {key: one for key, one in inside.items() if key not in plain}
    text = plain.pop("_content", None)
    marks = "".join(f' {key}="{_escape(one)}"' for key, one in plain.items())
    if text:
        yield f"{indent}<{name}{marks}>{_escape(text)}</{name}>\n"
    elif any(nested.values()):
        yield f"{indent}<{name}{marks}>\n"
        yield from _write_elements(nested, indent + "\t")
        yield f"{indent}</{name}>\n"
    else:
        yield f"{indent}<{name}{marks} />\n"


def _escape(value: object) -> str:
    text = write_degrees(value) if isinstance(value, float) else str("" if value is None else value)
    return _NOT_IN_XML.sub("", text).translate(_ESCAPES)
