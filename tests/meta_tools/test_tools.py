"""What the system tools look like to a model, and who can reach them."""

import pytest

import meta_tools
from db.acting import Acting, acting
from meta_tools.system import system_tool
from services.caller import Caller
from services.principal import Principal
from services.schema import problems_of_schema, problems_of_value
from services.tools import files, registry
from services.tools.tool import Tool, ToolContext

NAMES = (
    "create_role",
    "list_roles",
    "update_role",
    "delete_role",
    "create_orchestration",
    "list_orchestrations",
    "get_orchestration",
    "update_orchestration",
    "delete_orchestration",
    "execute_orchestration",
    "get_execution_status",
    "list_executions",
)

pytestmark = pytest.mark.usefixtures("tools")


def fields_of(name: str) -> tuple[set[str], set[str]]:
    """The argument names of `system.<name>`: those it needs, and all of them."""
    tool = registry.find(f"system.{name}")
    assert tool is not None
    return set(tool.input_schema["required"]), set(tool.input_schema["properties"])


def test_there_are_the_twelve_tools() -> None:
    assert [tool.name for tool in meta_tools.TOOLS] == [f"system.{name}" for name in NAMES]


@pytest.mark.parametrize("tool", meta_tools.TOOLS, ids=lambda tool: tool.name)
def test_each_tool_says_what_it_does_and_takes_an_object_of_a_valid_schema(tool: Tool) -> None:
    schema = tool.input_schema

    assert tool.description.endswith(".") and len(tool.description) > 40
    assert problems_of_schema(schema) == []
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert problems_of_value(schema, {"nonsense": 1}) != []


def test_arguments_have_their_classic_names() -> None:
    assert fields_of("create_role")[0] == {"name", "basePrompt"}
    assert fields_of("create_role")[1] >= {"description", "tools", "needsTools", "model", "parameters", "outputSchema"}
    assert fields_of("update_role")[0] == fields_of("delete_role")[0] == {"role"}
    assert fields_of("create_orchestration")[0] == {"name", "steps"}
    assert fields_of("create_orchestration")[1] >= {"description", "tags", "input", "output", "outputSchema"}
    assert fields_of("update_orchestration") == ({"orchestration"}, {"orchestration", "changes", "isActive"})
    assert fields_of("execute_orchestration")[1] == {
        "orchestration", "orchestrationId", "input", "idempotencyKey", "priority", "startAt", "delayMs"
    }  # fmt: skip
    assert fields_of("get_execution_status") == ({"executionId"}, {"executionId"})


def test_a_step_is_told_to_the_model_with_its_classic_fields_and_without_a_default_order() -> None:
    tool = registry.find("system.create_orchestration")
    assert tool is not None
    schema = tool.input_schema
    step = {"name": "Read", "roleId": "5f0c1f8e-0000-7000-8000-000000000000", "stepType": "sequential"}

    assert problems_of_value(schema, {"name": "w", "steps": [step]}) == []
    assert [problem.path for problem in problems_of_value(schema, {"name": "w", "steps": [{"nmae": "Read"}]})] == [
        "/steps/0",
        "/steps/0",
    ]
    assert "default" not in schema["properties"]["steps"]["items"]["properties"]["order"]


def test_only_the_tag_reaches_them() -> None:
    assert set(registry.granted(["meta"])) == {f"system.{name}" for name in NAMES}
    assert set(registry.granted(["system.*", "system.create_role", "*"])) == set(registry.for_steps())
    assert set(registry.for_steps()) == {tool.name for tool in files.tools(None)}


async def test_what_an_agent_does_through_a_tool_is_put_down_to_it_with_an_agents_rights() -> None:
    caller = Caller(Principal(kind="agent", name="Designer for anna"))
    seen: list[Acting | None] = []

    @system_tool("test_acting", effect="read")
    async def look(context: ToolContext) -> None:
        """Look who acts."""
        seen.append(acting())

    await look.run(ToolContext(caller=caller, role_id=None, idempotency_key="key"), {})

    assert seen == [Acting(actor="Designer for anna", channel="meta", is_agent=True)]
    assert acting() is None
