"""audit.*: who has changed what, and whether that is still what was written."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.parameters import Cursor, Forward
from api.rpc import Example, query
from services import audit
from services.audit import MAX_ANCHORS, MAX_ENTRIES, Action, Anchored, EntryPage, Head, Verification
from services.listing import Instant, Limit

Noun = Annotated[str, Meta(min_length=1, max_length=100, description="The table, such as `role`.")]
Actor = Annotated[str, Meta(min_length=1, max_length=500, description="Whoever made the change.")]
Channel = Annotated[str, Meta(min_length=1, max_length=100, description="`rpc`, `meta`, `cli`, `admin` or `sql`.")]
Subject = Annotated[UUID, Meta(description="The id of the row.")]
After = Annotated[int, Meta(ge=0, le=2**63 - 1, description="The number of an entry that was verified before.")]
Entries = Annotated[int, Meta(ge=1, le=MAX_ENTRIES, description="How many at most.")]
Anchors = Annotated[tuple[Anchored, ...], Meta(max_length=MAX_ANCHORS, description="Entries that were kept elsewhere.")]


@query(
    meta=Needs("audit.read"),
    examples=[
        Example(
            summary="What was done to tokens and by whom, the last ten times.", input={"noun": "token", "limit": 10}
        )
    ],
)
async def list_(
    ctx: Context,
    *,
    noun: Noun | None = None,
    subject: Subject | None = None,
    action: Action | None = None,
    actor: Actor | None = None,
    channel: Channel | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 100,
) -> EntryPage:
    """Changes of definitions, roles, tokens and sessions, the newest first: all, or those to which everything that is
    given applies. Each has the row as it was and as it is, without its secrets. `nextCursor` is the `cursor` of the
    next page; BAD_REQUEST when the cursor is of another list. Needs audit.read.
    """
    return await audit.list_(
        ctx.caller,
        noun=noun,
        subject=subject,
        action=action,
        actor=actor,
        channel=channel,
        since=since,
        until=until,
        cursor=cursor,
        limit=limit,
    )


@query(meta=Needs("audit.read"))
async def head(ctx: Context) -> Head | None:
    """The last entry, null while there is none. Its `hash` stands for all that came before: whoever keeps it elsewhere
    can have `audit.verify` say later whether the audit still holds it. Needs audit.read.
    """
    return await audit.head(ctx.caller)


@query(
    meta=Needs("audit.read"),
    examples=[Example(summary="The first thousand entries; `nextAfter` goes on.", input={"limit": 1000})],
)
async def verify(ctx: Context, *, after: After = 0, limit: Entries = 100_000, anchors: Anchors = ()) -> Verification:
    """What was tampered with: entries that are missing or changed, rows that changed past the audit, triggers that are
    off, `anchors` that do not hold; no `findings` when all is as it was written. Nobody waits meanwhile. With a
    `nextAfter` there are more entries, and the call with that as `after` goes on; the last one compares the rows.
    Needs audit.read.
    """
    return await audit.verify(ctx.caller, after=after, entries=limit, anchors=anchors)
