"""What roles are at their versions: what executions start with and keep to."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from services import connections, expiry
from services.errors import Conflict, NotFound
from services.problem import Problem, said
from services.roles.parts import parts_of_content, unreadable
from services.roles.records import RoleContent

_CONTENTS = "SELECT id, role_id, number, status, content::text FROM role_version"
_MAX_USABLE = 10_000
# Versions of roles that were looked at and found to have no problems: they do not change.
_usable: dict[UUID, None] = {}


async def newest_versions(names: Iterable[str]) -> dict[str, UUID]:
    """The newest version of each role of these names that there is, by its name.

    Raises:
        Conflict: one of them has expired.
    """
    rows = await connections.pool().fetch(
        "SELECT role.name, newest.id, coalesce(expires_at <= clock_timestamp(), false) AS has_expired"
        " FROM role JOIN role_version AS newest ON newest.role_id = role.id AND newest.number = role.version"
        " WHERE role.is_active AND role.name = ANY($1)",
        list(names),
    )
    for row in rows:
        if row["has_expired"]:
            raise expiry.expired("role", row["name"], keep="role.promote")
    return {row["name"]: row["id"] for row in rows}


async def content(version: UUID) -> RoleContent:
    """What a role was at a version.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written into the role what cannot be read; names all of that.
    """
    row = await connections.database().fetchrow(f"{_CONTENTS} WHERE id = $1", version)
    if row is None:
        raise NotFound("role version", version)
    found = parts_of_content(row["content"])
    if problems := unreadable(found.problems):
        raise _unusable(found.name, row["number"], problems)
    own = {name: getattr(found, name) for name in RoleContent.__struct_fields__ if name != "id"}
    return RoleContent(id=row["role_id"], **own)


async def check_usable(versions: Collection[UUID]) -> None:
    """Nothing, when these versions of roles have no problems.

    Raises:
        Conflict: one has some; names it and all of them.
    """
    unknown = [version for version in versions if version not in _usable]
    if not unknown:
        return
    query = f"{_CONTENTS} WHERE id = ANY($1::uuid[]) ORDER BY id"
    for row in await connections.database().fetch(query, unknown):
        found = parts_of_content(row["content"])
        if found.problems:
            raise _unusable(found.name, row["number"], found.problems)
        if len(_usable) >= _MAX_USABLE:
            _usable.pop(next(iter(_usable)))
        _usable[row["id"]] = None


def _unusable(name: str, number: int, problems: Sequence[Problem]) -> Conflict:
    state = f"has problems at version {number} and cannot be used: {said(problems)}"
    return Conflict("role", name, state=state, allowed="a role without problems", problems=problems)
