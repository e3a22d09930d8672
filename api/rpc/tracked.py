"""An item of a subscription that a client can go on behind after its connection broke."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_FORBIDDEN = frozenset("\0\r\n")


@dataclass(frozen=True, slots=True)
class Tracked(Generic[T]):
    """`data` under an `id`, which comes back as `last_event_id` when the client goes on behind it.

    Raises:
        ValueError: the id is empty or holds NUL, CR or LF, which an event stream cannot carry.

    >>> Tracked("7", {"tick": 7}).id
    '7'
    """

    id: str
    data: T

    def __post_init__(self) -> None:
        if not is_event_id(self.id):
            raise ValueError(f"{self.id!r} cannot be the id of an event: not empty, and without NUL, CR and LF")


def is_event_id(text: str) -> bool:
    """Whether an event could have this id.

    >>> is_event_id("7"), is_event_id(""), is_event_id("7\\n")
    (True, False, False)
    """
    return bool(text) and _FORBIDDEN.isdisjoint(text)
