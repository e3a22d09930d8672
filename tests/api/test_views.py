"""The views for people with a SQL client: what they show of something that has run."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from db.connection import Database
from services.failure import failed
from services.tools import registry
from services.tools.tool import ToolContext, tool
from tests.api.client import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

READING = {
    "name": "Reading",
    "tags": ["brief"],
    "steps": [
        {"name": "Quote", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}},
        {"name": "Read", "kind": "llm", "roleName": "Reader", "prompt": "Sum up: <<context.Quote.said>>"},
    ],
    "output": {"brief": "<<context.Read>>"},
}

NAP = {"name": "Nap", "steps": [{"name": "Sleep", "kind": "wait", "forMs": 3_600_000}]}
ASK = {
    "name": "Ask",
    "steps": [
        {"name": "Twice", "kind": "loop", "maxIterations": 2, "steps": [
            {"name": "Answer", "kind": "wait", "event": "answered"},
            {"name": "Breathe", "kind": "wait", "forMs": 0},
        ]},
    ],
}  # fmt: skip
BOTH = {
    "name": "Both",
    "steps": [
        {"name": "Paid", "kind": "wait", "event": "paid", "expiresAfterMs": 3_600_000, "parallelGroup": "both"},
        {"name": "Child", "kind": "orchestration", "orchestration": "Nap", "parallelGroup": "both"},
    ],
}
AGAIN = {
    "name": "Again",
    "steps": [
        {
            "name": "Call",
            "kind": "tool",
            "tool": "test.fail",
            "inputMapping": {},
            "maxRetries": 1,
            "retryDelay": 3_600_000,
        }
    ],
}
FAIL = {"name": "Fail", "steps": [{"name": "Call", "kind": "tool", "tool": "test.fail", "inputMapping": {}}]}
WAITING = (
    "SELECT waits_for, path, event, child IS NOT NULL, due_at IS NOT NULL, since <= clock_timestamp() FROM waiting_for"
    " WHERE execution = $1 ORDER BY path"
)


@pytest.fixture(scope="module", autouse=True)
def failing_tool() -> Iterator[None]:
    """A tool that always fails, for the tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_tools", {**registry._tools, "test.fail": tool("test.fail")(fail)})
        yield


async def run(api: Api) -> Any:
    await api.call("role.create", {"name": "Reader", "basePrompt": "You read."})
    await api.call("role.create", {"name": "Skimmer", "basePrompt": "You skim."})
    await api.call("orchestration.create", {"document": READING})
    started = await api.call("execution.start", {"orchestration": "Reading", "input": {"topic": "Tea is a drink."}})
    return await api.finished(started.data["id"])


async def test_the_views_show_what_has_run(api: Api) -> None:
    execution = await run(api)
    assigned = await api.call(
        "execution.start",
        {"orchestration": "Reading", "input": {"topic": "Tea."}, "roleAssignments": {"Read": "Skimmer"}},
    )
    last = await api.finished(assigned.data["id"])
    restart = await api.call("execution.restart", {"execution": execution["id"], "from": "Read"})
    restarted = await api.finished(restart.data["id"])
    fetch = api.runtime.database.pool.fetch

    (workflow,) = await fetch(
        "SELECT name, is_active, active_version, steps, drafts, unfinished, last_execution::text, last_status, tags"
        " FROM workflow_overview WHERE name = 'Reading'"
    )
    assert tuple(workflow) == ("Reading", True, 1, 2, 0, 0, restarted["id"], "completed", ["brief"])
    found = await fetch(
        "SELECT id::text, orchestration, version, status, started_by, restart_of::text, error_code"
        " FROM execution_overview WHERE orchestration = 'Reading' ORDER BY id"
    )
    assert [tuple(row) for row in found] == [
        (execution["id"], "Reading", 1, "completed", "tester", None, None),
        (last["id"], "Reading", 1, "completed", "tester", None, None),
        (restarted["id"], "Reading", 1, "completed", "tester", execution["id"], None),
    ]
    steps = await fetch(
        "SELECT step, attempt, outcome, model, input_tokens > 0, model_calls FROM step_log"
        " WHERE execution_id = $1 ORDER BY seq",
        execution["id"],
    )
    assert [tuple(step) for step in steps] == [
        ("Quote", 1, "completed", None, None, 0),
        ("Read", 1, "completed", "offline/extractive", True, 1),
    ]
    calls = await fetch(
        "SELECT step, attempt, place, model, outcome, reason, input_tokens > 0, cost_usd, is_cached FROM model_call_log"
        " WHERE execution_id = $1",
        execution["id"],
    )
    assert [tuple(call) for call in calls] == [
        ("Read", 1, 1, "offline/extractive", "answered", "the default model", True, 0, False)
    ]
    costs = await fetch(
        "SELECT role, model, attempts, calls, cost_usd, attempts_without_price FROM cost_by_role ORDER BY role"
    )
    assert [tuple(cost) for cost in costs] == [
        ("Reader", "offline/extractive", 2, 2, 0, 0),
        ("Skimmer", "offline/extractive", 1, 1, 0, 0),
    ]


