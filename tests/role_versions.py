"""Versions of roles, as tests need them."""

from uuid import UUID

from services import connections


async def newest_version(role: str) -> UUID:
    """The id of the newest version of the role with that name."""
    return await connections.pool().fetchval(
        "SELECT version.id FROM role_version AS version JOIN role ON role.id = version.role_id"
        " WHERE role.name = $1 ORDER BY number DESC LIMIT 1",
        role,
    )
