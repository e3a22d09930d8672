"""Plugins: what other distributions that are installed here add to this process, by their entry points.

* `rolecall.tools`       a `Tool`, several of them, or a function without arguments that makes them
* `rolecall.providers`   a function that takes the environment and gives a provider with its offers, or None
* `rolecall.steps`       a performer, under the name of the kind of step that it performs

One that is broken is left out and named, in the log and by `system.health`; everything else works as without it.
"""

import logging
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeAlias

from services.definitions.document import CONTROL_KINDS, KINDS, Kind
from services.engine.performer import Performer
from services.models.provider import Provider
from services.models.selection import Offer
from services.tools import registry
from services.tools.tool import Tool

Group: TypeAlias = Literal["rolecall.tools", "rolecall.providers", "rolecall.steps"]
# The kinds of steps that this server performs itself, with a timer or a child.
OWN_KINDS: frozenset[Kind] = frozenset({"agent", "llm", "tool", "wait", "orchestration"})
_OPEN_KINDS = frozenset(KINDS) - CONTROL_KINDS - OWN_KINDS
# What carries these is held to rules of its own.
_RESERVED_PREFIX = "system."
_RESERVED_TAG = "meta"

_problems: dict[EntryPoint, str] = {}
_log = logging.getLogger(__name__)


class _Unusable(Exception):
    """What an entry point leads to is not what its group asks for; the message says what would have been."""


@cache
def tools() -> tuple[Tool, ...]:
    """The tools of all plugins, once those of our own are registered; none takes the name of another."""
    found: dict[str, Tool] = {}

    def add(point: EntryPoint, value: Any) -> None:
        made: Any = value() if callable(value) and not isinstance(value, Tool) else value
        several = list(made) if isinstance(made, Iterable) else [made]
        checked = [_usable(tool, found) for tool in several]
        found.update({tool.name: replace(tool, source=f"plugin {_distribution(point)}") for tool in checked})

    _each("rolecall.tools", add)
    return tuple(found.values())


@cache
def performers() -> Mapping[Kind, Performer]:
    """Who performs the steps of the kinds that this server does not perform itself."""
    found: dict[Kind, Performer] = {}

    def add(point: EntryPoint, value: Any) -> None:
        kind: Kind | None = next((kind for kind in KINDS if kind in _OPEN_KINDS and kind == point.name), None)
        if kind is None or kind in found:
            free = ", ".join(sorted(_OPEN_KINDS - found.keys())) or "none"
            raise _Unusable(f"steps of the kind {point.name!r} are not for a plugin to perform; left for one: {free}")
        if not iscoroutinefunction(value):
            raise _Unusable("a performer is an async function that takes an attempt and gives back the step's output")
        found[kind] = value

    _each("rolecall.steps", add)
    return found


def providers(environ: Mapping[str, str], *, taken: Container[str] = ()) -> list[tuple[Provider, list[Offer]]]:
    """The providers of all plugins that have settings in the environment, and what they offer; none is called as those
    that are `taken`.
    """
    found: list[tuple[Provider, list[Offer]]] = []

    def add(point: EntryPoint, value: Callable[[Mapping[str, str]], Any]) -> None:
        made = value(environ)
        if made is None:
            return
        provider, offers = made
        if provider.name in taken or any(provider.name == other.name for other, _ in found):
            raise _Unusable(f"there is another provider that is called {provider.name!r}")
        if strange := [offer for offer in offers if not isinstance(offer, Offer) or offer.provider != provider.name]:
            raise _Unusable(f"{strange[0]!r} is no offer of the provider {provider.name!r}")
        found.append((provider, list(offers)))

    _each("rolecall.providers", add)
    return found


def problems() -> tuple[str, ...]:
    """A sentence for each plugin that is left out: which, why, and what to do."""
    return tuple(
        f"The plugin {point.name!r} of {_distribution(point)} ({point.group}) is left out: {why}. "
        "Mend it or uninstall it, and start this process again."
        for point, why in _problems.items()
    )


def _each(group: Group, add: Callable[[EntryPoint, Any], None]) -> None:
    for point in sorted(entry_points(group=group), key=lambda it: (_distribution(it), it.name)):
        try:
            add(point, point.load())
        except _Unusable as error:
            _problems[point] = str(error)
        # Whatever its code does while it is imported, and sys.exit() too, concerns the plugin alone.
        except (Exception, SystemExit) as error:
            _log.warning("the plugin %s of %s is left out", point.name, _distribution(point), exc_info=error)
            _problems[point] = f"it broke down with {type(error).__name__}, of which the log has the details"


def _usable(tool: Any, found: Mapping[str, Tool]) -> Tool:
    if not isinstance(tool, Tool):
        raise _Unusable(f"{tool!r} is no Tool; `@tool` makes one of an async function")
    if tool.name.startswith(_RESERVED_PREFIX) or _RESERVED_TAG in tool.tags:
        raise _Unusable(f"the tool {tool.name!r} is named {_RESERVED_PREFIX}… or tagged {_RESERVED_TAG}, which is ours")
    if (other := found.get(tool.name) or registry.find(tool.name)) is not None:
        raise _Unusable(f"there is another tool that is called {tool.name!r}: {other.source}")
    return tool


def _distribution(point: EntryPoint) -> str:
    return "an unknown distribution" if point.dist is None else f"{point.dist.name} {point.dist.version}"
