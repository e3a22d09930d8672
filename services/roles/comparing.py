"""What differs between versions of a role."""

import difflib
from typing import Any
from uuid import UUID

import msgspec

from services import connections
from services.caller import Caller
from services.json import Json, JsonObject
from services.roles.records import ContentChanges, FieldChange
from services.roles.rows import id_of, no_version

# The columns of a role, as its content has them, and the members of a role, as clients have them.
_MEMBERS = {field.name: field.encode_name for field in msgspec.structs.fields(ContentChanges)}
_TEXTS = ("description", "base_prompt")
_MAX_COMPARED_LINES = 2_000


async def diff(
    caller: Caller, *, role: str, from_: int | None = None, to: int | None = None
) -> tuple[FieldChange, ...]:
    """What makes the version `to` of the version `from_`; one that is not given is what the role is now.

    Raises:
        NotFound: there is no such role or version.
    """
    caller.require("roles.read")
    id = await id_of(role)
    before, after = [await _content_at(id, number) for number in (from_, to)]
    return tuple(
        _change(name, before[name], after[name]) for name in _MEMBERS if _written(before[name]) != _written(after[name])
    )


async def _content_at(role: UUID, number: int | None) -> JsonObject:
    row = await connections.database().fetchrow(
        "SELECT content FROM role_version AS version JOIN role ON role.id = role_id"
        " WHERE role_id = $1 AND number = coalesce($2, role.version)",
        role,
        number,
    )
    if row is None:
        raise no_version(number)
    return msgspec.json.decode(row["content"])


def _change(name: str, before: Any, after: Any) -> FieldChange:
    lines = _compared(before, after) if name in _TEXTS else ()
    return FieldChange(field=_MEMBERS[name], before=before, after=after, lines=lines)


def _compared(before: str, after: str) -> tuple[str, ...]:
    """How one text becomes the other, line by line; whole texts, where they are too long to be compared in short."""
    a, b = before.splitlines(), after.splitlines()
    if len(a) + len(b) > _MAX_COMPARED_LINES:
        return (*(f"- {line}" for line in a), *(f"+ {line}" for line in b))
    found: list[str] = []
    for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [f"  {line}" for line in a[a1:a2]]
        else:
            found += [f"- {line}" for line in a[a1:a2]] + [f"+ {line}" for line in b[b1:b2]]
    return tuple(found)


def _written(value: Json) -> bytes:
    """The value as JSON, by which 1 and true differ."""
    return msgspec.json.encode(value, order="sorted")
