"""No function of the stand-in breaks, whatever it is given."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.sandbox.earth_engine import FUNCTION_MODULES
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.encoding import encode
from collectors.sandbox.expressions import evaluate
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.registry import IMPLEMENTATIONS
from collectors.sandbox.scenes import SceneWorld
from collectors.sandbox.signatures import signatures

WORLD = SceneWorld(1, Landcover(1))
assert FUNCTION_MODULES  # their import makes the functions known


def call(name: str, **arguments: dict[str, Any]) -> dict[str, Any]:
    """A call within an expression."""
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def const(value: object) -> dict[str, Any]:
    """A constant of an expression."""
    return {"constantValue": value}


POINT = call("GeometryConstructors.Point", coordinates=const([1, 2]))
FEATURE = call("Feature", geometry=POINT, metadata=const({"k": 1}))
VALUES: list[dict[str, Any]] = [
    *map(const, (0, 1, -1, 2.5, 1e308, True, None, "", "a", "2020-01-01", "EPSG:4326", "k")),
    *map(const, ([], [1, "a"], ["a"], [[1, 2], [3, 4]], {}, {"a": None}, {"type": "Point"})),
    POINT,
    FEATURE,
    call("Image.constant", value=const(1)),
    call("Collection", features={"arrayValue": {"values": [FEATURE]}}),
    call("Date", value=const(0)),
    call("DateRange", start=const(0)),
    call("Filter.lessThan", leftField=const("k"), rightValue=const(3)),
    call("Projection", crs=const("EPSG:32610")),
    call("Element.get", object=FEATURE, property=const("gone")),
    {"functionDefinitionValue": {"argumentNames": ["x"], "body": "same"}},
]


def refusal(expression: dict[str, Any]) -> EarthEngineError | None:
    """The error that an expression is answered with, or None where it has a value."""
    try:
        encode(evaluate(expression, WORLD))
    except EarthEngineError as error:
        return error
    return None


@settings(max_examples=1_500, deadline=None)
@given(st.sampled_from(sorted(IMPLEMENTATIONS)), st.randoms(use_true_random=False))
def test_a_wrong_argument_is_an_answer_and_not_a_crash(name: str, chance: Any) -> None:
    """Any function with any values gives a value or the service's kind of error."""
    arguments = {
        parameter.name: chance.choice(VALUES)
        for parameter in signatures()[name].parameters
        if not parameter.optional or chance.random() < 0.5
    }
    values = {"0": call(name, **arguments), "same": {"argumentReference": "x"}}
    error = refusal({"result": "0", "values": values})
    assert error is None or (error.message and error.code in (400, 501))
