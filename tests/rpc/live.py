"""A router of signatures alone: what comes item by item, and procedures that are known by their schemas."""

from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct

from api.rpc import Described, Form, Octets, Router, Tracked, mutation, query, subscription


class Tick(Struct):
    """One of many."""

    tick: int


@subscription
async def ticks(ctx: object, *, count: int) -> AsyncIterator[Tick]:
    """Ticks."""
    yield Tick(count)


@subscription
async def tracked(ctx: object, *, count: int, last_event_id: str | None = None) -> AsyncIterator[Tracked[Tick]]:
    """Ticks that can be gone on behind."""
    yield Tracked("1", Tick(count))


@subscription
async def news(ctx: object) -> AsyncIterator[str]:
    """Texts, to whoever asks for nothing."""
    yield "new"


@query
async def counted(ctx: object, *, count: int) -> AsyncIterator[Tick]:
    """Ticks, as one answer."""
    yield Tick(count)


@mutation
async def told(ctx: object) -> AsyncIterator[str]:
    """Texts, as one answer."""
    yield "told"


@subscription
async def mixed(ctx: object) -> AsyncIterator[Tracked[Tick] | str | None]:
    """Ticks that can be gone on behind, and what goes on meanwhile."""
    yield Tracked("1", Tick(1))


@mutation
async def form(ctx: object, *, form: Form) -> str:
    """Takes a form."""
    return "form"


@mutation
async def octets(ctx: object, *, octets: Octets) -> int:
    """Takes bytes."""
    return 1


router = Router(
    live=Router(ticks=ticks, tracked=tracked, news=news, counted=counted, told=told, mixed=mixed),
    form=form,
    octets=octets,
)

_INPUT: Any = {
    "type": "object",
    "properties": {
        "topic": {"type": "string", "description": "What about."},
        "colours": {"type": "array", "items": {"enum": ["red", None]}},
        "limit": {"type": "integer", "default": 3},
    },
    "required": ["topic", "limit"],
}
_OUTPUT: Any = {
    "type": "object",
    "properties": {
        "made": {"type": "string", "format": "date-time"},
        "pages": {"type": "array", "items": {"$ref": "#/$defs/page"}},
    },
    "required": ["made", "pages"],
    "$defs": {"page": {"type": "object", "properties": {"text": {"type": "string"}, "next": {"$ref": "#/$defs/page"}}}},
}

described = (
    Described(name="run.anything", kind="mutation", description="Takes anything.", needs_input=False),
    Described(name="run.render", kind="mutation", description="Renders.", input_schema=_INPUT, output_schema=_OUTPUT),
)
