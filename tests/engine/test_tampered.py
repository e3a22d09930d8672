"""A version whose rows are not what was published, because their owner has changed them, is run by nobody."""

from uuid import UUID

import pytest
from asyncpg import Record

from db.connection import Database
from services import executions, orchestrations, plans
from services.caller import OPERATOR
from services.definitions import yaml12
from services.engine.core.events import ExecutionFailed, ExecutionStarted
from services.errors import Conflict
from tests.engine.conftest import Engine
from tests.engine.plans import document_of, tool

STEP = "UPDATE orchestration_step SET {} WHERE name = 'A'"
VERSION = "UPDATE orchestration_version SET {}"
TAMPERED = {
    "a step does something else": STEP.format("""config = '{"tool": "files.write"}'"""),
    "a step reads something else": STEP.format("""input_mapping = '{"path": "/etc/passwd"}'"""),
    "a step is retried": STEP.format("max_retries = 19"),
    "a step is gone": "DELETE FROM orchestration_step WHERE name = 'A'",
    "a step has come": 'INSERT INTO orchestration_step (version_id, name, "order", kind)'
    " SELECT id, 'B', 9, 'transform' FROM orchestration_version",
    "the document is another": VERSION.format("""document = document || '{"output": {"a": 1}}'"""),
    "the document is none": VERSION.format("""document = '{"name": 7}'"""),
    "the digest is another": VERSION.format("digest = 'sha256:' || repeat('0', 64)"),
}

CHILD = {"name": "child", "steps": [{"name": "A", "kind": "transform", "inputMapping": {}}]}


async def tamper(database: Database, edit: str) -> None:
    """As their owner can, behind the triggers; and as another process would find it, which has compiled nothing."""
    for table in ("orchestration_step", "orchestration_version"):
        await database.pool.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await database.pool.execute(edit)
    plans._plans.clear()


@pytest.mark.parametrize("edit", TAMPERED.values(), ids=TAMPERED.keys())
async def test_nothing_starts_from_it(engine: Engine, edit: str) -> None:
    await orchestrations.create(
        OPERATOR, document={"name": "flow", "steps": [{"name": "A", "kind": "tool", "tool": "files.read"}]}
    )
    await tamper(engine.database, edit)

    with pytest.raises(Conflict):
        await executions.start(OPERATOR, orchestration="flow")

    assert await engine.database.pool.fetchval("SELECT count(*) FROM execution") == 0


@pytest.mark.parametrize("edit", TAMPERED.values(), ids=TAMPERED.keys())
async def test_what_has_started_fails_at_once_and_for_good(engine: Engine, edit: str) -> None:
    execution = await engine.start(document_of(tool("A")))
    await tamper(engine.database, edit)
    async with engine.working(engine.worker(), engine.worker()):
        row = await ended(engine, execution)

    assert (row["status"], row["epoch"], engine.script.attempts) == ("failed", 1, [])
    assert "DEFINITION_TAMPERED" in row["error"]
    assert [type(event) for event in await engine.history(execution)] == [ExecutionStarted, ExecutionFailed]


async def test_what_has_parked_fails_when_it_is_woken_and_takes_its_children_along(engine: Engine) -> None:
    await orchestrations.create(
        OPERATOR, document={**CHILD, "steps": [{"name": "Z", "kind": "wait", "forMs": 3_600_000}]}
    )
    document = {"name": "flow", "steps": [{"name": "A", "kind": "orchestration", "orchestration": "child"}]}
    await orchestrations.create(OPERATOR, document=document)
    execution = (await executions.start(OPERATOR, orchestration="flow")).id
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
    await tamper(engine.database, STEP.format("max_retries = 1"))
    await engine.database.pool.execute(
        "INSERT INTO inbox (execution_id, kind, sender) VALUES ($1, 'pause', 'anna')", execution
    )
    async with engine.working(engine.worker()):
        row = await ended(engine, execution)
        child = await ended(engine, await engine.database.pool.fetchval("SELECT id FROM execution WHERE depth = 1"))

    assert "DEFINITION_TAMPERED" in row["error"]
    assert child["status"] == "cancelled"


async def test_a_step_that_calls_it_fails_and_the_rest_goes_on(engine: Engine) -> None:
    document = yaml12.read("""
    name: flow
    steps:
      - {name: Call, kind: orchestration, orchestration: child, onError: continue}
      - {name: After, kind: transform, inputMapping: {said: "<<steps.Call.error.code>>"}}
    output: {said: "<<context.After.said>>"}
    """)
    await orchestrations.create(OPERATOR, document=CHILD)
    await orchestrations.create(OPERATOR, document=document)
    execution = (await executions.start(OPERATOR, orchestration="flow")).id
    await tamper(engine.database, STEP.format("max_retries = 19"))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (found.status, found.output) == ("completed", {"said": "DEFINITION_TAMPERED"})


async def test_what_was_seen_to_be_right_is_not_looked_at_again(engine: Engine) -> None:
    await engine.start(document_of(tool("A")))
    version = (await orchestrations.get(OPERATOR, orchestration="flow")).version_id
    compiled = await plans.of_version(version)
    await engine.database.pool.execute("ALTER TABLE orchestration_step DISABLE TRIGGER USER")
    await engine.database.pool.execute("DELETE FROM orchestration_step")

    assert await plans.of_version(version) is compiled


async def test_numbers_that_postgres_writes_otherwise_are_no_tampering(engine: Engine) -> None:
    mapping = {"a": 1e16, "b": 1e-7, "c": -0.0, "d": 1.0, "e": 2**53 + 1, "f": 12345678901234567890, "g": 1e300}
    document = {"name": "flow", "steps": [{"name": "A", "kind": "transform", "inputMapping": mapping}]}
    await orchestrations.create(OPERATOR, document=document)
    plans._plans.clear()
    execution = (await executions.start(OPERATOR, orchestration="flow")).id
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "completed"


async def ended(engine: Engine, execution: UUID) -> Record:
    """Its row once it is over. Its steps cannot be shown, for nobody knows what they were."""
    query = "SELECT status, epoch, error::text FROM execution WHERE id = $1 AND finished_at IS NOT NULL"
    while (row := await engine.database.pool.fetchrow(query, execution)) is None:
        pass
    return row
