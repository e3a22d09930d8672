"""Publication of roles' versions as SQL asks for it: an admin writes `publishing`, and a server answers in the row."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from db.connection import Database
from services import background, roles
from services.caller import OPERATOR
from services.roles import ContentChanges, RoleChanges, publication_requests
from services.row_requests import RowRequests

ASK = "UPDATE role_version SET status = 'publishing' WHERE number = 2 AND status IN ('draft', 'proposed')"


async def drafted(**changes: Any) -> None:
    await roles.draft(OPERATOR, role="Reader", changes=ContentChanges(**changes))


async def row(opened: Database) -> asyncpg.Record:
    found = await opened.pool.fetchrow("SELECT * FROM role_version WHERE number = 2")
    assert found is not None
    return found


async def test_a_draft_that_is_to_be_published_is_published_for_who_asked(opened: Database) -> None:
    await drafted(base_prompt="Twice.")
    await opened.pool.execute(ASK)
    (waiting,) = (await roles.versions(OPERATOR, role="Reader", status="publishing")).items

    answered = await publication_requests()()

    after, now = await row(opened), await roles.get(OPERATOR, role="Reader")
    user = await opened.pool.fetchval("SELECT session_user")
    assert (waiting.number, answered) == (2, 1)
    assert (after["status"], after["decided_by"], after["problems"]) == ("published", user, "[]")
    assert (now.version, now.base_prompt) == (2, "Twice.")
    assert await publication_requests()() == 0
    told = await opened.pool.fetchrow("SELECT actor, channel FROM audit WHERE noun = 'role' ORDER BY seq DESC LIMIT 1")
    assert tuple(told) == (user, "sql")


@pytest.mark.parametrize("propose", [False, True])
async def test_what_has_problems_goes_back_and_keeps_them(opened: Database, propose: bool) -> None:
    await drafted(tools=("file.read",))
    if propose:
        await opened.pool.execute("UPDATE role_version SET status = 'proposed' WHERE number = 2")
    await opened.pool.execute(ASK)

    await publication_requests()()

    after = await row(opened)
    (problem,) = msgspec.json.decode(after["problems"])
    assert after["status"] == ("proposed" if propose else "draft")
    assert (problem["path"], problem["suggestion"]) == ("/tools/0", "files.read")
    assert (await roles.get(OPERATOR, role="Reader")).version == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"name": "Writer"}', "CONFLICT"),
        ('{"name": ""}', "REFUSED"),
        ('{"model": {"preferred": 7}}', "WRONG_VALUE"),
        ('{"output_schema": {"type": 7}}', "SCHEMA_INVALID"),
    ],
)
async def test_whatever_somebody_has_written_there_is_answered(opened: Database, content: str, code: str) -> None:
    await drafted(base_prompt="Twice.")
    await opened.pool.execute("UPDATE role_version SET content = content || $1::jsonb WHERE number = 2", content)
    await opened.pool.execute(ASK)

    assert await publication_requests()() == 1

    after = await row(opened)
    assert (after["status"], msgspec.json.decode(after["problems"])[0]["code"]) == ("draft", code)


async def test_what_is_outdated_is_not_published(opened: Database) -> None:
    await drafted(base_prompt="Twice.")
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="Thrice."))
    await opened.pool.execute(ASK)

    await publication_requests()()

    (problem,) = msgspec.json.decode((await row(opened))["problems"])
    assert problem["message"].startswith("version 2 is older than version 3, which the role is at")
    assert (await roles.get(OPERATOR, role="Reader")).base_prompt == "Thrice."


async def test_what_somebody_holds_is_not_waited_for(opened: Database) -> None:
    await drafted(base_prompt="Twice.")
    await opened.pool.execute(ASK)
    handler = publication_requests()
    async with opened.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM role WHERE name = 'Reader' FOR NO KEY UPDATE")

        assert await handler() == 0

    assert await publication_requests()() == 1


async def test_a_process_that_stays_sees_to_it(opened: Database) -> None:
    requests = RowRequests({"publication of a role": publication_requests()}, poll_seconds=0.05)
    task = asyncio.create_task(requests.run())
    await drafted(base_prompt="Twice.")
    await opened.pool.execute(ASK)
    async with asyncio.timeout(10):
        while (await row(opened))["status"] != "published":
            assert not task.done()
    await background.end(task)
