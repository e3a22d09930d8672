"""What documents may refer to, as it is now."""

from typing import Any

from db import tables
from services import plugins, roles
from services.definitions.catalog import Callee, Catalog
from services.definitions.document import CONTROL_KINDS, Kind
from services.tools import registry

# Those that workers of every server have a performer for, a wait's timer included, and those that need none.
KINDS: frozenset[Kind] = CONTROL_KINDS | plugins.OWN_KINDS


async def current() -> Catalog:
    """The active roles, the tools of this process, what can be called of orchestrations, and what can be run."""
    return Catalog(
        roles=await roles.ids_by_name(),
        tools=frozenset(registry.for_steps()),
        tagged=registry.by_tag(),
        kinds=KINDS | plugins.performers().keys(),
        orchestrations=await _callees(),
    )


async def _callees() -> dict[str, Callee]:
    # Through Piccolo, so that what the transaction around this has made is there as well.
    rows = await tables.Orchestration.raw(
        "SELECT orchestration.name, version.number, version.id = active_version_id AS is_active, max_step_runs, calls"
        " FROM orchestration"
        " JOIN orchestration_version AS version ON version.orchestration_id = orchestration.id AND status = 'published'"
        " LEFT JOIN (SELECT version_id, array_agg(concat_ws('@', config ->> 'orchestration', config ->> 'version'))"
        " AS calls FROM orchestration_step WHERE kind = 'orchestration' GROUP BY version_id) AS step"
        " ON step.version_id = version.id WHERE active_version_id IS NOT NULL"
    )
    callees = {f"{row['name']}@{row['number']}": _callee(row) for row in rows}
    return callees | {row["name"]: _callee(row) for row in rows if row["is_active"]}


def _callee(row: dict[str, Any]) -> Callee:
    return Callee(calls=frozenset(row["calls"] or ()), max_step_runs=row["max_step_runs"])
