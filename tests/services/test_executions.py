"""Starting executions: inputs, keys, pinned roles and refusals."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.engine import journal
from services.engine.core.events import Assigned, ExecutionStarted
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.failure import Failure
from services.principal import SCOPES, Principal
from tests.role_versions import newest_version
from tests.services.test_orchestrations import FLOW

ENDED = """
WITH ended AS (UPDATE execution SET status = 'failed', error = $2::text::jsonb, available_at = NULL, finished_at = now()
  WHERE id = $1 RETURNING id)
INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'execution_failed',
  '{"event": "execution_failed", "failure": {"code": "X", "message": "", "retryable": false}}' FROM ended
"""


@pytest.fixture(autouse=True)
async def flow(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document=FLOW)


async def test_a_start_fills_in_defaults_and_pins_the_roles(opened: Database) -> None:
    newest = await newest_version("Reader")

    started = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})

    assert (started.status, started.input, started.started_by) == ("queued", {"topic": "x", "n": 3}, "operator")
    (event,) = (await journal.load(opened.pool, [started.id]))[started.id].events
    assert isinstance(event, ExecutionStarted)
    assert event.roles["Reader"] == newest


async def test_a_step_is_given_another_role_and_the_others_keep_theirs(opened: Database) -> None:
    await roles.create(OPERATOR, name="Other", base_prompt="You are another.")
    step = FLOW["steps"][0]["name"]

    started = await executions.start(
        OPERATOR, orchestration="flow", input={"topic": "x"}, role_assignments={step: "Other"}
    )

    (event,) = (await journal.load(opened.pool, [started.id]))[started.id].events
    assert isinstance(event, ExecutionStarted)
    assert event.roles == {name: await newest_version(name) for name in ("Reader", "Writer")}
    assert event.role_assignments == {step: Assigned("Other", await newest_version("Other"))}
    logs = await executions.steps(OPERATOR, execution=started.id)
    assert {log.name: log.role for log in logs if log.role}[step] == "Other"


async def test_roles_are_assigned_only_to_steps_that_take_one(opened: Database) -> None:
    with pytest.raises(Invalid) as refusal:
        await executions.start(
            OPERATOR, orchestration="flow", input={"topic": "x"}, role_assignments={"Reed": "Reader", "Read": "Nobody"}
        )

    assert {(problem.code, problem.path) for problem in refusal.value.problems} >= {
        ("UNKNOWN_STEP", "/roleAssignments/Reed"),
        ("UNKNOWN_ROLE", "/roleAssignments/Read"),
    }


async def test_an_input_that_does_not_fit_is_refused_at_its_place() -> None:
    with pytest.raises(Invalid) as refusal:
        await executions.start(OPERATOR, orchestration="flow", input={"topic": 3})

    assert [(problem.code, problem.path) for problem in refusal.value.problems] == [("SCHEMA_MISMATCH", "/input/topic")]


async def test_the_same_key_starts_once_also_at_the_same_time() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, idempotency_key="k")
            )
            for _ in range(8)
        ]

    assert len({task.result().id for task in tasks}) == 1
    with pytest.raises(Conflict, match="idempotency key 'k' was used for another request"):
        await executions.start(OPERATOR, orchestration="flow", input={"topic": "y"}, idempotency_key="k")


async def test_keys_of_different_callers_do_not_meet() -> None:
    other = Caller(Principal(kind="service", name="other", scopes=SCOPES))

    first = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, idempotency_key="k")
    second = await executions.start(other, orchestration="flow", input={"topic": "x"}, idempotency_key="k")

    assert first.id != second.id


async def test_an_inactive_orchestration_does_not_start() -> None:
    await orchestrations.update(OPERATOR, orchestration="flow", is_active=False)

    with pytest.raises(Conflict, match="orchestration 'flow' is inactive; this needs an active one"):
        await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})


async def test_lists_are_newest_first_filtered_and_paged() -> None:
    ids = [(await executions.start(OPERATOR, orchestration="flow", input={"topic": str(n)})).id for n in range(3)]

    newest = (await executions.list_(OPERATOR, orchestration="flow", status="queued", limit=2)).items

    assert [found.id for found in newest] == [ids[2], ids[1]]
    assert [found.id for found in (await executions.list_(OPERATOR, before=ids[1])).items] == [ids[0]]
    assert (await executions.list_(OPERATOR, status="failed")).items == []


@pytest.mark.parametrize("error", ['{"oops": 1}', '"by hand"', "[]"])
async def test_whatever_somebody_has_ended_one_with_it_is_shown(opened: Database, error: str) -> None:
    ended = await executions.start(OPERATOR, orchestration="flow", input={"topic": "tea"})
    await opened.pool.execute(ENDED, ended.id, error)

    (listed,) = (await executions.list_(OPERATOR)).items
    found = await executions.get(OPERATOR, execution=ended.id)

    assert (listed.id, listed.status) == (ended.id, "failed")
    assert listed.error == found.error == Failure(code="INTERNAL", message=f"its row says {error}", retryable=False)


async def test_what_is_not_there_is_not_found() -> None:
    for ask in (executions.get, executions.steps, executions.cancel):
        with pytest.raises(NotFound, match="there is no execution"):
            await ask(OPERATOR, execution=uuid4())
    with pytest.raises(NotFound):
        await executions.start(OPERATOR, orchestration="nothing")


async def test_who_lacks_the_scope_is_refused() -> None:
    guest = Caller(Principal(kind="human", name="guest"))

    with pytest.raises(Forbidden, match=r"holds no scope; this needs executions\.run"):
        await executions.start(guest, orchestration="flow", input={"topic": "x"})


async def test_a_key_gives_back_its_execution_whatever_has_changed_since() -> None:
    first = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, idempotency_key="k")
    stricter = {"type": "object", "required": ["topic", "more"], "properties": {"n": {"default": 9}}}
    await orchestrations.update(
        OPERATOR, orchestration="flow", changes={"input": stricter}, is_active=False, breaking=True
    )

    again = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, idempotency_key="k")

    assert again.id == first.id


async def test_an_input_with_very_many_faults_is_refused_with_some_of_them() -> None:
    schema = {"type": "object", "properties": {"list": {"items": {"type": "string"}}}}
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"input": schema}, breaking=True)

    with pytest.raises(Invalid) as refusal:
        await executions.start(OPERATOR, orchestration="flow", input={"list": list(range(10_000))})

    assert len(refusal.value.problems) == 50


async def test_a_start_is_put_off_by_a_delay_or_to_an_instant(opened: Database) -> None:
    now = await opened.pool.fetchval("SELECT clock_timestamp()")
    at = now + timedelta(days=364)

    by_delay = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, delay_ms=90_000)
    by_instant = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, start_at=at, priority=-3)
    at_once = await executions.start(
        OPERATOR,
        orchestration="flow",
        input={"topic": "x"},
        start_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))),
    )

    assert by_delay.available_at is not None
    assert at_once.available_at is not None
    assert timedelta(seconds=90) <= by_delay.available_at - now < timedelta(seconds=150)
    assert (by_instant.available_at, by_instant.priority, by_instant.status) == (at, -3, "queued")
    assert now <= at_once.available_at < now + timedelta(seconds=60)
    assert by_instant in (await executions.list_(OPERATOR)).items


@pytest.mark.parametrize("at", [timedelta(days=367), datetime.max.replace(tzinfo=UTC)])
async def test_a_start_is_at_most_a_year_ahead(at: timedelta | datetime) -> None:
    start_at = datetime.now(UTC) + at if isinstance(at, timedelta) else at
    with pytest.raises(Invalid) as refusal:
        await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"}, start_at=start_at)

    message = "it is more than a year ahead; start the execution within a year"
    assert [(it.path, it.message) for it in refusal.value.problems] == [("/startAt", message)]
    assert (await executions.list_(OPERATOR)).items == []


async def test_a_start_is_said_in_one_way() -> None:
    with pytest.raises(Invalid, match="an execution starts at `startAt` or after `delayMs`; give one of them"):
        await executions.start(
            OPERATOR, orchestration="flow", input={"topic": "x"}, start_at=datetime.now(UTC), delay_ms=1
        )


async def test_a_key_is_for_one_priority_and_one_start() -> None:
    at = datetime(2001, 1, 1, tzinfo=UTC)
    asked = {"orchestration": "flow", "input": {"topic": "x"}, "idempotency_key": "k"}
    first = await executions.start(OPERATOR, **asked, start_at=at, priority=5)

    elsewhere = at.astimezone(timezone(timedelta(hours=-5)))
    again = await executions.start(OPERATOR, **asked, start_at=elsewhere, priority=5)

    assert again.id == first.id
    for other in ({"priority": 4, "start_at": at}, {"priority": 5, "delay_ms": 5}, {"priority": 5}):
        with pytest.raises(Conflict, match="was used for another request"):
            await executions.start(OPERATOR, **asked, **other)
