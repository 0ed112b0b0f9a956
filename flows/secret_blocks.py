"""Keys that lie in secret blocks of a Prefect server instead of in the environment."""

from __future__ import annotations

import json
import sys
from functools import lru_cache

from collectors.transport import SetupError
from flows.prefect_surroundings import settle_prefect


@lru_cache
def load_secret(block: str, variable: str) -> str:
    """Returns what a secret block holds; asked of the server once in a process.

    Args:
        block: Name of the block.
        variable: The environment variable that names it, for the error.

    Raises:
        SetupError: If the server has no such block, or is not to be reached.
    """
    if "prefect" not in sys.modules:
        settle_prefect()
    import httpx
    from prefect.blocks.system import Secret

    try:
        value = Secret.load(block).get()  # type: ignore[union-attr]  # not a coroutine out here
    except ValueError:
        raise SetupError(
            variable,
            f"Prefect has no secret block `{block}`.",
            f'Make it with `Secret(value=…).save("{block}")` (prefect.blocks.system), or in'
            " Prefect's pages under Blocks; or look at PREFECT_API_URL.",
        ) from None
    except (httpx.HTTPError, RuntimeError, OSError) as error:
        raise SetupError(
            variable,
            f"Prefect's server cannot be asked for the secret block `{block}`"
            f" ({type(error).__name__}).",
            "Look at PREFECT_API_URL, and whether that server runs.",
        ) from None
    return value if isinstance(value, str) else json.dumps(value)
