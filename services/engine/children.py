"""Children in the database: started and stopped in the checkpoint that keeps the events of it."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from services.engine import journal
from services.engine.core.events import ExecutionStarted
from services.engine.sql import statement
from services.failure import Failure
from services.json import Json


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that an attempt at a step starts, with its first event."""

    started: ExecutionStarted
    version: UUID
    path: str
    attempt: int
    is_detached: bool


class ChildEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a child has ended, as its row keeps it; `output` and `error` are JSON text."""

    child: UUID
    path: str
    status: str
    output: str | None
    error: str | None
    duration_ms: int

    @property
    def value(self) -> Json:
        """Its output."""
        return None if self.output is None else msgspec.json.decode(self.output)

    @property
    def failure(self) -> Failure | None:
        """What it makes of the step that waits for it, unless it has completed; tried again if the child might be."""
        if self.status == "completed":
            return None
        try:
            cause = msgspec.json.decode(self.error or "null", type=Failure)
        except msgspec.DecodeError:  # somebody else has ended it, and written there what they liked
            cause = Failure(code="INTERNAL", message="its row does not say why", retryable=False)
        message = f"child {self.child} is {self.status}: {cause.code}: {cause.message}"
        return Failure(code="CHILD_FAILED", message=message, retryable=cause.retryable)


class Parent(Protocol):
    """What one execution wants of its children."""

    @property
    def execution(self) -> UUID: ...
    @property
    def epoch(self) -> int: ...
    @property
    def children(self) -> tuple[Child, ...]: ...
    @property
    def stops(self) -> tuple[UUID, ...]: ...


async def write(connection: asyncpg.Connection, worker: UUID, parents: Sequence[Parent]) -> None:
    """Start and stop what these want, as far as `worker` owns them; for a transaction in which their events follow."""
    started = [
        (
            parent.execution,
            child.started.execution,
            child.version,
            child.path,
            child.attempt,
            child.is_detached,
            msgspec.json.encode(child.started.input).decode(),
            journal.encode(child.started),
        )
        for parent in parents
        for child in parent.children
    ]
    await connection.execute(
        statement("children"),
        worker,
        [parent.execution for parent in parents],
        [parent.epoch for parent in parents],
        *(list(column) for column in zip(*started, strict=True)),
        *([] for _ in range(0 if started else 8)),
        [child for parent in parents for child in parent.stops],
    )
