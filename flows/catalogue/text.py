"""Reads the catalogue's YAML so that every complaint can name the line it is about."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic import ValidationError


class CatalogueError(Exception):
    """The catalogue cannot be used as it is written; the message names the line and the remedy."""


def read_yaml(path: Path) -> CommentedMap:
    """Reads a YAML file, keeping the place of every key. What it gives is not to be changed.

    Raises:
        CatalogueError: If there is no such file, or it is no YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogueError(
            f"{path}: the catalogue cannot be read ({error.strerror}). Run in the folder that"
            " holds data_catalog.yaml, or name the file with --catalog"
        ) from None
    try:
        document = _parse(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogueError(
            f"{path}, line {line}: this is not YAML ({error.problem}). Mend the line"
        ) from None
    if not isinstance(document, CommentedMap):
        raise CatalogueError(f"{path}: a mapping with the key `regions` is expected")
    return document


@lru_cache(maxsize=4)
def _parse(text: str) -> Any:
    """Parses a text once: with the places of its keys, the catalogue takes about a second."""
    return YAML().load(text)


def line_of(document: CommentedMap, location: Sequence[str | int]) -> int:
    """Returns the line, counted from 1, of the innermost key of a path that is in the file."""
    line, node = 1, document
    for key in location:
        if isinstance(node, CommentedMap) and key in node:
            line = node.lc.key(key)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line = node.lc.item(key)[0] + 1
        else:
            continue
        node = node[key]
    return line


def explain(
    error: ValidationError, document: CommentedMap, path: Path, known: Mapping[str, Iterable[str]]
) -> CatalogueError:
    """Turns a validation's errors into one message with a line for each.

    Args:
        error: What the models said.
        document: The file, as `read_yaml` gave it.
        path: The file's path.
        known: For the name of a model's parent key (or ""), the keys that it may have.

    Returns:
        The error to raise.
    """
    complaints = []
    for one in error.errors():
        location = [key for key in one["loc"] if key not in {"photos_source", "sensor_source"}]
        where = ".".join(str(key) for key in location)
        complaints.append(
            f"{path}, line {line_of(document, location)}: {where}: {_remedy(one, location, known)}"
        )
    return CatalogueError("\n".join(complaints))


def _remedy(one: Any, location: list[str | int], known: Mapping[str, Iterable[str]]) -> str:
    """Says what to write instead, for one error of a validation."""
    if one["type"] == "extra_forbidden":
        name = str(location[-1])
        candidates = sorted({key for keys in known.values() for key in keys})
        close = difflib.get_close_matches(name, candidates, n=1)
        meant = f"did you mean `{close[0]}`?" if close else "remove it"
        return f"there is no such key; {meant}"
    if one["type"] == "missing":
        return "this key is missing; add it"
    message = str(one["msg"]).removeprefix("Value error, ")
    given = one.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{message[0].lower()}{message[1:]}{shown}"
