"""Publication as SQL asks for it: an admin writes `publishing` into a row, and a server answers there."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from db.connection import Database, connect
from services import health, orchestrations, roles
from services.caller import OPERATOR
from services.errors import Conflict
from services.json import JsonObject
from services.models.catalog import Models
from services.orchestrations import publication_requests
from services.roles import RoleChanges

FLOW: JsonObject = {
    "name": "flow",
    "input": {"type": "object", "properties": {"topic": {"type": "string"}}},
    "steps": [{"name": "A", "kind": "llm", "roleName": "Reader"}],
}
ASK = "UPDATE orchestration_version SET status = 'publishing' WHERE number = $1"
MODELS = Models.from_environment({"ROLECALL_MODEL": "offline"})
ROW = "SELECT * FROM orchestration_version WHERE number = $1"


@pytest.fixture(autouse=True)
async def flow(opened: Database) -> None:
    """An orchestration at version 1, with a draft 2."""
    await orchestrations.create(OPERATOR, document=FLOW)
    await draft(description="another")


async def draft(number: int | None = None, **changes: Any) -> int:
    document = {**FLOW, **changes}
    return (await orchestrations.draft(OPERATOR, orchestration="flow", number=number, document=document)).number


async def row(database: Database, number: int = 2) -> asyncpg.Record:
    found = await database.pool.fetchrow(ROW, number)
    assert found is not None
    return found


async def test_a_draft_that_is_to_be_published_is_published_for_who_asked(opened: Database) -> None:
    await opened.pool.execute(ASK, 2)
    answered = await publication_requests()()
    after = await row(opened)
    user = await opened.pool.fetchval("SELECT session_user")
    now = await orchestrations.get(OPERATOR, orchestration="flow")

    assert answered == 1
    assert (after["status"], after["decided_by"], after["problems"]) == ("published", user, "[]")
    assert (after["digest"], after["max_step_runs"]) == (now.digest, 1)
    assert (now.version, now.description) == (2, "another")


async def test_it_is_the_same_as_publishing_by_a_call(opened: Database) -> None:
    await opened.pool.execute(ASK, 2)
    await publication_requests()()
    await draft(description="another")
    await orchestrations.publish(OPERATOR, orchestration="flow", number=3)
    asked, called = await row(opened, 2), await row(opened, 3)
    own = {"id", "number", "created_at", "published_at", "decided_by", "requested_by", "requested_at", "requested_from"}

    assert {key: value for key, value in asked.items() if key not in own} == {
        key: value for key, value in called.items() if key not in own
    }


async def test_without_activation_it_is_published_and_no_more(opened: Database) -> None:
    await opened.pool.execute(
        "UPDATE orchestration_version SET status = 'publishing', activates = false WHERE number = 2"
    )
    await publication_requests()()

    assert (await row(opened))["status"] == "published"
    assert (await orchestrations.get(OPERATOR, orchestration="flow")).version == 1


async def test_a_draft_with_problems_goes_back_and_keeps_them(opened: Database) -> None:
    await draft(2, steps=[{"name": "A", "kind": "llm", "roleName": "Raeder"}])
    await opened.pool.execute(ASK, 2)
    await publication_requests()()
    after = await row(opened)
    (problem,) = msgspec.json.decode(after["problems"])

    assert (after["status"], after["digest"], after["published_at"]) == ("draft", None, None)
    assert (problem["code"], problem["path"], problem["suggestion"]) == ("UNKNOWN_ROLE", "/steps/0/roleName", "Reader")


async def test_mended_with_sql_it_is_published_with_the_role_it_names_now(opened: Database) -> None:
    await draft(2, steps=[{"name": "A", "kind": "llm", "roleName": "Raeder"}])
    await opened.pool.execute(ASK, 2)
    await publication_requests()()
    await opened.pool.execute("UPDATE orchestration_step SET role_name = 'Writer' WHERE role_name = 'Raeder'")
    await opened.pool.execute(ASK, 2)
    await publication_requests()()
    after = await row(opened)
    resolved = "SELECT role.name FROM orchestration_step JOIN role ON role.id = role_id WHERE version_id = $1"

    assert (after["status"], after["problems"]) == ("published", "[]")
    assert await opened.pool.fetchval(resolved, after["id"]) == "Writer"


async def test_a_proposal_with_problems_stays_a_proposal(opened: Database) -> None:
    proposed = await orchestrations.propose(OPERATOR, orchestration="flow", document={**FLOW, "description": "x"})
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(is_active=False))
    await opened.pool.execute(ASK, proposed.number)
    await publication_requests()()
    after = await row(opened, proposed.number)

    assert (after["status"], [it["code"] for it in msgspec.json.decode(after["problems"])]) == (
        "proposed", ["UNKNOWN_ROLE"]
    )  # fmt: skip


async def test_a_proposal_is_published_with_the_roles_it_was_proposed_with(opened: Database) -> None:
    proposed = await orchestrations.propose(OPERATOR, orchestration="flow", document={**FLOW, "description": "x"})
    other = await orchestrations.propose(OPERATOR, orchestration="flow", document={**FLOW, "description": "y"})
    await opened.pool.execute(ASK, proposed.number)
    await publication_requests()()
    await opened.pool.execute("UPDATE role SET name = CASE name WHEN 'Reader' THEN 'R2' ELSE name END")
    await opened.pool.execute("UPDATE role SET name = 'Reader' WHERE name = 'Writer'")
    await opened.pool.execute(ASK, other.number)
    await publication_requests()()
    after = await row(opened, other.number)

    assert (await row(opened, proposed.number))["status"] == "published"
    assert (after["status"], msgspec.json.decode(after["problems"])[0]["code"]) == ("proposed", "CONFLICT")


async def test_what_breaks_callers_is_published_only_when_the_row_allows_it(opened: Database) -> None:
    await draft(2, input={"type": "object", "required": ["topic"]})
    await opened.pool.execute(ASK, 2)
    await publication_requests()()
    refused = await row(opened)
    await opened.pool.execute(
        "UPDATE orchestration_version SET status = 'publishing', allows_breaking = true WHERE number = 2"
    )
    await publication_requests()()
    allowed = await row(opened)

    assert refused["status"] == "draft"
    assert "if it may, set allows_breaking" in msgspec.json.decode(refused["problems"])[0]["message"]
    assert (allowed["status"], allowed["major"]) == ("published", 2)


async def test_a_name_that_is_taken_is_a_problem_of_the_row(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document={**FLOW, "name": "taken"})
    await draft(2, name="taken")
    await opened.pool.execute("UPDATE orchestration_version SET status = 'publishing' WHERE number = 2")
    await publication_requests()()
    after = await row(opened)

    assert (after["status"], msgspec.json.decode(after["problems"])[0]["code"]) == ("draft", "CONFLICT")


DRAFT = "(SELECT id FROM orchestration_version WHERE number = 2)"
UNREADABLE = {
    "no document": """UPDATE orchestration_version SET document = '{"name": 7}' WHERE number = 2""",
    "too deep": "UPDATE orchestration_version SET document = "
    """('{"name": "flow", "input": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb WHERE number = 2""",
    "too large a number": "UPDATE orchestration_version SET document = "
    """'{"name": "flow", "input": {"const": 1e9000}}' WHERE number = 2""",
    "no such field": f"""UPDATE orchestration_step SET config = '{{"maxTurns": "many"}}' WHERE version_id = {DRAFT}""",
}


