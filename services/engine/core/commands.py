"""What the core wants done."""

from dataclasses import dataclass
from typing import TypeAlias

from services.engine.core.events import AnyEvent
from services.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class StartStep:
    """Perform an attempt of a step, `delay_ms` after the failure before it."""

    path: str
    attempt: int
    input: Json
    delay_ms: int = 0
    notes: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """Stop the attempt of a step that is under way; its answer is no longer wanted."""

    path: str


@dataclass(frozen=True, slots=True)
class Record:
    """Let this have happened: it needs nobody outside the core."""

    event: AnyEvent


Command: TypeAlias = StartStep | StopStep | Record
