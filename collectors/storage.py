"""The storage root: a local folder, S3 or Google Cloud Storage, behind one small interface.

Paths inside the root are relative, with `/` between their parts, on every kind of storage.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from collectors.storage_errors import Missing, StorageError, UnusableRoot, first_line
from collectors.storage_root import PROBE, REMOTE_SCHEMES, Store, StoredObject

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PROBE",
    "Missing",
    "StorageError",
    "Store",
    "StoredObject",
    "local_folder",
    "open_store",
]

LONGEST_PATIENCE_S: Final = 280.0
"""Seconds after which a request is not tried again: it is signed once, and the signature is good
for five minutes (obstore's `RetryConfig.retry_timeout`)."""


def open_store(
    root: str,
    *,
    writable: bool = True,
    options: Mapping[str, str] | None = None,
    patience_s: float = LONGEST_PATIENCE_S,
) -> Store:
    """Opens a storage root.

    Args:
        root: A local path, `file://…`, `s3://bucket/prefix` or `gs://bucket/prefix`. A local folder
            is created if it may be written.
        writable: False for a root that is only read; then nothing is created or tried out.
        options: Settings of a remote store by obstore's names, such as `endpoint`; what is not
            given comes from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`,
            `AWS_ALLOW_HTTP`, `GOOGLE_SERVICE_ACCOUNT` …) and the cloud's usual credentials.
        patience_s: How long a remote store that answers with 5xx, or not at all, is tried again;
            at most `LONGEST_PATIENCE_S`.

    Raises:
        StorageError: If the root is of another kind, cannot be written, or does not keep a second
            writer from overwriting what a first one wrote.
    """
    scheme = urlsplit(root).scheme if "://" in root else ""
    if scheme in REMOTE_SCHEMES:
        settings: Any = dict(options or {})
        # Else the environment's AWS_ALLOW_HTTP decides.
        plain = settings.get("endpoint", "").startswith("http:")
        client: Any = {"allow_http": True} if plain else None
        try:
            remote = from_url(
                root, config=settings, client_options=client, retry_config=_retries(patience_s)
            )
        except (BaseError, ValueError) as error:
            raise UnusableRoot(root, first_line(error), "Check the address.") from error
        store = Store(root.rstrip("/"), remote, None)
        if writable:
            store.check()
        return store
    if scheme not in {"", "file"}:
        raise UnusableRoot(
            root,
            f"{scheme}:// is no storage that is known here.",
            "Give a local path, file://, s3:// or gs://.",
        )
    folder = local_folder(root)
    assert folder is not None  # noqa: S101 - remote roots are opened above
    if writable:
        _make_folder(folder)
    elif not folder.is_dir():
        seen = "is a file, no folder." if folder.exists() else "is not there."
        raise UnusableRoot(str(folder), seen, "Give the root of a dataset that was built.")
    try:
        store = Store(str(folder), LocalStore(folder), folder)
    except (BaseError, OSError) as error:
        raise StorageError(str(folder), f"cannot be opened ({first_line(error)}).") from error
    if writable:
        store.check()
    return store


def local_folder(root: str) -> Path | None:
    """Returns the absolute path of a root on this machine; None for a remote one."""
    scheme = urlsplit(root).scheme if "://" in root else ""
    if scheme not in {"", "file"}:
        return None
    return Path(unquote(urlsplit(root).path) if scheme else root).expanduser().absolute()


def _retries(patience_s: float) -> Any:
    """Returns how obstore tries again: the one layer that does so for storage.

    A conditional write is safe to repeat, because `Store.create` reads back what it finds. Time
    alone ends the tries: obstore's own ten are used up within a minute of 503 at best.
    """
    return {
        "max_retries": 10_000,
        "retry_timeout": timedelta(seconds=min(patience_s, LONGEST_PATIENCE_S)),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=5),
            "base": 2,
        },
    }


def _make_folder(folder: Path) -> None:
    """Makes a folder and sees that it takes files; obstore tries for ever on some that do not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise UnusableRoot(
            str(folder), "is a file, or lies below one, and no folder.", "Give a folder."
        ) from error
    except OSError as error:
        raise StorageError(
            str(folder),
            f"cannot be written ({error.strerror}).",
            "Choose another folder, or change who may write there.",
        ) from error
