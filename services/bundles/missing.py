"""What is active and not in a bundle."""

from collections.abc import Collection, Mapping
from typing import Any

from db import tables
from services import orchestrations, roles
from services.bundles.records import Item, Noun, Outcome
from services.caller import Caller
from services.definitions.calls import called, name_in
from services.definitions.document import Document, all_steps
from services.errors import Invalid
from services.roles import RoleChanges

_ORCHESTRATIONS = (
    "SELECT name, number AS version FROM orchestration"
    " JOIN orchestration_version AS active ON active.id = active_version_id WHERE is_active"
    " AND active.expires_at IS NULL ORDER BY name"
)
_ROLES = "SELECT name, version FROM role WHERE is_active AND expires_at IS NULL ORDER BY name"


async def absent(
    caller: Caller, role_names: Collection[str], documents: Mapping[str, Document], *, switch_off: bool
) -> list[Item]:
    """The active roles and orchestrations that are not among these; with `switch_off` they are not active any more.
    What expires goes by itself, and is left out.

    Raises:
        Invalid: one that would be switched off is named by one of the documents.
    """
    caller.require("roles.read")
    outcome: Outcome = "switched_off" if switch_off else "absent"
    found: dict[Noun, list[dict[str, Any]]] = {
        "role": [row for row in await tables.Role.raw(_ROLES) if row["name"] not in role_names],
        "orchestration": [
            row for row in await tables.Orchestration.raw(_ORCHESTRATIONS) if row["name"] not in documents
        ],
    }
    if switch_off:
        _refuse_needed(found, documents)
        for row in found["orchestration"]:
            await orchestrations.update(caller, orchestration=row["name"], is_active=False)
        for row in found["role"]:
            await roles.update(caller, role=row["name"], changes=RoleChanges(is_active=False))
    return [
        Item(noun=noun, name=row["name"], outcome=outcome, version=row["version"])
        for noun, rows in found.items()
        for row in rows
    ]


def _refuse_needed(found: Mapping[Noun, list[dict[str, Any]]], documents: Mapping[str, Document]) -> None:
    gone = {noun: {row["name"] for row in rows} for noun, rows in found.items()}
    for name, document in documents.items():
        needed: dict[Noun, set[str]] = {
            "role": {step.role_name for step in all_steps(document) if step.role_name is not None},
            "orchestration": {name_in(call) for call in called(document)},
        }
        for noun, names in needed.items():
            if lost := sorted(names & gone[noun]):
                message = f"{name!r} needs the {noun} {lost[0]!r}, which is not there and would be switched off"
                raise Invalid(f"{message}; add it, or leave what is missing as it is")
