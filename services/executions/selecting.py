"""Which executions somebody means: a filter, and what matches it, a batch at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from services import connections, orchestrations, roles
from services.errors import Invalid, NotFound
from services.executions.records import Status
from services.listing import Instant, OrchestrationReference, RoleReference
from services.paging import Condition, those_given, where
from services.roles import ToolName
from services.tools import registry

BATCH = 1_000
_FIRST = UUID(int=0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One range of the index of statuses for each. With `status =` the planner would be free to walk over all of history by
# id, because it takes the few that are open for many.
_BATCH = """
SELECT found.id FROM unnest($1::text[]) AS wanted (status) CROSS JOIN LATERAL (
  SELECT execution.id FROM execution
  WHERE (execution.status, execution.id) > (wanted.status, $2)
    AND (execution.status, execution.id) <= (wanted.status, $3) AND {where}
  ORDER BY execution.status, execution.id LIMIT $4
) AS found ORDER BY found.id LIMIT $4"""


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which executions are meant: those to which all that is given applies.

    `version` is a number and counts within `orchestration`. An execution uses a `role` when a step of its version names
    it or its start assigned it; it uses a `tool` when a step calls it, or when an agent or a role that it keeps to may.
    `startedAfter` includes its instant and `startedBefore` does not. `all` means every execution, and stands alone.
    """

    orchestration: OrchestrationReference | None = None
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    role: RoleReference | None = None
    tool: ToolName | None = None
    status: Status | None = None
    started_by: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    started_before: Instant | None = None
    started_after: Instant | None = None
    ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=1_000)] | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The executions with one of these statuses that fulfil every condition."""

    statuses: Sequence[Status]
    conditions: Sequence[Condition]


async def selection_of(filter: ExecutionFilter, among: Sequence[Status]) -> Selection:
    """What `filter` means among the executions with one of these statuses.

    Raises:
        Invalid: it says nothing, says `all` and something else, or wants another status.
        NotFound: there is no such orchestration, version, role or tool.
    """
    is_empty = filter == ExecutionFilter(all=filter.all)
    if is_empty and not filter.all:
        raise Invalid("the filter says nothing of which executions are meant; give a field of it, or `all: true`")
    if filter.all and not is_empty:
        raise Invalid("the filter says `all` and something else; leave out one or the other")
    if filter.status is not None and filter.status not in among:
        raise Invalid(f"executions that are {filter.status} are not meant here; give one of {', '.join(among)}")
    statuses = among if filter.status is None else (filter.status,)
    return Selection(statuses, await conditions_of(filter))


async def conditions_of(filter: ExecutionFilter) -> list[Condition]:
    """What `filter` asks of an execution, but for its status.

    Raises:
        Invalid: it has a version without an orchestration.
        NotFound: there is no such orchestration, version, role or tool.
    """
    found = those_given(
        {
            "execution.id = ANY({}::uuid[])": filter.ids,
            "execution.started_by ->> 'name' = {}": filter.started_by,
            "execution.id >= {}": filter.started_after and first_id_at(filter.started_after),
            "execution.id < {}": filter.started_before and first_id_at(filter.started_before),
        }
    )
    versions = await versions_of(filter.orchestration, filter.version)
    if versions is not None:
        # They are looked up first: joined, they would hide from the planner how rare they are.
        found.append(Condition("execution.version_id = ANY({}::uuid[])", (versions,)))
    if filter.role is not None:
        found.append(await _uses_role(filter.role))
    if filter.tool is not None:
        found.append(await _uses_tool(filter.tool))
    return found


async def versions_of(orchestration: str | None, number: int | None) -> list[UUID] | None:
    """The ids of all versions of an orchestration, or of the one of that number; None where none is given.

    Raises:
        Invalid: there is a number without an orchestration.
        NotFound: there is no such orchestration or version.
    """
    if orchestration is not None:
        return await orchestrations.version_ids(orchestration, number=number)
    if number is not None:
        raise Invalid("`version` counts within an orchestration; give `orchestration` too")
    return None


async def batches(selection: Selection) -> AsyncIterator[list[UUID]]:
    """The ids of the executions that match, oldest first, up to a thousand at a time; without those started since."""
    newest = await connections.pool().fetchval("SELECT id FROM execution ORDER BY id DESC LIMIT 1")
    text, values = where(selection.conditions, first=5)
    query, last = _BATCH.format(where=text), _FIRST
    while newest is not None:
        rows = await connections.pool().fetch(query, list(selection.statuses), last, newest, BATCH, *values)
        ids = [row["id"] for row in rows]
        if ids:
            yield ids
        if len(ids) < BATCH:
            return
        last = ids[-1]


def first_id_at(instant: datetime) -> UUID:
    """The least UUIDv7 of an instant, to the millisecond: every id made earlier is smaller.

    >>> first_id_at(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    UUID('00000000-03e8-0000-0000-000000000000')
    >>> first_id_at(datetime(1, 1, 1, tzinfo=UTC))
    UUID('00000000-0000-0000-0000-000000000000')
    """
    return UUID(int=max(0, (instant - _EPOCH) // timedelta(milliseconds=1)) << 80)


async def _uses_role(role: str) -> Condition:
    id = await roles.id_of(role)
    of_steps = "SELECT DISTINCT version_id FROM orchestration_step WHERE role_id = $1"
    versions = [row[0] for row in await connections.pool().fetch(of_steps, id)]
    pinned = await connections.pool().fetch("SELECT id::text FROM role_version WHERE role_id = $1", id)
    return _uses(versions, [row[0] for row in pinned])


async def _uses_tool(tool: str) -> Condition:
    named = await connections.pool().fetch(
        "SELECT config ->> 'tool' FROM orchestration_step WHERE config ? 'tool' UNION"
        " SELECT jsonb_array_elements_text(config -> 'tools') FROM orchestration_step"
        " WHERE jsonb_typeof(config -> 'tools') = 'array' UNION"
        " SELECT jsonb_array_elements_text(content -> 'tools') FROM role_version"
    )
    # What a draft says may be anything, so also nothing.
    wishes = {row[0] for row in named if row[0] is not None}
    if tool not in wishes and registry.find(tool) is None:
        raise NotFound("tool", tool, hint="no step and no role names one")
    reaching = [wish for wish in wishes if registry.reaches(wish, tool)]
    versions = await connections.pool().fetch(
        "SELECT DISTINCT version_id FROM orchestration_step"
        " WHERE config ->> 'tool' = $1 OR jsonb_typeof(config -> 'tools') = 'array' AND config -> 'tools' ?| $2",
        tool,
        reaching,
    )
    pinned = await connections.pool().fetch(
        "SELECT id::text FROM role_version WHERE content -> 'tools' ?| $1", reaching
    )
    return _uses([row[0] for row in versions], [row[0] for row in pinned])


def _uses(versions: list[UUID], role_versions: list[str]) -> Condition:
    text = (
        "(execution.version_id = ANY({}::uuid[]) OR EXISTS (SELECT FROM journal"
        " WHERE journal.execution_id = execution.id AND seq = 1 AND pins_role_version(payload, {}::text[])))"
    )
    return Condition(text, (versions, role_versions))
