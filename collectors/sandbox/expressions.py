"""Evaluates Earth Engine's expression graphs.

A graph is {"result": key, "values": {key: node}}; a node is one of constantValue, integerValue,
arrayValue, dictionaryValue, functionInvocationValue, functionDefinitionValue, argumentReference
and valueReference (Earth Engine REST reference, "Expression").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from collectors.sandbox.coercion import coerce
from collectors.sandbox.compute_meter import Work
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.limits import REAL_LIMITS
from collectors.sandbox.registry import IMPLEMENTATIONS, LOADERS
from collectors.sandbox.signatures import Signature, signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from collectors.sandbox.scenes import SceneWorld

_MISSING: Final = object()


class Frame:
    """Arguments of the functions being called, innermost first, and what was computed with them."""

    __slots__ = ("cache", "names", "parent", "values")

    def __init__(
        self, names: Sequence[str] = (), values: Sequence[object] = (), parent: Frame | None = None
    ) -> None:
        self.names = frozenset(names)
        self.values = dict(zip(names, values, strict=True))
        self.parent = parent
        self.cache: dict[int, object] = {}


class Node(Protocol):
    """A compiled node."""

    @property
    def free(self) -> frozenset[str]:
        """Argument names that the node depends on."""

    def evaluate(self, frame: Frame) -> object:
        """Return the node's value."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the expression, with the frame it was defined in."""

    names: tuple[str, ...]
    body: Node
    frame: Frame

    def __call__(self, *values: object) -> object:
        """Return the body's value for these arguments.

        Raises:
            EarthEngineError: It takes another number of arguments.
        """
        if len(values) != len(self.names):
            message = f"A function of {len(self.names)} arguments was given {len(values)}."
            raise EarthEngineError(message)
        return self.body.evaluate(Frame(self.names, values, self.frame))


@dataclass(frozen=True, slots=True)
class _Constant:
    value: object
    free: frozenset[str] = frozenset()

    def evaluate(self, frame: Frame) -> object:
        del frame
        return self.value


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    free: frozenset[str]

    def evaluate(self, frame: Frame) -> object:
        scope: Frame | None = frame
        while scope is not None:
            value = scope.values.get(self.name, _MISSING)
            if value is not _MISSING:
                return value
            scope = scope.parent
        message = f"Unknown argument reference: {self.name}"
        raise EarthEngineError(message)


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[Node, ...]
    free: frozenset[str]

    def evaluate(self, frame: Frame) -> object:
        return [item.evaluate(frame) for item in self.items]


@dataclass(frozen=True, slots=True)
class _Dictionary:
    items: Mapping[str, Node]
    free: frozenset[str]

    def evaluate(self, frame: Frame) -> object:
        return {key: item.evaluate(frame) for key, item in self.items.items()}


