"""A role without `meta` whose model asks for the system tools all the same."""

import json

import pytest

import meta_tools
from services import executions, orchestrations
from services.caller import OPERATOR
from services.json import Json
from services.tools import registry
from tests.meta_tools.agents import Messages, model_that, results, working
from tests.meta_tools.conftest import everything, made_role
from tests.models.peer import Reply, completion

STEP = {"name": "Say", "kind": "transform", "inputMapping": {"said": "hi"}}
ASKED: dict[str, Json] = {
    "system.create_role": {"name": "Deputy", "basePrompt": "Rule.", "tools": ["meta"]},
    "system.list_roles": {},
    "system.update_role": {"role": "Clerk", "tools": ["meta"]},
    "system.delete_role": {"role": "Bystander"},
    "system.create_orchestration": {"name": "coup", "steps": [STEP]},
    "system.list_orchestrations": {},
    "system.get_orchestration": {"orchestration": "plain"},
    "system.update_orchestration": {"orchestration": "plain", "isActive": False},
    "system.delete_orchestration": {"orchestration": "plain"},
    "system.execute_orchestration": {"orchestration": "plain"},
    "system.get_execution_status": {"executionId": "5f0c1f8e-0000-7000-8000-000000000000"},
    "system.list_executions": {},
}


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("held", [(), ("files.read",), ("*",)])
async def test_each_of_the_twelve_is_refused_and_nothing_changes(database_url: str, held: tuple[str, ...]) -> None:
    told: dict[str, str] = {}

    def insists(messages: Messages) -> Reply:
        if not results(messages):
            return completion(calls=tuple((name, name, json.dumps(asked)) for name, asked in ASKED.items()))
        told.update(results(messages))
        return completion("I may not.")

    with model_that(insists) as model:
        async with working(database_url, model) as ends:
            await made_role("Clerk", *held)
            await made_role("Bystander")
            await orchestrations.create(OPERATOR, document={"name": "plain", "steps": [STEP]})
            work = {"name": "work", "steps": [{"name": "Try", "roleName": "Clerk"}]}
            await orchestrations.create(OPERATOR, document=work)
            roles_before, orchestrations_before, _ = await everything()

            started = await executions.start(OPERATOR, orchestration="work")
            ended = await ends.of(started.id)

            roles_after, orchestrations_after, all_executions = await everything()

    holds = ", ".join(registry.granted(held)) or "no tools"
    assert (ended.status, ended.output) == ("completed", {"Try": "I may not.", "input": {}})
    assert list(ASKED) == [tool.name for tool in meta_tools.TOOLS]
    assert told == {
        name: f"Error: TOOL_NOT_ALLOWED: {name} is for roles tagged meta; the role 'Clerk' is not. It has {holds}."
        for name in ASKED
    }
    assert (roles_after, orchestrations_after) == (roles_before, orchestrations_before)
    assert [it.id for it in all_executions] == [started.id]
