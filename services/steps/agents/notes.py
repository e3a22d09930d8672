"""What a conversation with a model keeps in the journal, and a later attempt goes on from.

A note is committed before anything follows from it. Those that come from a model carry what its calls took.
"""

from datetime import datetime
from typing import TypeAlias

import msgspec

from services.engine.core.events import ModelCall
from services.json import Json, JsonObject
from services.models.messages import ToolCall
from services.tools.tool import ToolResult


class Note(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="note", omit_defaults=True):
    """Something that is not done again."""


class Answered(Note, frozen=True, kw_only=True, tag="answered"):
    """A model's answer that asks for tools. `about_tokens` is what we took its request for, before it was counted."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...]
    calls: tuple[ModelCall, ...] = ()
    about_tokens: int = 0


class Rejected(Note, frozen=True, kw_only=True, tag="rejected"):
    """An answer that could not be used, and what the model was told of it; null where there was no text to keep."""

    text: str | None = None
    said: str
    calls: tuple[ModelCall, ...] = ()


class CallBegan(Note, frozen=True, kw_only=True, tag="call_began"):
    """A tool that changes something is about to be called, or one that calls others, for the first time, `at` then."""

    call: str
    at: datetime | None = None


class CallEnded(Note, frozen=True, kw_only=True, tag="call_ended"):
    """What a tool call gave. Of one that another call has made, also what it was: `tool` and `arguments`."""

    call: str
    result: ToolResult
    tool: str | None = None
    arguments: JsonObject | None = None


class Narrowed(Note, frozen=True, kw_only=True, tag="narrowed"):
    """What of the conversation the model does not see any more, because it would not fit.

    The first `turns` of them (a model's answer and what came back) are gone, and `summary` says what they were. Of
    the first `results` only the calls are left, and the results in the one behind these are cut to `max_characters`.
    `tokens` is what the request would have had, `limit` what it may have.
    """

    turns: int = 0
    results: int = 0
    max_characters: int | None = None
    summary: str = ""
    tokens: int = 0
    limit: int = 0
    calls: tuple[ModelCall, ...] = ()


AnyNote: TypeAlias = Answered | Rejected | CallBegan | CallEnded | Narrowed


def read(note: Json) -> AnyNote:
    """The note that the journal keeps as `note`."""
    return msgspec.convert(note, AnyNote)


def written(note: AnyNote) -> Json:
    """The note as the journal keeps it."""
    return msgspec.to_builtins(note)


def calls_of(note: AnyNote) -> tuple[ModelCall, ...]:
    """The model calls that led to the note."""
    return () if isinstance(note, CallBegan | CallEnded) else note.calls