async def test_what_waits_says_what_for(api: Api) -> None:
    for document in (NAP, ASK, BOTH, AGAIN, FAIL):
        await api.call("orchestration.create", {"document": document})

    nap, ask, both, again = [await started(api, name) for name in ("Nap", "Ask", "Both", "Again")]

    assert await waits(api, nap) == [("time", "Sleep", None, False, True, True)]
    assert await waits(api, ask) == [("event", "Twice[0]/Answer", "answered", False, False, True)]
    assert await waits(api, both) == [
        ("child", "Child", None, True, True, True),
        ("event", "Paid", "paid", False, True, True),
    ]
    assert await waits(api, again) == [("retry", "Call", None, False, True, True)]
    await api.call("execution.signal", {"execution": str(ask), "event": "answered"})
    assert await waits(api, ask, "Twice[1]/Answer") == [("event", "Twice[1]/Answer", "answered", False, False, True)]
    assert await api.runtime.database.pool.fetch("SELECT FROM waiting_for WHERE waits_for = 'nothing'") == []


async def test_what_has_failed_is_counted_by_where_and_why(api: Api) -> None:
    for _ in range(2):
        last = await api.call("execution.start", {"orchestration": "Fail"})
        await api.finished(last.data["id"])

    found = await api.runtime.database.pool.fetch(
        "SELECT orchestration, step, code, failures, first_at < last_at, last_execution::text, last_message"
        " FROM failure_overview"
    )

    assert [tuple(row) for row in found] == [("Fail", "Call", "TOOL_ERROR", 2, True, last.data["id"], "it is broken")]


async def test_versions_and_roles_are_shown_with_what_uses_them(api: Api) -> None:
    await api.call("role.create", {"name": "Nobody", "basePrompt": "You rest."})
    await api.call("orchestration.update", {"orchestration": "Reading", "changes": {"tags": ["long"]}})
    fetch = api.runtime.database.pool.fetch

    used = await fetch("SELECT role, orchestration, version, steps FROM role_usage ORDER BY role")
    versions = await fetch(
        "SELECT number, status, is_active, steps, last_execution IS NOT NULL, decided_by FROM version_history"
        " WHERE orchestration = 'Reading' ORDER BY number"
    )

    assert [tuple(row) for row in used] == [
        ("Nobody", None, None, None),
        ("Reader", "Reading", 2, ["Read"]),
        ("Skimmer", None, None, None),
    ]
    assert [tuple(row) for row in versions] == [
        (1, "published", False, 2, True, "tester"),
        (2, "published", True, 2, False, "tester"),
    ]


VIEWS = (
    "workflow_overview", "version_history", "role_usage", "execution_overview", "waiting_for", "step_log",
    "model_call_log", "failure_overview", "cost_by_role",
)  # fmt: skip
MANY = """
SET LOCAL session_replication_role = replica;
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version
  (orchestration_id, number, document, created_by, status, digest, max_step_runs, published_at)
  SELECT id, 1, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now() FROM orchestration;
UPDATE orchestration SET active_version_id = (SELECT id FROM orchestration_version);
INSERT INTO execution (id, version_id, input, started_by, status, available_at, finished_at)
  SELECT first_id_at(now() - make_interval(mins => n)), version.id, '{}', '{"kind": "human", "name": "anna"}',
    CASE WHEN n % 1000 = 0 THEN 'waiting' WHEN n % 100 = 0 THEN 'failed' ELSE 'completed' END, NULL,
    CASE WHEN n % 1000 <> 0 THEN now() - make_interval(mins => n) END
  FROM generate_series(1, 20000) AS n, orchestration_version AS version;
ANALYZE orchestration, orchestration_version, execution;
"""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.asyncio(loop_scope="function")
async def test_a_view_of_nothing_is_empty(database: Database, view: str) -> None:
    assert await database.pool.fetch(f"SELECT * FROM {view}") == []


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("SELECT * FROM workflow_overview", 40),
        ("SELECT * FROM version_history", 10),
        ("SELECT * FROM waiting_for", 40),
        ("SELECT * FROM failure_overview", 1440),
        ("SELECT * FROM execution_overview ORDER BY id DESC LIMIT 50", 100),
        ("SELECT * FROM execution_overview WHERE status = 'failed' ORDER BY id DESC LIMIT 50", 200),
    ],
)
@pytest.mark.asyncio(loop_scope="function")
async def test_a_view_reads_few_of_many_executions(database: Database, query: str, most: int) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(MANY)

    plan = await database.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")

    assert "execution__" in plan or "execution_pkey" in plan
    assert not re.search(r'"Node Type": "Seq Scan",[^}]*"Relation Name": "execution"', plan)
    read = re.findall(r'"Relation Name": "execution",[^}]*?"Actual Rows": ([\d.]+),\s+"Actual Loops": (\d+)', plan)
    assert sum(float(rows) * int(loops) for rows, loops in read) <= most


async def fail(_: ToolContext) -> None:
    """A tool that does not work."""
    raise failed("TOOL_ERROR", "it is broken")


async def started(api: Api, orchestration: str) -> UUID:
    return UUID((await api.call("execution.start", {"orchestration": orchestration})).data["id"])


async def waits(api: Api, execution: UUID, path: str = "") -> list[tuple[Any, ...]]:
    """What the execution waits for, once it waits, and at that path where one is given."""
    while True:  # the test's own time limit ends it
        found = [tuple(row) for row in await api.runtime.database.pool.fetch(WAITING, execution)]
        if found and (not path or found[0][1] == path):
            return found
