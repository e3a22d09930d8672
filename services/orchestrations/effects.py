"""The side effects of a document with the roles and the tools that there are now."""

import msgspec

from services import connections
from services.definitions.catalog import Catalog
from services.definitions.document import Document, all_steps
from services.definitions.effects import Effect, Tools, ToolTraits, Wishes, effects_of
from services.models.selection import ModelConstraints
from services.tools import registry

_WISHES = "SELECT name, tools, model FROM role WHERE name = ANY ($1)"


async def effects_now(document: Document, known: Catalog) -> tuple[Effect, ...]:
    """What executions of a document that start now can do to the world outside."""
    names = {step.role_name for step in all_steps(document) if step.role_name is not None}
    rows = await connections.database().fetch(_WISHES, list(names)) if names else []
    roles = {row["name"]: Wishes(tools=tuple(row["tools"]), models=_named(row["model"])) for row in rows}
    return effects_of(document, roles, _tools(known))


def _named(model: str) -> tuple[str, ...]:
    try:
        wishes = msgspec.json.decode(model, type=ModelConstraints)
    except msgspec.DecodeError:  # somebody has written there what is no wish for a model; nothing is known of it
        return ()
    return (*wishes.preferred, *wishes.fallbacks)


def _tools(known: Catalog) -> Tools:
    tags: dict[str, frozenset[str]] = {name: frozenset() for name in known.tools}
    for tag, names in known.tagged.items():
        for name in names:
            tags[name] = tags.get(name, frozenset()) | {tag}
    return {name: _traits(name, of_tool) for name, of_tool in tags.items()}


def _traits(name: str, tags: frozenset[str]) -> ToolTraits:
    tool = registry.find(name)
    if tool is None:
        return ToolTraits(tags=tags)
    return ToolTraits(tags=tags, effect=tool.effect, security=tool.security)
