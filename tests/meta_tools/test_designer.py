"""The example `workflow-designer.yaml`: an agent that makes roles and an orchestration, runs it and reports."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.definitions import yaml12
from services.definitions.catalog import Catalog
from services.definitions.check import check
from services.roles import RoleChanges
from services.schema import problems_of_value
from services.tools import registry
from tests.meta_tools.agents import Messages, model_that, results, wants, working
from tests.models.peer import Reply, completion

EXAMPLES = Path(__file__).parents[2] / "examples"
INPUT = {"goal": "Explain a text and review the explanation.", "data": {"text": "A lease lapses."}}

EXPLAINER = {"name": "Explainer", "basePrompt": "You explain a text to a newcomer."}
REVIEWER = {"name": "Reviewer", "basePrompt": "You review an explanation.", "description": "Looks for mistakes."}
WORKFLOW = {
    "name": "explain-and-review",
    "input": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "steps": [
        {"name": "Explain", "kind": "llm", "roleName": "Explainer", "inputMapping": {"text": "<<context.input.text>>"}},
        {"name": "Review", "kind": "llm", "roleName": "Reviewer", "inputMapping": {"draft": "<<context.Explain>>"}},
    ],
    "output": {"explanation": "<<context.Explain>>", "review": "<<context.Review>>"},
}

pytestmark = pytest.mark.usefixtures("tools")


@pytest.fixture
def bundle() -> dict[str, Any]:
    """The example as it is read from its file."""
    read = yaml12.read((EXAMPLES / "workflow-designer.yaml").read_bytes())
    assert isinstance(read, dict)
    return read


async def load(bundle: dict[str, Any]) -> None:
    """Make what a bundle holds, as a person would."""
    for fields in bundle["roles"]:
        rest = {name: value for name, value in fields.items() if name not in ("name", "basePrompt")}
        changes = msgspec.convert(rest, RoleChanges)
        await roles.create(OPERATOR, name=fields["name"], base_prompt=fields["basePrompt"], changes=changes)
    for document in bundle["orchestrations"]:
        await orchestrations.create(OPERATOR, document=document)


class Designer:
    """A model that designs: it makes a mistake, mends it as it is told, and waits for what it started."""

    def __init__(self, until_ended: Callable[[str], object]) -> None:
        self._until_ended = until_ended

    def __call__(self, messages: Messages) -> Reply:
        match messages[0]["content"]:
            case "You explain a text to a newcomer.":
                return completion("It means that a promise ends.")
            case "You review an explanation.":
                return completion("No mistakes.")
            case _:
                return self._design(results(messages))

    def _design(self, told: dict[str, str]) -> Reply:
        match len(told):
            case 0:
                return wants(explainer=("system.create_role", EXPLAINER), reviewer=("system.create_role", REVIEWER))
            case 2:
                steps = [{**WORKFLOW["steps"][0], "roleName": "Explaner"}, WORKFLOW["steps"][1]]
                return wants(wrong=("system.create_orchestration", {**WORKFLOW, "steps": steps}))
            case 3:
                (problem,) = json.loads(told["wrong"].removeprefix("Error: "))["problems"]
                steps = [{**WORKFLOW["steps"][0], "roleName": problem["suggestion"]}, WORKFLOW["steps"][1]]
                return wants(right=("system.create_orchestration", {**WORKFLOW, "steps": steps}))
            case 4:
                id = json.loads(told["right"])["id"]
                asked = {"orchestrationId": id, "input": INPUT["data"]}
                return wants(run=("system.execute_orchestration", asked))
            case 5:
                return wants(early=("system.get_execution_status", self._started(told)))
            case 6:
                self._until_ended(self._started(told)["executionId"])
                return wants(late=("system.get_execution_status", self._started(told)))
            case _:
                status = json.loads(told["late"])
                return completion(f"{status['orchestration']} {status['status']}: {status['output']['review']}")

    def _started(self, told: dict[str, str]) -> dict[str, str]:
        return {"executionId": json.loads(told["run"])["executionId"]}


async def test_an_agent_makes_roles_and_an_orchestration_runs_it_and_reports(
    database_url: str, bundle: dict[str, Any]
) -> None:
    loop = asyncio.get_running_loop()

    def until_ended(execution: str) -> None:
        # The model thinks in a thread of its own, and may wait there.
        ended: Future[object] = asyncio.run_coroutine_threadsafe(ends.of(UUID(execution)), loop)
        ended.result(timeout=30)

    with model_that(Designer(until_ended)) as model:
        async with working(database_url, model) as ends:
            await load(bundle)

            started = await executions.start(OPERATOR, orchestration="workflow-designer", input=INPUT)
            designed = await ends.of(started.id)

            child, itself = (await executions.list_(OPERATOR)).items
            made = {role.name: role for role in (await roles.list_(OPERATOR)).items}
            workflow = await orchestrations.get(OPERATOR, orchestration="explain-and-review")
            history = await executions.steps(OPERATOR, execution=child.id)

    assert (designed.status, designed.error) == ("completed", None)
    assert designed.output == {"report": "explain-and-review completed: No mistakes."}
    creator = "Workflow Designer for operator"
    assert {name: role.created_by for name, role in made.items()} == {
        "Explainer": creator,
        "Reviewer": creator,
        "Workflow Designer": "operator",
    }
    assert made["Reviewer"].description == "Looks for mistakes."
    assert (workflow.created_by, workflow.version, workflow.document.output) == (creator, 1, WORKFLOW["output"])
    assert (itself.id, child.started_by, child.status) == (started.id, creator, "completed")
    assert child.output == {"explanation": "It means that a promise ends.", "review": "No mistakes."}
    assert [(step.name, step.role, step.status) for step in history] == [
        ("Explain", "Explainer", "completed"),
        ("Review", "Reviewer", "completed"),
    ]


def test_the_model_is_told_the_tools_of_the_tag_and_the_role(bundle: dict[str, Any]) -> None:
    (role,) = bundle["roles"]

    granted = registry.granted(role["tools"])

    assert role["needsTools"] is True
    assert sorted(granted) == ["files.read", *sorted(name for name in granted if name.startswith("system."))]
    assert len(granted) == 13


def test_the_example_has_no_problems_and_its_input_fits(bundle: dict[str, Any]) -> None:
    (role,), (document,) = bundle["roles"], bundle["orchestrations"]
    example = json.loads((EXAMPLES / "workflow-designer.input.json").read_text("utf-8"))

    checked = check(document, Catalog(roles={role["name"]: uuid4()}))

    assert bundle["rolecall"] == 1
    assert checked.problems == ()
    assert problems_of_value(document["input"], example) == []
