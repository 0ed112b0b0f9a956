"""Where the key of a block list is kept: never in the dataset."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.transport import SetupError

if TYPE_CHECKING:
    from flows.settings import Settings


def find_key(settings: Settings) -> str | None:
    """Returns the key that is set, or the one in the file that is set; None if there is neither.

    Raises:
        SetupError: If the file cannot be read, or is empty.
    """
    if settings.block_key is not None:
        return settings.block_key.get_secret_value()
    path = settings.block_key_file.expanduser()
    try:
        key = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        seen = getattr(error, "strerror", None) or "it is no text"
        raise SetupError(
            str(path), f"the key of the block list cannot be read ({seen}).",
            "See who may read it, or set TERRAPAIR_BLOCK_KEY.",
        ) from None  # fmt: skip
    if not key:
        raise SetupError(
            str(path), "is empty, and should hold the key of the block list.",
            "Put the key back from your copy of it; if there was never one, remove the file.",
        )  # fmt: skip
    return key


def make_key(settings: Settings) -> tuple[str, Path]:
    """Makes a key and keeps it in the file that is set, which only its owner may read.

    Returns:
        The key (of whoever was first, if two make one at once), and its file.

    Raises:
        SetupError: If the file cannot be written.
    """
    path = settings.block_key_file.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp's files are 0600 from the beginning; a link appears whole or not at all.
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".block-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            Path(made).unlink()
    except OSError as error:
        raise SetupError(
            str(path), f"the key of the block list cannot be kept there ({error.strerror}).",
            "Set TERRAPAIR_BLOCK_KEY_FILE to a place for it, or TERRAPAIR_BLOCK_KEY to a key.",
        ) from None  # fmt: skip
    key = find_key(settings)
    assert key is not None  # noqa: S101 - it was made just now
    return key, path
