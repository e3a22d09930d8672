"""Publication of roles' versions as their rows ask for it."""

from uuid import UUID

import asyncpg
import msgspec

from services.publication import Publication
from services.roles.versioning import Locked, publish_as_it_is
from services.row_requests import OneByOne

_HOLD_ROLE = """
SELECT id, name, version, role_content(role)::text AS content FROM role WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED
"""


def publication_requests() -> OneByOne[UUID]:
    """What answers the versions of roles that are to be published, in a process that stays."""
    return Publication(
        table="role_version", owner="role_id", asked="number", hold_owner=_HOLD_ROLE, publish=_publish
    ).requests()


async def _publish(_version: UUID, asked: asyncpg.Record, role: asyncpg.Record) -> None:
    now = Locked(role["id"], role["name"], role["version"], msgspec.json.decode(role["content"]))
    await publish_as_it_is(asked["requested_by"], now, asked["number"])