@pytest.mark.parametrize("edit", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_rows_that_cannot_be_read_are_told_so_and_hold_up_nothing(opened: Database, edit: str) -> None:
    await draft(description="a third")
    # Rows from elsewhere, a copy of another database say, need not have gone by the rules of this one.
    await opened.pool.execute(
        "ALTER TABLE orchestration_version DROP CONSTRAINT orchestration_version__document_is_readable;"
        "DROP TRIGGER orchestration_version__with_hints ON orchestration_version"
    )
    await opened.pool.execute(edit)
    await opened.pool.execute("UPDATE orchestration_version SET status = 'publishing' WHERE number > 1")
    handler = publication_requests()
    while await handler():
        pass
    told = await row(opened)

    assert (await row(opened, 3))["status"] == "published"
    assert told["status"] == "draft"
    assert msgspec.json.decode(told["problems"])


async def test_what_somebody_holds_is_left_to_them(opened: Database) -> None:
    handler = publication_requests()
    await opened.pool.execute(ASK, 2)
    other = await connect(opened.url)
    held = other.transaction()
    await held.start()
    await other.execute("SELECT FROM orchestration FOR NO KEY UPDATE")
    async with asyncio.timeout(5):
        while_held = await handler()
    await held.rollback()
    await other.close()
    fresh = await publication_requests()()

    assert (while_held, fresh) == (0, 1)


async def test_of_many_servers_one_answers(opened: Database) -> None:
    for _ in range(5):
        await draft(description="more")
    await opened.pool.execute(
        "UPDATE orchestration_version SET status = 'publishing', activates = false WHERE number > 1"
    )

    async def serve() -> int:
        handler, answered = publication_requests(), 0
        async with asyncio.timeout(20):
            while await opened.pool.fetchval("SELECT count(*) FROM row_request"):
                answered += await handler()
        return answered

    answers = await asyncio.gather(*(serve() for _ in range(4)))
    statuses = await opened.pool.fetch("SELECT status FROM orchestration_version WHERE number > 1")

    assert sum(answers) == 6
    assert [status for (status,) in statuses] == ["published"] * 6


async def test_a_request_that_is_withdrawn_meanwhile_is_not_answered(opened: Database) -> None:
    handler = publication_requests()
    await opened.pool.execute(ASK, 2)
    withdrawing = await connect(opened.url)
    started = withdrawing.transaction()
    await started.start()
    await withdrawing.execute("UPDATE orchestration_version SET status = 'draft' WHERE number = 2")
    answered = await handler()
    await started.commit()
    await withdrawing.close()

    assert (answered, await handler(), (await row(opened))["status"]) == (0, 0, "draft")


async def test_calls_leave_alone_what_waits_to_be_published(opened: Database) -> None:
    await opened.pool.execute(ASK, 2)

    for call in (orchestrations.publish, orchestrations.discard, orchestrations.reject):
        with pytest.raises(Conflict) as refusal:
            await call(OPERATOR, orchestration="flow", number=2)
        assert "is publishing" in str(refusal.value)


@pytest.mark.parametrize("by", ["a call", "a request"])
async def test_an_edit_that_is_under_way_is_waited_for_and_published_too(opened: Database, by: str) -> None:
    editor = await connect(opened.url)
    edit = editor.transaction()
    await edit.start()
    await editor.execute(f"UPDATE orchestration_step SET max_retries = 7 WHERE version_id = {DRAFT}")
    if by == "a call":
        publishing = asyncio.create_task(orchestrations.publish(OPERATOR, orchestration="flow", number=2))
    else:
        publishing = asyncio.create_task(opened.pool.execute(ASK, 2))
    await _until_it_waits(opened)
    await edit.commit()
    await editor.close()
    await publishing
    await publication_requests()()
    version = (await orchestrations.get(OPERATOR, orchestration="flow")).version_id

    assert (await orchestrations.published_document(version)).steps[0].max_retries == 7


async def test_a_server_that_dies_in_the_middle_leaves_the_request_to_another(opened: Database) -> None:
    calling = [{"name": "Call", "kind": "orchestration", "orchestration": "flow"}]
    await orchestrations.create(OPERATOR, document={**FLOW, "name": "other"})
    await orchestrations.draft(OPERATOR, orchestration="other", document={"name": "other", "steps": calling})
    gate = await connect(opened.url)
    # Under which those that call others are published.
    await gate.execute("SELECT pg_advisory_lock(hashtext('orchestration_version.publish'))")
    await opened.pool.execute(f"{ASK} AND document ->> 'name' = 'other'", 2)
    dying = asyncio.create_task(publication_requests()())
    await _until_it_waits(opened)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    left = await opened.pool.fetchrow(
        "SELECT status, digest, problems FROM orchestration_version WHERE requested_at IS NOT NULL"
    )
    await gate.close()
    answered = await publication_requests()()

    assert left is not None
    assert tuple(left) == ("publishing", None, "[]")
    assert answered == 1
    assert (await orchestrations.get(OPERATOR, orchestration="other")).version == 2


async def test_what_nobody_has_answered_for_long_makes_health_degraded(opened: Database) -> None:
    await opened.pool.execute(ASK, 2)
    before = await health.check(MODELS, None)
    await opened.pool.execute(
        "ALTER TABLE orchestration_version DISABLE TRIGGER USER;"
        "UPDATE orchestration_version SET requested_at = now() - interval '31 seconds' WHERE status = 'publishing'"
    )
    after = await health.check(MODELS, None)

    assert (before.unanswered, after.unanswered) == (0, 1)
    assert [it for it in after.problems if it not in before.problems] == [
        "What rows ask for, such as a publication, has waited for more than 30 seconds. The view row_request shows it; "
        "look into the logs of the servers, and for transactions that hold its rows."
    ]


async def _until_it_waits(database: Database) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while not await database.pool.fetch(waiting):
            pass
