"""What agents change through their tools stands in the audit in their name, by `meta`."""

import pytest

from db.connection import Database
from services.json import Json
from services.tools import registry
from tests.meta_tools.conftest import Agent
from tests.meta_tools.test_orchestrations import ECHO

CALLS: tuple[tuple[str, dict[str, Json]], ...] = (
    ("create_role", {"name": "Reader", "basePrompt": "Read."}),
    ("update_role", {"role": "Reader", "basePrompt": "Read twice."}),
    ("delete_role", {"role": "Reader"}),
    ("create_orchestration", ECHO),
    ("update_orchestration", {"orchestration": "echo", "changes": {"description": "Says it."}}),
    ("delete_orchestration", {"orchestration": "echo"}),
)
READS = {"list_roles", "list_orchestrations", "get_orchestration", "get_execution_status", "list_executions"}
# Executions have a history of their own.
RUNS = {"execute_orchestration"}


async def test_every_change_is_put_down_to_the_agent(database: Database, designer: Agent) -> None:
    for name, arguments in CALLS:
        last = await database.pool.fetchval("SELECT max(seq) FROM audit")

        await designer.call(name, **arguments)

        rows = await database.pool.fetch("SELECT DISTINCT actor, channel FROM audit WHERE seq > $1", last)
        assert [(name, *row) for row in rows] == [(name, "Designer for operator", "meta")]


@pytest.mark.usefixtures("tools")
async def test_no_tool_is_left_out() -> None:
    offered = {name.removeprefix("system.") for name in registry.granted(["meta"])}

    assert offered == {name for name, _ in CALLS} | READS | RUNS
