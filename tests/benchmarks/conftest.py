"""The sandbox and the runs of the flows' tests, for measurements."""

from tests.flows.conftest import run, sandbox, shared, tiny, weights

__all__ = ["run", "sandbox", "shared", "tiny", "weights"]
