"""The functions that an expression may call, gathered from the modules that define them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

IMPLEMENTATIONS: dict[str, Callable[..., object]] = {}
"""Every function that has been defined, by its Earth Engine name."""

LOADERS: set[str] = set()
"""Names of the functions that want the world as their first argument."""

_Defined = TypeVar("_Defined", bound="Callable[..., object]")


def function(*names: str) -> Callable[[_Defined], _Defined]:
    """Enter a function under one or more Earth Engine names.

    It takes every parameter of the signature, in the signature's order; parameters left out come
    as their default, or None.
    """

    def enter(implementation: _Defined) -> _Defined:
        for name in names:
            IMPLEMENTATIONS[name] = implementation
        return implementation

    return enter


def loader(name: str) -> Callable[[_Defined], _Defined]:
    """Enter a function that looks into the catalogue: its first argument is the `SceneWorld`."""

    def enter(implementation: _Defined) -> _Defined:
        IMPLEMENTATIONS[name] = implementation
        LOADERS.add(name)
        return implementation

    return enter
