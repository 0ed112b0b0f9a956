"""Keys, addresses and limits, read from the environment here and nowhere else."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from collectors.transport import Patience, SetupError, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectors.earth_engine import Credentials

PREFIX: Final = "TERRAPAIR_"

FLICKR_URL: Final = "https://api.flickr.com/services/rest/"
EARTH_ENGINE_URL: Final = "https://earthengine-highvolume.googleapis.com"
"""The endpoint meant for many small requests on stored images (Earth Engine's own advice)."""


SECRET_BLOCK: Final = "prefect-secret:"  # noqa: S105 - no secret, but the way to one
"""Begins a value that is not a key itself but the name of a Prefect secret block that holds it."""

_ACCOUNT_SECRETS: Final = ("private_key", "private_key_id")

WantedEngine = Literal[
    "auto", "eager", "channels_last", "mixed", "bfloat16", "compiled", "onnx", "onnx_int8", "cuda"
]
"""`filters.indoor_engines.Engine`, or the dataset's own."""


class Settings(BaseSettings):
    """What a run needs besides the catalogue; each is an environment variable TERRAPAIR_….

    Limits are per key or per project at the services, so they hold for everything that shares one:
    for all processes on one Prefect server together (see `flows.limits.limits`), else for each.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    flickr_key: Annotated[SecretStr | None, Field(description="Flickr API key.")] = None
    flickr_secret: Annotated[SecretStr | None, Field(description="Its secret.")] = None
    flickr_url: Annotated[str, Field(description="Flickr's REST address.")] = FLICKR_URL
    flickr_calls_per_second: Annotated[
        float, Field(gt=0, description="Calls in a second, evenly spread.")
    ] = 1.0
    flickr_calls_per_hour: Annotated[
        int, Field(ge=1, description="Flickr allows a key 3,600; fewer slow the calls down.")
    ] = 3_600
    photo_hosts: Annotated[
        tuple[str, ...], Field(description="Hosts that photo files may come from (JSON list).")
    ] = ("live.staticflickr.com",)
    photo_connections: Annotated[
        int, Field(ge=1, description="Photo downloads at once; the host answers 429 to many.")
    ] = 4
    photo_downloads_per_second: Annotated[
        float, Field(gt=0, description="Photo downloads begun in a second.")
    ] = 4.0
    earth_engine_project: Annotated[
        str | None, Field(description="Google Cloud project registered for Earth Engine.")
    ] = None
    earth_engine_service_account: Annotated[
        SecretStr | None,
        Field(description="Service-account key: the JSON itself, or the path of its file."),
    ] = None
    earth_engine_url: Annotated[str, Field(description="Earth Engine's address.")] = (
        EARTH_ENGINE_URL
    )
    earth_engine_connections: Annotated[
        int, Field(ge=1, le=40, description="Requests at once; a project is allowed 40.")
    ] = 20
    earth_engine_requests_per_second: Annotated[
        float, Field(gt=0, le=100, description="Requests in a second; a project is allowed 100.")
    ] = 80.0
    earth_engine_requests_per_month: Annotated[
        int | None, Field(ge=1, description="Budget of a month (UTC), kept with the dataset.")
    ] = None
    earth_engine_eecu_seconds_per_month: Annotated[
        float | None, Field(gt=0, description="Budget of compute; needs the next setting.")
    ] = None
    earth_engine_eecu_seconds_per_request: Annotated[
        float | None, Field(gt=0, description="Mean compute of a request, as monitoring shows it.")
    ] = None
    patience_seconds: Annotated[
        float, Field(gt=0, description="How long a request that fails in passing is tried again.")
    ] = 300.0
    cells_at_once: Annotated[int, Field(ge=1, description="Cells in work at the same time.")] = 4
    dask_scheduler: Annotated[
        str | None, Field(description="Address of the Dask scheduler for --runner dask.")
    ] = None
    cpu_threads: Annotated[int, Field(ge=1, description="Threads of the indoor filter.")] = Field(
        default_factory=lambda: os.cpu_count() or 1
    )
    indoor_engine: Annotated[
        WantedEngine,
        Field(description="How the indoor filter runs; auto: as the dataset was begun."),
    ] = "auto"
    weights_cache: Annotated[Path, Field(description="Where downloaded weights are kept.")] = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "terrapair"
        )
    )
    search_cache: Annotated[
        Path, Field(description="Where the indices of `terrapair search` are kept.")
    ] = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "terrapair" / "search"
        )
    )
    weights_url: Annotated[
        str | None, Field(description="Weights from here, instead of the catalogue's address.")
    ] = None
    weights_sha256: Annotated[str | None, Field(description="Their SHA-256.")] = None
    block_key: Annotated[
        SecretStr | None, Field(description="Key of the block list of forgotten photos.")
    ] = None
    block_key_file: Annotated[
        Path, Field(description="Where it is kept otherwise; made when it is first needed.")
    ] = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser()
            / "terrapair"
            / "block.key"
        )
    )
    user_agent: Annotated[
        str, Field(description="How the program introduces itself to the photo host.")
    ] = "terrapair/0.1 (dataset builder)"
    log_json: Annotated[
        str | None,
        Field(description="A line of JSON for each cell: a file to add to, or `stderr`."),
    ] = None

    @property
    def patience(self) -> Patience:
        """How long transient trouble is borne."""
        return Patience(
            budget_s=self.patience_seconds,
            first_wait_s=min(1.0, self.patience_seconds / 10),
            longest_wait_s=min(60.0, self.patience_seconds / 2),
        )

    @property
    def flickr_rate(self) -> float:
        """Calls of Flickr in a second.

        Calls are evenly spread, so that a rate of an hour's budget keeps the budget.
        """
        return min(self.flickr_calls_per_second, self.flickr_calls_per_hour / 3_600)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be seen in a log, an error or a file."""
        given = (self.flickr_key, self.flickr_secret, self.block_key)
        found = [one.get_secret_value() for one in given if one]
        with suppress(SetupError):  # no such file: then there is nothing to hide
            found += _inside(self._service_account_json())
        return tuple(one for one in found if one)

    def flickr_login(self) -> tuple[str, str]:
        """Returns key and secret.

        Raises:
            SetupError: If one is not set.
        """
        key, secret = self.flickr_key, self.flickr_secret
        if not key or not secret or not key.get_secret_value():
            raise SetupError(
                "Flickr",
                "there is no API key.",
                "Set TERRAPAIR_FLICKR_KEY and TERRAPAIR_FLICKR_SECRET; keys are given to Pro"
                " members at https://www.flickr.com/services/apps/create/.",
            )
        return key.get_secret_value(), secret.get_secret_value()

    def earth_engine_credentials(self) -> Credentials:
        """Returns the service account that is set, or the login that is stored on this machine.

        Raises:
            SetupError: If the service account's file cannot be read.
        """
        from collectors.earth_engine import Persistent, ServiceAccount

        text = self._service_account_json()
        return Persistent() if text is None else ServiceAccount(text)

    def _service_account_json(self) -> str | None:
        """Returns the service account's key, from its file if the setting is a path.

        Raises:
            SetupError: If the file cannot be read.
        """
        if self.earth_engine_service_account is None:
            return None
        text = self.earth_engine_service_account.get_secret_value()
        if not text.lstrip().startswith("{"):
            try:
                text = Path(text).expanduser().read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                seen = getattr(error, "strerror", None) or "it is no text"
                raise SetupError(
                    "Earth Engine",
                    f"the service account's file cannot be read ({seen}).",
                    "TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT is a JSON key, or the path of one.",
                ) from None
        return text

    def earth_engine_project_name(self) -> str:
        """Returns the project.

        Raises:
            SetupError: If it is not set.
        """
        if not self.earth_engine_project:
            raise SetupError(
                "Earth Engine",
                "there is no project.",
                "Set TERRAPAIR_EARTH_ENGINE_PROJECT to a Google Cloud project that is registered"
                " for Earth Engine.",
            )
        return self.earth_engine_project

    def flickr_throttle(self) -> Throttle:
        """One call at a time, at the rate allowed."""
        return Throttle(self.flickr_rate, 1.0, slots=1)

    def photo_throttle(self) -> Throttle:
        """The photo host's own, unpublished limit is stricter than the API's."""
        return Throttle(self.photo_downloads_per_second, 1.0, slots=self.photo_connections)

    def earth_engine_throttle(self, count: Callable[[], None] = lambda: None) -> Throttle:
        """Requests at once and in a second; `count` is called for each."""
        return Throttle(
            self.earth_engine_requests_per_second, 1.0, slots=self.earth_engine_connections,
            count=count,
        )  # fmt: skip


def read_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Reads the settings from the environment.

    Args:
        overrides: Values that come before the environment's, by field name.

    Raises:
        SetupError: If a variable has a value that it cannot have, which is not shown, or names a
            secret block that Prefect does not have.
    """
    try:
        return _with_blocks(Settings(**(overrides or {})))
    except ValidationError as error:
        said = "; ".join(
            f"{PREFIX}{'_'.join(str(key) for key in one['loc'][:1]).upper()}: {one['msg']}"
            for one in error.errors()
        )
        raise SetupError("Settings", said + ".", "See `terrapair doctor`.") from None
    except SettingsError as error:
        raise SetupError("Settings", f"{error}.", "Lists are written as JSON.") from None


def _with_blocks(settings: Settings) -> Settings:
    """Puts the contents of Prefect's secret blocks in the place of their names."""
    named = {
        name: given.get_secret_value().removeprefix(SECRET_BLOCK)
        for name in ("flickr_key", "flickr_secret", "earth_engine_service_account", "block_key")
        if (given := getattr(settings, name)) is not None
        and given.get_secret_value().startswith(SECRET_BLOCK)
    }
    if not named:
        return settings
    from flows.secret_blocks import load_secret

    return settings.model_copy(
        update={
            field: SecretStr(load_secret(block, f"{PREFIX}{field.upper()}"))
            for field, block in named.items()
        }
    )


def _inside(account: str | None) -> list[str]:
    """Returns what must not be seen of a service account's key: it, its keys, and their lines."""
    if not account:
        return []
    found = [account]
    with suppress(ValueError):
        values = json.loads(account)
        if isinstance(values, dict):
            found += [
                values[name] for name in _ACCOUNT_SECRETS if isinstance(values.get(name), str)
            ]
    lines = [line for text in found[1:] for line in text.splitlines()]
    return found + [line for line in lines if len(line) > 16 and not line.startswith("-----")]
