"""Which executions a filter means."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.errors import Invalid, NotFound
from services.executions import ExecutionFilter, selecting
from services.executions.records import OPEN
from services.principal import SCOPES, Principal
from services.tools import registry
from services.tools.tool import ToolContext, tool

ANNA = Caller(Principal(kind="human", name="anna", scopes=SCOPES))
STEP = {"name": "A", "kind": "transform", "inputMapping": {"a": 1}}
FLOWS = {
    "plain": [STEP],
    "reads": [{"name": "A", "kind": "llm", "roleName": "Reader"}],
    "nested": [
        {"name": "L", "kind": "loop", "maxIterations": 1, "steps": [{"name": "A", "kind": "llm", "roleName": "Writer"}]}
    ],
    "calls": [{"name": "A", "kind": "tool", "tool": "files.read"}],
    "may": [{"name": "A", "kind": "agent", "roleName": "Writer", "tools": ["files.*"]}],
}


@pytest.fixture
async def started(opened: Database) -> dict[str, UUID]:
    """An execution of each flow, by its name, and `given`: of reads, whose step was given the role Other."""
    await roles.create(OPERATOR, name="Other", base_prompt="You are another.")
    for name, steps in FLOWS.items():
        await orchestrations.create(OPERATOR, document={"name": name, "steps": steps})
    found = {name: (await executions.start(OPERATOR, orchestration=name)).id for name in FLOWS}
    given = await executions.start(ANNA, orchestration="reads", role_assignments={"A": "Other"})
    return {**found, "given": given.id}


async def meant(started: dict[str, UUID], **filter: Any) -> list[str]:
    """The names of the executions that the filter means."""
    names = {id: name for name, id in started.items()}
    selection = await selecting.selection_of(ExecutionFilter(**filter), OPEN)
    return [names[id] async for batch in selecting.batches(selection) for id in batch]


async def test_a_role_is_used_where_a_step_names_it_or_a_start_assigned_it(started: dict[str, UUID]) -> None:
    assert await meant(started, role="Reader") == ["reads", "given"]
    assert await meant(started, role="Writer") == ["nested", "may"]
    assert await meant(started, role="Other") == ["given"]


async def test_a_role_is_known_by_its_id_whatever_it_is_called_now(started: dict[str, UUID], opened: Database) -> None:
    reader = await roles.get(OPERATOR, role="Reader")
    await roles.update(OPERATOR, role="Reader", changes=roles.RoleChanges(base_prompt="Read closely."))
    await opened.pool.execute("UPDATE role SET name = 'Renamed' WHERE name = 'Reader'")

    assert await meant(started, role="Renamed") == await meant(started, role=str(reader.id)) == ["reads", "given"]


async def test_a_tool_is_used_where_it_is_called_or_an_agent_or_a_pinned_role_may(
    started: dict[str, UUID], opened: Database
) -> None:
    before = await meant(started, tool="files.read")
    await roles.update(OPERATOR, role="Reader", changes=roles.RoleChanges(tools=("files.read",)))
    after = (await executions.start(OPERATOR, orchestration="reads")).id
    await roles.update(OPERATOR, role="Reader", changes=roles.RoleChanges(tools=()))

    assert before == ["calls", "may"]
    # Those that were started before keep to the role as it was then.
    assert await meant({**started, "after": after}, tool="files.read") == ["calls", "may", "after"]


async def test_a_tool_that_is_not_installed_any_more_is_found_by_what_names_it(
    started: dict[str, UUID], opened: Database
) -> None:
    @tool("gone.away")
    async def gone(context: ToolContext) -> None:
        """It was here."""

    registry.register(gone)
    document = {"name": "old", "steps": [{"name": "A", "kind": "tool", "tool": "gone.away"}]}
    await orchestrations.create(OPERATOR, document=document)
    old = (await executions.start(OPERATOR, orchestration="old")).id
    del registry._tools["gone.away"]

    assert await meant({**started, "old": old}, tool="gone.away") == ["old"]


async def test_versions_statuses_starters_times_and_ids_narrow(started: dict[str, UUID], opened: Database) -> None:
    await orchestrations.update(OPERATOR, orchestration="plain", changes={"tags": ["new"]})
    newer = {**started, "newer": (await executions.start(OPERATOR, orchestration="plain")).id}
    await opened.pool.execute(
        "UPDATE execution SET status = 'paused', available_at = NULL WHERE id = $1", started["calls"]
    )
    now = datetime.now(UTC)

    assert await meant(newer, orchestration="plain") == ["plain", "newer"]
    assert await meant(newer, orchestration="plain", version=2) == ["newer"]
    assert await meant(newer, status="paused") == ["calls"]
    assert await meant(newer, started_by="anna") == ["given"]
    assert await meant(newer, started_by="anna", orchestration="plain") == []
    assert await meant(newer, started_before=now - timedelta(hours=1)) == []
    assert await meant(newer, started_after=now - timedelta(hours=1)) == list(newer)
    assert await meant(newer, started_after=datetime.min.replace(tzinfo=UTC)) == list(newer)
    assert await meant(newer, started_after=datetime.max.replace(tzinfo=UTC)) == []
    assert await meant(newer, ids=(started["may"], started["reads"], uuid4())) == ["reads", "may"]
    assert await meant(newer, ids=()) == []
    assert await meant(newer, all=True) == list(newer)


async def test_an_execution_starts_after_its_instant_and_not_before_it(started: dict[str, UUID]) -> None:
    # The first 48 bits of an id are its milliseconds.
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=started["reads"].int >> 80)

    assert "reads" in await meant(started, started_after=at)
    assert "reads" not in await meant(started, started_before=at)
    assert "reads" in await meant(started, started_before=at + timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({}, "the filter says nothing of which executions are meant; give a field of it, or `all: true`"),
        ({"all": True, "status": "queued"}, "the filter says `all` and something else; leave out one or the other"),
        ({"version": 1}, "`version` counts within an orchestration; give `orchestration` too"),
        (
            {"status": "failed"},
            "executions that are failed are not meant here; give one of queued, running, waiting, paused, cancelling",
        ),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(filter: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await selecting.selection_of(ExecutionFilter(**filter), OPEN)

    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"role": "Raeder"}, "there is no role 'Raeder'"),
        ({"tool": "files.raed"}, "there is no tool 'files.raed'; no step and no role names one"),
        ({"orchestration": "plane"}, "there is no orchestration 'plane'"),
        ({"orchestration": "plain", "version": 7}, "there is no version 7; of orchestration 'plain'"),
    ],
)
async def test_what_is_misspelled_is_not_taken_for_nothing(
    started: dict[str, UUID], filter: dict[str, Any], message: str
) -> None:
    with pytest.raises(NotFound) as refusal:
        await selecting.selection_of(ExecutionFilter(**filter), OPEN)

    assert str(refusal.value).startswith(message)


async def test_a_first_event_that_cannot_be_read_hides_no_other(started: dict[str, UUID], opened: Database) -> None:
    await opened.pool.execute(
        "WITH typed AS (INSERT INTO execution (id, version_id, input, started_by) SELECT gen_random_uuid(), version_id,"
        " input, started_by FROM execution LIMIT 1 RETURNING id) INSERT INTO journal (execution_id, seq, kind, payload)"
        """ SELECT id, 1, 'execution_started', '{"roles": ' FROM typed"""
    )

    assert await meant(started, role="Other") == ["given"]


@pytest.mark.parametrize(
    "event",
    ['{"roles": [1]}', '{"roleAssignments": 7}', '{"roles": {"a": null}}', '{"roles": {"a": 1e999999}}', '"roles"', ""],
)
async def test_whatever_stands_in_a_first_event_pins_no_role(opened: Database, event: str) -> None:
    assert not await opened.pool.fetchval("SELECT pins_role_version($1, ARRAY['x'])", event)


async def test_more_than_a_batch_comes_in_the_order_of_starts(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document={"name": "plain", "steps": [STEP]})
    await opened.pool.execute(
        "INSERT INTO execution (id, version_id, input, started_by)"
        """ SELECT lpad(to_hex(n), 32, '0')::uuid, active_version_id, '{}', '{"kind": "human", "name": "anna"}'"""
        " FROM orchestration, generate_series(1, 2500) AS n"
    )
    await opened.pool.execute(
        "UPDATE execution SET status = 'paused', available_at = NULL WHERE id < lpad(to_hex(700), 32, '0')::uuid"
    )

    selection = await selecting.selection_of(ExecutionFilter(all=True), OPEN)
    found = [[id.int for id in batch] async for batch in selecting.batches(selection)]

    assert found == [list(range(1, 1001)), list(range(1001, 2001)), list(range(2001, 2501))]


async def test_a_list_is_narrowed_in_the_same_way(started: dict[str, UUID]) -> None:
    async def listed(**filter: Any) -> set[UUID]:
        return {found.id for found in (await executions.list_(OPERATOR, **filter)).items}

    assert await listed(role="Reader") == {started["reads"], started["given"]}
    assert await listed(tool="files.read", status="queued") == {started["calls"], started["may"]}
    assert await listed(role="Reader", started_by="anna", limit=1) == {started["given"]}
    assert await listed(started_before=datetime.now(UTC) - timedelta(hours=1)) == set()
    assert await listed(started_after=datetime.now(UTC) - timedelta(hours=1), before=started["reads"]) == {
        started["plain"]
    }
