"""An admin with SQL edits what servers run: the next execution uses it soon, one under way keeps what it began with."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext

import pytest

from db.connection import connect
from tests.cli.processes import Rolecall, Up, until
from tests.pooler import without_notices

# The limits that the product promises.
HEARD_SECONDS, UNHEARD_SECONDS = 1.0, 10.0

ROLE = {"name": "Writer", "basePrompt": "You write."}
FLOW = {
    "name": "brief",
    "steps": [
        {"name": "Wait", "kind": "wait", "event": "go", "condition": "input.parked == true"},
        {"name": "Say", "kind": "llm", "roleName": "Writer", "prompt": "Tea is a drink. It is hot."},
        {"name": "Mark", "kind": "transform", "inputMapping": {"by": "the first"}},
    ],
    "output": {"by": "<<context.Mark.by>>"},
}
EDIT_ROLE = "UPDATE role SET base_prompt = 'You write verse.' WHERE name = 'Writer'"
EDIT_DRAFT = """
UPDATE orchestration_step SET input_mapping = '{"by": "the second"}' WHERE name = 'Mark'
  AND version_id = (SELECT id FROM orchestration_version WHERE status = 'draft');
UPDATE orchestration_version SET status = 'publishing' WHERE status = 'draft';
"""
PROMPT = """
SELECT content ->> 'base_prompt' FROM journal_event
JOIN role_version ON role_version.id = (payload -> 'roles' ->> 'Writer')::uuid
WHERE execution_id = $1 AND kind = 'execution_started'
"""


@pytest.mark.parametrize(
    ("way", "limit_seconds"),
    [(nullcontext, HEARD_SECONDS), (without_notices, UNHEARD_SECONDS)],
    ids=["heard", "not heard"],
)
def test_the_next_execution_uses_what_was_edited_and_one_that_is_parked_does_not(
    rolecall: Rolecall,
    database_url: str,
    way: Callable[[str], AbstractContextManager[str]],
    limit_seconds: float,
) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(way(database_url))
        up = stack.enter_context(rolecall.up(command="serve", ROLECALL_DATABASE_URL=url))
        stack.enter_context(rolecall.started("work", ROLECALL_DATABASE_URL=url))
        hints = until(lambda: up.query("system.health"), lambda it: it["workers"] == 1)["hints"]
        up.mutate("role.create", **ROLE)
        up.mutate("orchestration.create", document=FLOW)
        up.mutate("orchestration.draft", orchestration="brief", document=FLOW)
        parked = _start(up, parked=True)
        until(lambda: up.query("execution.get", execution=parked), lambda it: it["status"] == "waiting")

        _sql(database_url, EDIT_ROLE)
        edited = time.monotonic()
        first = up.finished(_start(up))
        _sql(database_url, EDIT_DRAFT)
        asked = time.monotonic()
        second, seconds = _first_by_the_second(up, asked)
        up.mutate("execution.signal", execution=parked, event="go")
        last = up.finished(parked)
        prompts = [_sql(database_url, PROMPT, it["id"]) for it in (first, second, last)]

    print(
        f"\nhints {hints}: a role's edit is used at once ({asked - edited:.2f} s), a publication after {seconds:.2f} s"
    )
    assert hints == ("ok" if way is nullcontext else "off")
    assert [it["output"] for it in (first, second, last)] == [
        {"by": "the first"},
        {"by": "the second"},
        {"by": "the first"},
    ]
    assert prompts == ["You write verse.", "You write verse.", "You write."]
    assert [it["version"] for it in (first, second, last)] == [1, 2, 1]
    assert seconds <= limit_seconds


def _start(up: Up, *, parked: bool = False) -> str:
    return up.mutate("execution.start", orchestration="brief", input={"parked": parked})["id"]


def _first_by_the_second(up: Up, asked: float) -> tuple[dict[str, object], float]:
    """The first execution that runs what was published, and how long after that was asked for it started."""
    for started, execution in _starts(up):
        if up.query("execution.get", execution=execution)["version"] == 2:
            return up.finished(execution), started - asked
    raise AssertionError("starts never end")


def _starts(up: Up) -> Iterator[tuple[float, str]]:
    while True:
        yield time.monotonic(), _start(up)


def _sql(url: str, statement: str, *values: object) -> object:
    """As an admin's psql."""

    async def ask() -> object:
        connection = await connect(url)
        try:
            if not values:
                return await connection.execute(statement)
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(ask())
