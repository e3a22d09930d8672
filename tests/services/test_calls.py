"""Orchestrations that call each other: never in a circle, and each counted in the bound of what calls it."""

import asyncio

import msgspec
import pytest

from db.connection import Database
from services import bundles, executions, orchestrations
from services.caller import OPERATOR
from services.definitions.document import MAX_CALLED
from services.errors import Conflict, Invalid
from services.json import Json, JsonObject

WORK: JsonObject = {
    "name": "Work",
    "kind": "tool",
    "tool": "files.read",
    "maxRetries": 2,
    "inputMapping": {"path": "a"},
}


def calling(*names: str, **fields: Json) -> list[Json]:
    return [{"name": f"Call {name}", "kind": "orchestration", "orchestration": name, **fields} for name in names]


async def test_what_is_called_counts_in_every_attempt() -> None:
    await orchestrations.create(OPERATOR, document={"name": "leaf", "steps": [WORK]})
    middle = await orchestrations.create(OPERATOR, document={"name": "middle", "steps": calling("leaf", maxRetries=1)})
    top = {"name": "top", "steps": [{"name": "L", "kind": "loop", "maxIterations": 5, "steps": calling("middle")}]}

    assert middle.max_step_runs == 2 * (1 + 3)
    assert (await orchestrations.validate(OPERATOR, document=top)).max_step_runs == 1 + 5 * (1 + 8)


async def test_what_would_run_too_much_through_its_children_is_refused() -> None:
    await orchestrations.create(OPERATOR, document={"name": "leaf", "steps": [WORK]})
    each: JsonObject = {"name": "E", "kind": "map", "items": "<<input>>", "maxItems": 3_000, "steps": calling("leaf")}

    found = await orchestrations.validate(OPERATOR, document={"name": "top", "steps": [each]})

    assert [problem.code for problem in found.problems] == ["BOUND_TOO_LARGE"]


async def test_only_a_version_that_is_there_can_be_called() -> None:
    await orchestrations.create(OPERATOR, document={"name": "leaf", "steps": [WORK]})

    first = await orchestrations.validate(OPERATOR, document={"name": "top", "steps": calling("leaf", version=1)})
    other = await orchestrations.validate(OPERATOR, document={"name": "top", "steps": calling("leaf", version=2)})

    assert first.problems == ()
    assert [(it.code, it.path) for it in other.problems] == [("UNKNOWN_ORCHESTRATION", "/steps/0/version")]


async def test_two_that_are_published_at_once_do_not_come_to_call_each_other(database: Database) -> None:
    for name in ("left", "right"):
        await orchestrations.create(OPERATOR, document={"name": name, "steps": [WORK]})

    async with database.pool.acquire() as gate:
        # Both have been checked, and wait for the lock under which they are published.
        await gate.execute("SELECT pg_advisory_lock(hashtext('orchestration_version.publish'))")
        both = [
            asyncio.create_task(orchestrations.update(OPERATOR, orchestration=one, changes={"steps": calling(other)}))
            for one, other in (("left", "right"), ("right", "left"))
        ]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
        waiting += " (SELECT oid FROM pg_database WHERE datname = current_database())"
        while await database.pool.fetchval(waiting) < 2:
            assert not any(task.done() for task in both)
        await gate.execute("SELECT pg_advisory_unlock(hashtext('orchestration_version.publish'))")
        results = await asyncio.gather(*both, return_exceptions=True)

    refused = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in refused] == [Invalid]
    assert isinstance(refused[0], Invalid)
    assert [problem.code for problem in refused[0].problems] == ["CALL_CYCLE"]


async def test_a_file_may_hold_the_caller_before_what_it_calls() -> None:
    documents = [
        {"name": "top", "steps": calling("middle")},
        {"name": "middle", "steps": calling("leaf")},
        {"name": "leaf", "steps": [WORK]},
    ]
    text = msgspec.json.encode({"rolecall": 1, "orchestrations": documents})

    loaded = await bundles.load(OPERATOR, bundles.read(text))

    assert [(it.name, it.max_step_runs) for it in loaded.orchestrations] == [("top", 5), ("middle", 4), ("leaf", 3)]


async def test_a_file_whose_documents_call_each_other_is_refused() -> None:
    documents = [{"name": "left", "steps": calling("right")}, {"name": "right", "steps": calling("left")}]

    found = await bundles.check(OPERATOR, bundles.read(msgspec.json.encode({"orchestrations": documents})))

    assert [problem.code for problem in found] == ["CALL_CYCLE", "CALL_CYCLE"]


async def test_what_an_execution_may_come_to_call_is_not_deleted() -> None:
    await orchestrations.create(OPERATOR, document={"name": "leaf", "steps": [WORK]})
    await orchestrations.create(OPERATOR, document={"name": "top", "steps": calling("leaf")})
    await executions.start(OPERATOR, orchestration="top", input={})

    with pytest.raises(Conflict, match="may be called by executions"):
        await orchestrations.delete(OPERATOR, orchestration="leaf")


async def test_what_calls_too_much_does_not_start() -> None:
    wide = [f"leaf {n}" for n in range(MAX_CALLED + 1)]
    for name in wide:
        await orchestrations.create(OPERATOR, document={"name": name, "steps": [WORK]})
    await orchestrations.create(OPERATOR, document={"name": "top", "steps": calling(*wide)})

    with pytest.raises(Conflict, match="is one of more than 100 that would be called"):
        await executions.start(OPERATOR, orchestration="top", input={})
