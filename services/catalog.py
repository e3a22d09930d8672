"""What documents may refer to, as it is now."""

from services import connections, roles
from services.definitions.catalog import Catalog
from services.definitions.document import CONTROL_KINDS, Kind
from services.tools import registry

# Those that workers of this server have a performer for, a wait's timer included, and those that need none.
_PERFORMED: tuple[Kind, ...] = ("agent", "llm", "tool", "wait")
KINDS: frozenset[Kind] = CONTROL_KINDS.union(_PERFORMED)


async def current() -> Catalog:
    """The active roles, the tools of this process, the orchestrations with an active version, and what can be run."""
    return Catalog(
        roles=await roles.ids_by_name(),
        tools=frozenset(registry.for_steps()),
        tagged=registry.by_tag(),
        kinds=KINDS,
        orchestrations=await _calls(),
    )


async def _calls() -> dict[str, frozenset[str]]:
    rows = await connections.pool().fetch(
        "SELECT orchestration.name, array_agg(step.config ->> 'orchestration')"
        " FILTER (WHERE step.config ? 'orchestration') AS calls FROM orchestration"
        " LEFT JOIN orchestration_step AS step"
        " ON step.version_id = orchestration.active_version_id AND step.kind = 'orchestration'"
        " WHERE orchestration.active_version_id IS NOT NULL GROUP BY orchestration.name"
    )
    return {row["name"]: frozenset(row["calls"] or ()) for row in rows}
