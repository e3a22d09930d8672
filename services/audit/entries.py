"""Entries of the audit: what was changed, by whom, when and by which way."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from services import connections
from services.caller import Caller
from services.json import Json
from services.listing import Limit
from services.paging import Listing, Order, Page, page_of, those_given

Action = Literal["insert", "update", "delete"]


class Head(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last entry of the audit. Whoever keeps its `hash` elsewhere can tell later whether this entry, or any before
    it, was tampered with.
    """

    seq: int
    hash: str
    at: datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A change of one row.

    `channel` is the way by which it came: rpc, meta, cli, admin, or sql for everything else; `actor` who that way says
    it was, and `dbUser` as whom the database session was opened, which nobody can choose. `noun` is the table and
    `subject` the id of the row; `before` and `after` are the row without its secrets, null when it is new or gone.
    """

    seq: int
    at: datetime
    actor: str
    channel: str
    db_user: str
    action: Action
    noun: str
    subject: UUID
    before: Json
    after: Json
    hash: str


class EntryPage(Page[Entry], frozen=True, kw_only=True, rename="camel"):
    """Entries, the newest first."""


# The subject makes a place whole, which is a key with an id; `seq` alone has the order.
_NEWEST_FIRST = Order("seq", "subject", "seq", int, descending=True)
_SELECT = (
    "SELECT seq, at, actor, channel, db_user, action, noun, subject, subject AS id, before, after, hash FROM audit"
)


async def list_(
    caller: Caller,
    *,
    noun: str | None = None,
    subject: UUID | None = None,
    action: Action | None = None,
    actor: str | None = None,
    channel: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: Limit = 100,
) -> EntryPage:
    """Entries, the newest first: all, or those to which all that is given applies; `since` that instant, and before
    `until`.

    Raises:
        Invalid: the cursor is none of this list.
    """
    caller.require("audit.read")
    asked = {
        "noun = {}": noun,
        "subject = {}": subject,
        "action = {}": action,
        "actor = {}": actor,
        "channel = {}": channel,
        "at >= {}": since,
        "at < {}": until,
    }
    listing = Listing("audit.list", _NEWEST_FIRST, asked)
    items, next_cursor = await page_of(listing, _SELECT, those_given(asked), _entry, cursor=cursor, limit=limit)
    return EntryPage(items=items, next_cursor=next_cursor)


async def head(caller: Caller) -> Head | None:
    """The last entry; None while nothing was changed yet."""
    caller.require("audit.read")
    row = await connections.database().fetchrow("SELECT seq, hash, at FROM audit ORDER BY seq DESC LIMIT 1")
    return None if row is None else Head(seq=row["seq"], hash=shown(row["hash"]), at=row["at"])


async def chain(caller: Caller) -> str | None:
    """The hash of the first entry, which tells one audit from another; None while there is none."""
    caller.require("audit.read")
    row = await connections.database().fetchrow("SELECT hash FROM audit ORDER BY seq LIMIT 1")
    return None if row is None else shown(row["hash"])


def shown(hash: bytes) -> str:
    """A hash as it is told.

    >>> shown(bytes(32))[:12]
    'sha256:00000'
    """
    return f"sha256:{hash.hex()}"


def _entry(row: Any) -> Entry:
    values = {field: row[field] for field in Entry.__struct_fields__}
    return Entry(**{**values, "before": _json(row["before"]), "after": _json(row["after"]), "hash": shown(row["hash"])})


def _json(text: str | None) -> Json:
    return None if text is None else msgspec.json.decode(text)
