"""Executions in lists: the newest first, or in another order, narrowed by what a filter can say and more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services import connections
from services.caller import Caller
from services.executions.records import OPEN, ExecutionPage, ExecutionSort, Status
from services.executions.rows import SELECT, execution_of
from services.executions.selecting import ExecutionFilter, conditions_of, versions_of
from services.listing import Instant, Limit
from services.paging import Condition, Listing, Order, Place, page_of, those_given, where

_BY_CREATION = ExecutionSort()
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)

# The newest of each status or version are one end of a range of an index: as many as the page holds are taken of each,
# and of these the newest. Told only to sort, the planner would walk over all of history, or fetch all of a version.
_OF_EACH = """
{select} JOIN (
  SELECT found.id FROM unnest($1::{type}[]) AS wanted (value) CROSS JOIN LATERAL (
    SELECT execution.id FROM execution
    WHERE (execution.{column}, execution.id) >= (wanted.value, $2)
      AND (execution.{column}, execution.id) <= (wanted.value, $3) AND {where}
    ORDER BY execution.{column} {way}, execution.id {way} LIMIT {limit:d}
  ) AS found ORDER BY found.id {way} LIMIT {limit:d}
) AS page ON page.id = execution.id ORDER BY execution.id {way}"""


async def list_(
    caller: Caller,
    *,
    orchestration: str | None = None,
    version: int | None = None,
    status: Status | Sequence[Status] | None = None,
    role: str | None = None,
    tool: str | None = None,
    started_by: str | None = None,
    started_before: Instant | None = None,
    started_after: Instant | None = None,
    parent: UUID | None = None,
    restart_of: UUID | None = None,
    before: UUID | None = None,
    sort: ExecutionSort = _BY_CREATION,
    cursor: str | None = None,
    limit: Limit = 50,
) -> ExecutionPage:
    """Executions: all, or those with one of the statuses, those that the steps of `parent` have started, the restarts
    of `restart_of`, those older than the execution `before`.

    Each of the others means what it does in an `ExecutionFilter`. Orchestration, status, times, parent and origin are
    ranges of an index; role, tool and starter are looked for in one execution after the other, so that what is rare
    takes long to find unless times narrow it. So does what is rare among those that have finished, in their order.

    Raises:
        NotFound: there is no such orchestration, version, role or tool.
        Invalid: a version is given without an orchestration, or the cursor is none of this list.
    """
    caller.require("executions.read")
    statuses = (status,) if isinstance(status, str) else tuple(status or ())
    filter = ExecutionFilter(
        role=role, tool=tool, started_by=started_by, started_before=started_before, started_after=started_after
    )
    own = {
        "execution.parent_execution_id = {}": parent,
        "execution.forked_from = {}": restart_of,
        "execution.id < {}": before,
    }
    conditions = [*await conditions_of(filter), *those_given(own)]
    versions = await versions_of(orchestration, version)
    listing = Listing("execution.list", _order(sort), (filter, own, sorted(statuses), orchestration, version))
    if sort.by == "createdAt" and parent is None and restart_of is None and (statuses or versions is not None):
        return await _of_each(listing, statuses, versions, conditions, cursor, limit)
    conditions += those_given(
        {
            "execution.version_id = ANY({}::uuid[])": versions,
            "execution.status = ANY({}::text[])": statuses or None,
        }
    )
    if sort.by == "finishedAt":
        conditions.append(Condition("execution.finished_at IS NOT NULL", ()))
    items, next_cursor = await page_of(listing, SELECT, conditions, execution_of, cursor=cursor, limit=limit)
    return ExecutionPage(items=items, next_cursor=next_cursor)


def _order(sort: ExecutionSort) -> Order:
    descending = sort.order == "desc"
    if sort.by == "finishedAt":
        return Order("execution.finished_at", "execution.id", "finished_at", datetime, descending)
    # Ids are UUIDv7: their order is that of the starts.
    return Order("execution.id", "execution.id", "id", UUID, descending)


async def _of_each(
    listing: Listing,
    statuses: tuple[Status, ...],
    versions: list[UUID] | None,
    conditions: list[Condition],
    cursor: str | None,
    limit: int,
) -> ExecutionPage:
    """A page of what has one of the statuses, or versions, or both.

    Few executions are open and most belong to history, so the open ones are found by status and the others by version.
    """
    by_status = bool(statuses) and (versions is None or set(statuses) <= set(OPEN))
    column, type_ = ("status", "text") if by_status else ("version_id", "uuid")
    wanted: Sequence[Any] = statuses if by_status else versions or ()
    other = {
        "execution.version_id = ANY({}::uuid[])": versions if by_status else None,
        "execution.status = ANY({}::text[])": None if by_status else statuses or None,
    }
    text, values = where([*conditions, *those_given(other)], first=4)
    way = "DESC" if listing.order.descending else "ASC"
    query = _OF_EACH.format(select=SELECT, type=type_, column=column, way=way, where=text, limit=limit + 1)
    ids = _ids_behind(listing.place_at(cursor), descending=listing.order.descending)
    rows = await connections.pool().fetch(query, sorted(set(wanted)), *ids, *values)
    items = [execution_of(row) for row in rows[:limit]]
    return ExecutionPage(items=items, next_cursor=listing.cursor_behind(rows, limit))


def _ids_behind(place: Place | None, *, descending: bool) -> tuple[UUID, UUID]:
    """The first and the last id that the page may hold."""
    if place is None:
        return _FIRST, _LAST
    if descending:
        return _FIRST, UUID(int=max(place.id.int - 1, 0))
    return UUID(int=min(place.id.int + 1, _LAST.int)), _LAST
