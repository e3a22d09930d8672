"""Parameters that several procedures take."""

from typing import Annotated, Literal

from msgspec import Meta

from services.idempotency import IdempotencyKey
from services.paging import Author, Cursor, Search

__all__ = [
    "Author", "Breaking", "Cursor", "ExpectedVersion", "Forward", "Key", "Message", "Number", "Search",
]  # fmt: skip

# What the infinite queries of `@trpc/react-query` send with a cursor.
Forward = Annotated[Literal["forward"], Meta(description="Which way the pages go: there is one.")]
Key = Annotated[IdempotencyKey, Meta(description="The same key and request are done once, and answered alike.")]
Number = Annotated[int, Meta(ge=1, le=2**31 - 1, description="A version's number.")]
ExpectedVersion = Annotated[
    int, Meta(ge=1, le=2**31 - 1, description="The version that it is at; at another one, nothing is done.")
]
Message = Annotated[str, Meta(max_length=2_000, description="Why, for those who decide or look at it later.")]
Breaking = Annotated[bool, Meta(description="Whether it may break those who rely on the active version.")]
