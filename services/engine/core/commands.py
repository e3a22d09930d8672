"""What the core wants done."""

from typing import TypeAlias

import msgspec

from services.engine.core.events import AnyEvent
from services.json import Json


class StartStep(msgspec.Struct, frozen=True, kw_only=True):
    """Perform an attempt of a step, `delay_ms` after the last event at its path, or not before `until` (RFC 3339).

    The attempt may take `timeout_ms`. `idempotency_key` is the step's own, where it has one. Of its `notes`, the first
    `accounted` were there when an attempt ended last. With `is_expiry` the time of the child that the attempt has
    started is over then, and that is all that is to be said.
    """

    path: str
    attempt: int
    input: Json
    timeout_ms: int
    delay_ms: int = 0
    until: str | None = None
    idempotency_key: str | None = None
    notes: tuple[Json, ...] = ()
    accounted: int = 0
    is_expiry: bool = False


class StopStep(msgspec.Struct, frozen=True, kw_only=True):
    """Stop what is under way at a step and inside it; no answer of theirs is wanted any more."""

    path: str


class Record(msgspec.Struct, frozen=True):
    """Let this have happened: it needs nobody outside the core."""

    event: AnyEvent


Command: TypeAlias = StartStep | StopStep | Record
