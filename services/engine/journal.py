"""The journal's rows: events as JSON, loaded and decoded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args
from uuid import UUID

import asyncpg
import msgspec

from services.engine.core.events import AnyEvent, ChildStarted, StepFailed, StepWaiting
from services.engine.sql import statement

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_KINDS: dict[type[AnyEvent], str] = {event: str(event.__struct_config__.tag) for event in get_args(AnyEvent)}


class Unreadable(Exception):
    """A journal holds an event that this version of the program does not know."""


@dataclass(frozen=True)
class History:
    """The journal of one execution, in order: each event as its row keeps it, with its age in seconds.

    It is decoded when it is asked for, so that a journal that cannot be read stops its own execution and no other.
    """

    rows: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    @cached_property
    def events(self) -> list[AnyEvent]:
        """The events.

        Raises:
            Unreadable: one of them is not known here.
        """
        return [decode(payload) for payload, _ in self.rows]

    @property
    def delayed_ages(self) -> dict[str, float]:
        """For each step that waits or has a failed attempt, how many seconds ago it began to wait or last failed.

        A step that has started a child waits as well.
        """
        return {
            event.path: age
            for event, (_, age) in zip(self.events, self.rows, strict=True)
            if isinstance(event, StepFailed | StepWaiting | ChildStarted)
        }


def encode(event: AnyEvent) -> str:
    """The event as the text that its journal row keeps."""
    return _ENCODER.encode(event).decode()


def decode(payload: str) -> AnyEvent:
    """The event that a journal row keeps.

    Raises:
        Unreadable: it is not known here.
    """
    try:
        return _DECODER.decode(payload)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def columns(event: AnyEvent) -> tuple[str, str, int]:
    """The event's kind, path and attempt: what people and indexes look for."""
    return _KINDS[type(event)], getattr(event, "path", None) or "", getattr(event, "attempt", 0)


async def load(connection: asyncpg.Connection | asyncpg.Pool, ids: Iterable[UUID]) -> dict[UUID, History]:
    """The whole journal of each execution."""
    histories: dict[UUID, History] = {id: History() for id in ids}
    for row in await connection.fetch(statement("history"), list(histories)):
        histories[row["execution_id"]].rows.append((row["payload"], row["age_seconds"]))
    return histories