@dataclass(frozen=True, slots=True)
class _Definition:
    names: tuple[str, ...]
    body: Node
    free: frozenset[str]

    def evaluate(self, frame: Frame) -> object:
        return Function(self.names, self.body, frame)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A call of a function; its value is kept in the outermost frame that determines it."""

    signature: Signature
    implementation: Callable[..., object]
    arguments: tuple[Node | None, ...]
    free: frozenset[str]
    work: Work

    def evaluate(self, frame: Frame) -> object:
        home = frame
        while home.parent is not None and self.free.isdisjoint(home.names):
            home = home.parent
        value = home.cache.get(id(self), _MISSING)
        if value is _MISSING:
            value = self._call(home)
            home.cache[id(self)] = value
        return value

    def _call(self, frame: Frame) -> object:
        name = self.signature.name
        self.work.calls += 1
        if name == "If":
            condition, *cases = self.arguments
            chosen = cases[0 if condition is not None and condition.evaluate(frame) else 1]
            return None if chosen is None else chosen.evaluate(frame)
        values = [
            coerce(name, parameter, None if node is None else node.evaluate(frame))
            for parameter, node in zip(self.signature.parameters, self.arguments, strict=True)
        ]
        return self.implementation(*values)


@dataclass(slots=True)
class _Compiler:
    graph: Mapping[str, Any]
    world: SceneWorld
    max_depth: int
    work: Work
    _done: dict[str, Node] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def reference(self, key: str) -> Node:
        if key in self._done:
            return self._done[key]
        if key in self._open:
            message = f"The expression's value {key!r} refers to itself."
            raise EarthEngineError(message)
        if key not in self.graph:
            message = f"The expression has no value {key!r}."
            raise EarthEngineError(message)
        self._open.append(key)
        self._done[key] = self.node(self.graph[key])
        self._open.pop()
        return self._done[key]

    def node(self, wire: object, depth: int = 0) -> Node:
        if depth >= self.max_depth:
            message = f"Expression is nested too deeply: more than {self.max_depth} levels."
            raise EarthEngineError(message)
        if not isinstance(wire, dict) or len(wire) != 1:
            message = f"Not a value of an expression: {str(wire)[:100]}"
            raise EarthEngineError(message)
        ((kind, content),) = wire.items()
        match kind:
            case "constantValue":
                return _Constant(content)
            case "integerValue":
                return _Constant(int(content))
            case "argumentReference":
                return _Argument(content, frozenset({content}))
            case "valueReference":
                # What is referred to begins anew: the limit is on nesting within one value.
                return self.reference(content)
            case "arrayValue":
                items = tuple(self.node(item, depth + 1) for item in content.get("values", ()))
                return _List(items, _free(items))
            case "dictionaryValue":
                entries = content.get("values", {})
                named = {key: self.node(item, depth + 1) for key, item in entries.items()}
                return _Dictionary(named, _free(named.values()))
            case "functionDefinitionValue":
                names = tuple(content.get("argumentNames", ()))
                body = self.reference(content["body"])
                return _Definition(names, body, body.free - frozenset(names))
            case "functionInvocationValue":
                return self._invocation(content, depth)
        message = f"Not a kind of value: {kind!r}"
        raise EarthEngineError(message)

    def _invocation(self, content: Mapping[str, Any], depth: int) -> Node:
        if "functionName" not in content:
            what = "the call of a function that is computed (functionReference)"
            raise not_implemented(what)
        name = content["functionName"]
        signature = signatures().get(name)
        if signature is None:
            message = f"Unknown function: {name}"
            raise EarthEngineError(message)
        implementation = IMPLEMENTATIONS.get(name)
        if implementation is None:
            what = f"the function {name}"
            raise not_implemented(what)
        given = content.get("arguments", {})
        known = {parameter.name for parameter in signature.parameters}
        for key in given:
            if key not in known:
                message = f"{name}: Unrecognized argument name: '{key}'."
                raise EarthEngineError(message)
        arguments: list[Node | None] = []
        for parameter in signature.parameters:
            if parameter.name in given:
                arguments.append(self.node(given[parameter.name], depth + 1))
            elif parameter.optional:
                arguments.append(None)
            else:
                message = f"{name}: Required argument ({parameter.name}) missing."
                raise EarthEngineError(message)
        free = _free(node for node in arguments if node is not None)
        if name in LOADERS:
            implementation = partial(implementation, self.world)
        return _Call(signature, implementation, tuple(arguments), free, self.work)


def _free(nodes: Iterable[Node]) -> frozenset[str]:
    return frozenset().union(*(node.free for node in nodes))


def evaluate(
    expression: Mapping[str, Any],
    world: SceneWorld,
    *,
    max_depth: int = REAL_LIMITS.depth,
    work: Work | None = None,
) -> object:
    """Return the value of an expression.

    Args:
        expression: {"result": key, "values": {key: node}}.
        world: The scenes that its images come from.
        max_depth: Deepest nesting within one of the values.
        work: Is told how many functions were called.

    Raises:
        EarthEngineError: It is malformed, calls what does not exist, or fails.
    """
    if not isinstance(expression, dict) or not isinstance(expression.get("values"), dict):
        message = "Invalid expression: it must hold 'result' and 'values'."
        raise EarthEngineError(message)
    compiler = _Compiler(expression["values"], world, max_depth, work or Work())
    try:
        return compiler.reference(str(expression.get("result"))).evaluate(Frame())
    except RecursionError:
        what = "an expression of so long a chain of references"
        raise not_implemented(what) from None
