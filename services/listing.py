"""What lists and look-ups share."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from piccolo.columns.combination import Where

from db import tables

Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="How many at most.")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
RoleReference = Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="A role's name or id.")]
OrchestrationReference = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, description="An orchestration's name or id.")
]


def id_in(text: str) -> UUID | None:
    """The id that `text` spells, when it is one and not a name.

    >>> id_in("Reader") is None
    True
    """
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def called(table: type[tables.Token], reference: str) -> Where:
    """The row of that id or, when `reference` spells none, of that name.

    A name may look like an id; then only the id finds its row, so that nobody can take the place of another's id.
    """
    id = id_in(reference)
    return table.name == reference if id is None else table.id == id
