"""Many agents at once, and a provider that allows little: its limits hold by its own clock, and all are done."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.models.catalog import Models
from services.models.limits import Limits
from services.models.presets import provider_of
from services.models.selection import Offer
from services.roles import RoleChanges
from services.runtime import opened
from services.settings import Settings
from services.tools import registry
from services.tools.tool import ToolContext, tool
from tests.models.busy import busy
from tests.models.peer import Reply, completion

AGENTS = 50
AT_ONCE = 5
A_MINUTE = 60
# `make crowd` sets it to a real minute.
MINUTE = float(os.environ.get("ROLECALL_TEST_MINUTE", "2"))


@tool("count")
async def count(context: ToolContext, *, what: str) -> str:
    """Count something."""
    return f"many {what}"


@pytest.fixture(autouse=True)
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_tools", {"count": count})
    yield


def reply(request: dict[str, Any]) -> Reply:
    """Calls the tool first, and answers when that has."""
    if request["messages"][-1]["role"] == "tool":
        return completion("done")
    return completion(calls=(("call_1", "count", '{"what": "sheep"}'),))


@pytest.mark.timeout(300)
async def test_fifty_agents_share_what_a_provider_allows(database_url: str) -> None:
    async with busy(reply, seconds=0.02) as endpoint:
        models = Models(
            {"peer": provider_of("compatible", name="peer", base_url=f"{endpoint.url}/v1")},
            [Offer("peer", "small", ("tools", "json"))],
            {"peer": Limits(max_concurrent=AT_ONCE, requests_per_minute=A_MINUTE)},
            minute=MINUTE,
        )
        async with opened(Settings(), database_url, models) as runtime:
            registry._tools["count"] = count
            await roles.create(OPERATOR, name="Counter", base_prompt="Count.", changes=RoleChanges(tools=("count",)))
            await orchestrations.create(
                OPERATOR, document={"name": "flow", "steps": [{"name": "A", "kind": "agent", "roleName": "Counter"}]}
            )
            started = [await executions.start(OPERATOR, orchestration="flow", input=n) for n in range(AGENTS)]
            worker = runtime.worker()
            working = asyncio.create_task(worker.run())
            ended = [await finished(execution.id) for execution in started]
            worker.stop()
            await working

    assert {(detail.status, detail.output["A"]) for detail in ended} == {("completed", "done")}
    assert len(endpoint.asked) == 2 * AGENTS
    assert endpoint.most_at_once == AT_ONCE
    early, late = endpoint.asked, endpoint.asked[A_MINUTE:]
    assert all(later - earlier >= MINUTE for earlier, later in zip(early, late, strict=False))


async def finished(execution: Any) -> Any:
    async for item in executions.follow(OPERATOR, execution=execution):
        del item
    return await executions.get(OPERATOR, execution=execution)
