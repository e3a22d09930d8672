"""Following executions: every event of the journal in its order, and progress in between."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from services import connections
from services.caller import Caller
from services.engine.follower import Follower, Gone
from services.engine.progress import Progress
from services.errors import Conflict, NotFound
from services.json import Json

LAST_KINDS = frozenset({"execution_completed", "execution_failed", "execution_cancelled"})


class Recorded(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="recorded"):
    """An event of the journal, number `seq`, as it was recorded `at` that time by the database's clock.

    `kind`, `path` and `attempt` say what it is about; the path is empty where that is the execution itself.
    """

    seq: int
    at: datetime
    kind: str
    path: str
    attempt: int
    event: Json

    @property
    def is_last(self) -> bool:
        """Whether the execution ended with it."""
        return self.kind in LAST_KINDS


Followed: TypeAlias = Recorded | Progress


async def follow(caller: Caller, *, execution: UUID, after: int = 0) -> AsyncGenerator[Followed, None]:
    """Every event behind number `after`, without gap or repetition, to the one that ends the execution.

    To go on after an interruption, give the `seq` of the last event that you have. Between the events stands what goes
    on meanwhile: attempts that start, pieces of answers. That is for watching: it has no number, is not repeated, and
    is dropped where somebody reads too slowly. Whoever follows waits for a database that is away, and is looked at
    again every few seconds.

    Raises:
        NotFound: there is no such execution, or it was pruned while it was followed.
        Conflict: its journal is not as long as `after` says, or cannot be read.
        Unauthenticated: the caller's token was revoked or has expired meanwhile.
        Forbidden: the caller may not read executions, or may not any more.
    """
    caller.require("executions.read")
    last_seq, is_over = await so_far(execution)
    if after > last_seq:
        state, allowed = f"has {last_seq} events", f"`after` to be no more than that, not {after}"
        raise Conflict("execution", str(execution), state=state, allowed=allowed)
    if after == last_seq and is_over:
        return
    with (
        connections.feed().following(execution, max(after, 0)) as follower,
        _watched(caller, follower),
    ):
        try:
            while True:
                found = await follower.next()
                item = _recorded(execution, found) if isinstance(found, asyncpg.Record) else found
                yield item
                if isinstance(item, Recorded) and item.is_last:
                    return
        except Gone:
            raise NotFound(
                "execution", str(execution), hint="its journal is gone; it was pruned while it was followed"
            ) from None


async def so_far(execution: UUID) -> tuple[int, bool]:
    """The number of the last event of an execution, and whether it is over.

    Raises:
        NotFound: there is no such execution.
    """
    row = await connections.pool().fetchrow(
        "SELECT coalesce((SELECT seq FROM journal WHERE execution_id = id ORDER BY seq DESC LIMIT 1), 0) AS last_seq,"
        " finished_at IS NOT NULL AS is_over FROM execution WHERE id = $1",
        execution,
    )
    if row is None:
        raise NotFound("execution", str(execution), hint="`execution.list` shows those there are")
    return row["last_seq"], row["is_over"]


def _watched(caller: Caller, follower: Follower) -> AbstractContextManager[None]:
    if caller.credential is None:
        return nullcontext()
    return connections.credential_watch().watching(caller, "executions.read", follower.dismiss)


def _recorded(execution: UUID, row: asyncpg.Record) -> Recorded:
    try:
        event: Json = msgspec.json.decode(row["payload"])
    except (msgspec.DecodeError, RecursionError) as error:
        state = f"has a journal that cannot be read at event {row['seq']} ({error})"
        raise Conflict("execution", str(execution), state=state, allowed="a journal of JSON") from None
    return Recorded(
        seq=row["seq"],
        at=row["recorded_at"],
        kind=row["kind"],
        path=row["path"],
        attempt=row["attempt"],
        event=event,
    )
