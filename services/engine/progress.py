"""Progress: what goes on in an execution before its journal knows, for whoever watches. It may be lost."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

MAX_DELTA_CHARACTERS = 500


class AttemptStarted(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="attempt_started"
):
    """An attempt was handed to its performer; `at` is by the clock of the worker's machine."""

    path: str
    attempt: int
    at: datetime


class Delta(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="delta"):
    """A piece of a model's answer, of at most 500 characters; it goes on where the one before it ended."""

    path: str
    attempt: int
    text: str


class TurnStarted(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="turn_started"):
    """A model is asked for its answer number `turn` in an attempt; what it says of it begins anew here."""

    path: str
    attempt: int
    turn: int


class ToolCalled(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="tool_called"):
    """An agent calls the tool `tool`; `call` is the place of the call among all that the agent has made."""

    path: str
    attempt: int
    call: str
    tool: str


class ToolAnswered(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="tool_answered"):
    """The call has its result; with `isError` that says why it did not work."""

    path: str
    attempt: int
    call: str
    tool: str
    is_error: bool


Progress: TypeAlias = AttemptStarted | TurnStarted | Delta | ToolCalled | ToolAnswered


class News(msgspec.Struct, frozen=True, array_like=True):
    """What a worker says of an execution: how many events its journal has by now and, perhaps, what goes on in it."""

    execution: UUID
    seq: int
    progress: Progress | None = None


def pieces(progress: Progress) -> Iterator[Progress]:
    """The same in pieces that are short, and texts that can be sent; nothing for an empty text.

    >>> long = Delta(path="A", attempt=1, text="x" * 501 + "\\ud800")
    >>> [piece.text[-2:] for piece in pieces(long)]
    ['xx', 'x?']
    """
    if not isinstance(progress, Delta):
        yield progress
        return
    # Half a surrogate pair, which a provider may cut between two pieces, is no UTF-8.
    text = progress.text.encode("utf-8", "replace").decode("utf-8")
    for start in range(0, len(text), MAX_DELTA_CHARACTERS):
        yield msgspec.structs.replace(progress, text=text[start : start + MAX_DELTA_CHARACTERS])
