"""Who acts in a task, and by which way: what changes of rows are put down to, and with which rights they are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Channel = Literal["rpc", "meta", "cli", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The one on whose behalf the database is asked. What an agent asks is asked with an agent's rights."""

    actor: str
    channel: Channel
    is_agent: bool = False


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def acting() -> Acting | None:
    """Who acts in this task; None when it is the server itself."""
    return _acting.get()


def is_agent() -> bool:
    """Whether it is an agent that acts in this task."""
    who = _acting.get()
    return who is not None and who.is_agent


@contextmanager
def act_as(actor: str, channel: Channel, *, is_agent: bool = False) -> Iterator[None]:
    """Inside, this task acts for somebody.

    >>> with act_as("anna", "rpc"):
    ...     acting()
    Acting(actor='anna', channel='rpc', is_agent=False)
    >>> acting()
    """
    before = _acting.set(Acting(actor=actor, channel=channel, is_agent=is_agent))
    try:
        yield
    finally:
        _acting.reset(before)
