"""What lists and look-ups share."""

from typing import Annotated
from uuid import UUID

import msgspec

Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="How many at most.")]


def id_in(text: str) -> UUID | None:
    """The id that `text` spells, when it is one and not a name.

    >>> id_in("Reader") is None
    True
    """
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
