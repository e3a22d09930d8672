"""Roles as they are now: lists and single ones, for callers and for what refers to roles by name."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from db import tables
from services import connections
from services.caller import Caller
from services.listing import Limit
from services.paging import Listing, Order, containing, page_of, those_given
from services.roles.records import Role, RolePage, RoleSort
from services.roles.rows import SELECT, role_named, role_of_row

_BY_NAME = RoleSort()
_ORDERS = {"name": ("name", str), "createdAt": ("created_at", datetime), "updatedAt": ("updated_at", datetime)}


async def list_(
    caller: Caller,
    *,
    q: str | None = None,
    tool: str | None = None,
    is_active: bool | None = None,
    created_by: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    after: str | None = None,
    sort: RoleSort = _BY_NAME,
    cursor: str | None = None,
    limit: Limit = 100,
) -> RolePage:
    """Roles: all, or those that list a `tool`, contain `q` in name or description, have a state or an author, or were
    made within a time; those whose names come after the name `after`.

    Each order is that of an index, which is walked from the cursor on until the page is full: what is rare takes long
    to find.

    Raises:
        Invalid: the cursor is none of this list.
    """
    caller.require("roles.read")
    asked = {
        "(name ILIKE {0} OR description ILIKE {0})": containing(q),
        "{} = ANY(tools)": tool,
        "is_active = {}": is_active,
        "created_by = {}": created_by,
        "created_at >= {}": created_after,
        "created_at < {}": created_before,
        "name > {}": after,
    }
    column, type_ = _ORDERS[sort.by]
    listing = Listing("role.list", Order(column, "id", column, type_, sort.order == "desc"), asked)
    items, next_cursor = await page_of(listing, SELECT, those_given(asked), role_of_row, cursor=cursor, limit=limit)
    return RolePage(items=items, next_cursor=next_cursor)


async def get(caller: Caller, *, role: str) -> Role:
    """The role of that name or id.

    Raises:
        NotFound: there is none.
    """
    caller.require("roles.read")
    return await role_named(role)


async def active() -> list[Role]:
    """Every role that can be played and does not expire, by name."""
    query = f"{SELECT} WHERE is_active AND expires_at IS NULL ORDER BY name"
    return [role_of_row(row) for row in await connections.database().fetch(query)]


async def named(names: Iterable[str]) -> list[Role]:
    """Those of these names that there are, also where they are switched off."""
    rows = await connections.database().fetch(f"{SELECT} WHERE name = ANY($1)", list(names))
    return [role_of_row(row) for row in rows]


async def ids_by_name() -> dict[str, UUID]:
    """Every active role's id by its name: what a document may refer to."""
    rows = await tables.Role.select(tables.Role.name, tables.Role.id).where(tables.Role.is_active.eq(True))
    return {row["name"]: row["id"] for row in rows}
