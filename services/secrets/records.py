"""What callers see of secrets: never a value."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

Host = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
SecretText = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


class SecretEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A secret without its value. `keyId` names the key that it is encrypted with.

    It is sent to the `hosts` and to no others. `problem` is what keeps this process from reading it.
    """

    id: UUID
    name: str
    description: str
    hosts: tuple[str, ...]
    key_id: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    problem: str | None = None


class Rotated(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many secrets were encrypted anew with the newest key, `keyId`; and which of them could not be read."""

    key_id: str
    rotated: int
    unreadable: tuple[SecretEntry, ...]
