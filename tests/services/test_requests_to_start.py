"""Requests to start, as servers answer them: in the name of who asked, once, and with problems where none can start."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from db.connection import Database
from services import executions, orchestrations
from services.caller import OPERATOR
from services.executions import requesting

DOCUMENT = {
    "name": "brief",
    "input": {"type": "object", "properties": {"topic": {"type": "string", "default": "tea"}}},
    "steps": [{"name": "Quote", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}}],
}
ANSWER = "SELECT answered_at IS NOT NULL, execution_id, problems::text FROM execution_request WHERE id = $1"


@pytest.fixture(autouse=True)
async def published(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document=DOCUMENT)


async def test_what_is_asked_for_is_started_in_the_name_of_who_asks(opened: Database) -> None:
    id = await _asked(opened, "'brief', '{\"topic\": \"coffee\"}'")

    assert await requesting._pending([]) == [id]
    assert await requesting._pending([id]) == []
    assert await requesting._answer(id)

    user = await opened.pool.fetchval("SELECT session_user")
    started = await executions.get(OPERATOR, execution=id)
    assert (started.id, started.orchestration, started.started_by) == (id, "brief", user)
    assert started.input == {"topic": "coffee"}
    assert await _answer(opened, id) == (True, id, [])
    assert await _status(opened, id) == "queued"
    assert await requesting._pending([]) == []
    assert not await requesting._answer(id)


async def test_the_inputs_defaults_are_filled_in(opened: Database) -> None:
    id = await _asked(opened, "'brief'")

    await requesting._answer(id)

    assert (await executions.get(OPERATOR, execution=id)).input == {"topic": "tea"}


@pytest.mark.parametrize(
    ("input", "code", "path", "said"),
    [
        ("'{\"topic\": 7}'", "SCHEMA_MISMATCH", "/input/topic", "string"),
        ("'[]'", "SCHEMA_MISMATCH", "/input", "object"),
        ("('{\"n\": 1' || repeat('0', 400) || '.5}')::jsonb", "INVALID", "", "the input cannot be read"),
    ],
)
async def test_what_cannot_start_says_why(opened: Database, input: str, code: str, path: str, said: str) -> None:
    id = await _asked(opened, f"'brief', {input}, 'mine'")

    assert await requesting._answer(id)

    is_answered, execution, [problem] = await _answer(opened, id)
    assert (is_answered, execution) == (True, None)
    assert (problem["code"], problem["path"]) == (code, path)
    assert said in problem["message"]
    assert await _status(opened, id) == "refused"
    # A refusal keeps nothing: what was in the way is mended, and the key is free.
    assert await _asked(opened, "'brief', '{}', 'mine'") != id


async def test_what_is_switched_off_meanwhile_is_refused(opened: Database) -> None:
    id = await _asked(opened, "'brief'")
    await orchestrations.update(OPERATOR, orchestration="brief", is_active=False)

    await requesting._answer(id)

    _, _, [problem] = await _answer(opened, id)
    assert problem["code"] == "CONFLICT"
    assert "isActive: true" in problem["message"]


async def test_of_servers_that_answer_at_once_one_starts_it(opened: Database) -> None:
    ids = [await _asked(opened, "'brief'") for _ in range(5)]

    await asyncio.gather(*(requesting._answer(id) for id in ids * 4))

    started = (await executions.list_(OPERATOR, orchestration="brief")).items
    assert {one.id for one in started} == set(ids)
    assert [await _answer(opened, id) for id in ids] == [(True, id, []) for id in ids]


async def test_what_a_server_had_started_when_it_died_is_not_started_again(opened: Database) -> None:
    id = await _asked(opened, "'brief'")
    await executions.start(OPERATOR, orchestration="brief", id=id)
    await executions.start(OPERATOR, orchestration="brief", id=id)
    await orchestrations.update(OPERATOR, orchestration="brief", is_active=False)

    assert await requesting._answer(id)

    assert await _answer(opened, id) == (True, id, [])
    assert len((await executions.list_(OPERATOR, orchestration="brief")).items) == 1


async def test_a_key_that_has_started_something_gives_that(opened: Database) -> None:
    first = await _asked(opened, "'brief', '{}', 'mine'")
    await requesting._answer(first)
    await opened.pool.execute("DELETE FROM execution_request")

    again = await _asked(opened, "'brief', '{}', 'mine'")
    await requesting._answer(again)

    assert await _answer(opened, again) == (True, first, [])
    assert await _asked(opened, "'brief', '{}', 'mine'") == first
    assert await _status(opened, again) == "queued"


async def test_a_withdrawn_request_is_answered_by_nobody(opened: Database) -> None:
    id = await _asked(opened, "'brief'")
    await opened.pool.execute("DELETE FROM execution_request WHERE id = $1", id)

    assert not await requesting._answer(id)
    assert await requesting._pending([]) == []


async def test_what_no_server_can_answer_says_so(opened: Database) -> None:
    id = await _asked(opened, "'brief'")

    await requesting._give_up(id)

    _, _, [problem] = await _answer(opened, id)
    assert problem["code"] == "INTERNAL"


async def _asked(database: Database, arguments: str) -> UUID:
    return await database.pool.fetchval(f"SELECT rolecall.run({arguments})")


async def _answer(database: Database, id: UUID) -> tuple[bool, UUID | None, list[Any]]:
    row = await database.pool.fetchrow(ANSWER, id)
    return row[0], row[1], msgspec.json.decode(row[2])


async def _status(database: Database, id: UUID) -> str:
    return await database.pool.fetchval("SELECT status FROM rolecall.status($1)", id)
