"""The README of an export: what it is, what lies where, and what its use asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.description import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.exports.forms import Form, Portion
    from flows.products.versions import Version


def readme(
    form: Form, version: Version, identity: Mapping[str, Any], counts: Mapping[str, Any],
    portions: Sequence[Portion],
) -> bytes:  # fmt: skip
    """Returns the README of an export. Nothing in it is an owner's words.

    Args:
        form: The form.
        version: What was exported.
        identity: What stands in the record: form, version, options.
        counts: What is in the export.
        portions: All portions.
    """
    options = {name: value for name, value in identity["options"].items() if value is not None}
    options |= {word: identity[word] for word in ("split", "sensor") if identity[word]}
    lines = [
        *form.front_matter(portions),
        f"# Terrapair {version.name}, exported as {form.name}",
        "",
        (
            f"{counts['samples']:,} samples, a satellite chip with the photos taken inside it each:"
            f" {counts['pairs']:,} pairs."
            + (f" Options: {', '.join(f'{name} {value}' for name, value in options.items())}."
               if options else "")
        ),
        "",
        "| | |", "|---|---|",
        *(f"| `{path}` | {what} |" for path, what in form.layout),
        "| `export.json` | what was exported and how, and every file with size and SHA-256 |",
        "",
        *form.notes,
        "",
        "## Rights, and what not to do",
        "",
        (
            "Each photo belongs to whoever took it and has a licence of its own. Show `attribution`"
            " and link `page_url` wherever you show a photo. Pairs by their photo's licence:"
        ),
        "",
        "| licence | pairs |", "|---|---:|",
        *(f"| {name} | {count:,} |" for name, count in counts["pairs_by_licence"].items()),
        "",
        *(f"- {note}" for note in version.manifest["notes"]),
        "",
        (
            f"{statements.PEOPLE} **This must not be used to find, watch or identify people or"
            " their homes.** If a photo has to be forgotten, the version is revoked: delete this"
            " export, then, and make it anew from the newest version."
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines).encode()
