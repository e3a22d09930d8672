"""The journal's rows: events as JSON, loaded and decoded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.engine.core.events import AnyEvent, StepFailed
from services.engine.sql import statement

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


@dataclass(slots=True)
class History:
    """The events of one execution, in order.

    `failed_ages` tells for each step how many seconds ago its last attempt failed.
    """

    events: list[AnyEvent] = field(default_factory=list[AnyEvent])
    failed_ages: dict[str, float] = field(default_factory=dict[str, float])


def encode(event: AnyEvent) -> str:
    """The event as the text that its journal row keeps."""
    return _ENCODER.encode(event).decode()


def decode(payload: str) -> AnyEvent:
    """The event that a journal row keeps."""
    return _DECODER.decode(payload)


def columns(event: AnyEvent) -> tuple[str, str, int]:
    """The event's kind, path and attempt: what people and indexes look for."""
    config: Any = event.__struct_config__
    return str(config.tag), getattr(event, "path", None) or "", getattr(event, "attempt", 0)


async def load(connection: asyncpg.Connection | asyncpg.Pool, ids: Iterable[UUID]) -> dict[UUID, History]:
    """The whole journal of each execution."""
    histories: dict[UUID, History] = {id: History() for id in ids}
    for row in await connection.fetch(statement("history"), list(histories)):
        event = decode(row["payload"])
        history = histories[row["execution_id"]]
        history.events.append(event)
        if isinstance(event, StepFailed):
            history.failed_ages[event.path] = row["age_seconds"]
    return histories
