"""Idempotency keys: what a caller asks for again under the same key is made once, and answered alike.

The answer is kept in the transaction of what was made, so either both are there or neither is. A refusal keeps nothing:
the same key may be used again once what stood in the way is gone. Starts of executions keep their keys themselves, with
the execution and as long as it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec

from db import tables
from services import connections
from services.caller import Caller
from services.errors import Conflict

T = TypeVar("T")

MAX_KEY = 200
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('idempotency_key ' || {} || ' ' || {}, 0))"
_KNOWN = "SELECT request_digest, answer FROM idempotency_key WHERE principal = {} AND key = {}"
_KEEP = (
    "INSERT INTO idempotency_key (principal, key, procedure, request_digest, answer)"
    " VALUES ({}, {}, {}, {}, {}::text::json)"
)


async def once(
    caller: Caller,
    key: str | None,
    procedure: str,
    request: Any,
    answer_type: type[T],
    make: Callable[[], Awaitable[T]],
) -> T:
    """What `make` gives; with a key, what it gave when the caller first made this request under it.

    `request` is all that was asked for. Of several calls at once with the same key one makes, and the others wait for
    it. What `make` writes, it writes with tables or `Database.fetch`: they share its transaction.

    Raises:
        Conflict: the key was used for another request, or somebody has written what is no answer of it.
    """
    if key is None:
        return await make()
    principal = f"{caller.principal.kind} {caller.name}"
    digest = hashlib.sha256(msgspec.json.encode([procedure, request], order="sorted")).hexdigest()
    raw = tables.IdempotencyKey.raw
    async with connections.database().transaction():
        await raw(_LOCK, principal, key)
        known = await raw(_KNOWN, principal, key)
        if known and known[0]["request_digest"] != digest:
            raise Conflict("idempotency key", key, state="was used for another request", allowed="a new key")
        if known:
            return _answer_of(known[0]["answer"], key, answer_type)
        answer = await make()
        await raw(_KEEP, principal, key, procedure, digest, msgspec.json.encode(answer).decode())
        return answer


def _answer_of(text: str, key: str, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=type_)
    except (ValueError, RecursionError):
        state = "stands for an answer that this version of Rolecall cannot read"
        raise Conflict("idempotency key", key, state=state, allowed="a new key") from None
