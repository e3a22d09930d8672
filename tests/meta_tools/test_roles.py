"""Roles, made and changed by agents."""

import pytest

from services import roles
from services.caller import OPERATOR
from services.tools import registry
from services.tools.tool import ToolError
from tests.meta_tools.conftest import Agent, everything, made_role

READER = {"name": "Reader", "basePrompt": "Read.", "tools": ["files.read"], "needsTools": True, "description": "Reads."}


async def test_a_role_is_made_as_asked_in_the_name_of_the_agent(designer: Agent) -> None:
    wishes = {"preferred": ["anthropic"], "capabilities": ["json"]}

    made = await designer.call(
        "create_role", **READER, model=wishes, parameters={"temperature": 0.5}, outputSchema={"type": "object"}
    )

    role = await roles.get(OPERATOR, role="Reader")
    assert (made["id"], made["basePrompt"], made["createdBy"]) == (str(role.id), "Read.", "Designer for operator")
    assert (role.tools, role.needs_tools, role.description) == (("files.read",), True, "Reads.")
    assert (role.model.preferred, role.model.capabilities) == (("anthropic",), ("json",))
    assert (role.parameters.temperature, role.output_schema) == (0.5, {"type": "object"})


async def test_roles_are_listed_by_name_page_by_page_and_by_tool(designer: Agent) -> None:
    await designer.call("create_role", **READER)
    await designer.call("create_role", name="Writer", basePrompt="Write.")

    first = await designer.call("list_roles", limit=2)
    rest = await designer.call("list_roles", after=first[-1]["name"])
    readers = await designer.call("list_roles", tool="files.read")

    assert [role["name"] for role in first] == ["Designer", "Reader"]
    assert [role["name"] for role in rest] == ["Writer"]
    assert [role["name"] for role in readers] == ["Designer", "Reader"]


async def test_only_what_is_given_changes(designer: Agent) -> None:
    before = await designer.call("create_role", **READER)

    after = await designer.call("update_role", role="Reader", basePrompt="Read twice.")

    assert after == {**before, "basePrompt": "Read twice.", "version": 2, "updatedAt": after["updatedAt"]}


async def test_a_deleted_role_is_gone(designer: Agent) -> None:
    made = await designer.call("create_role", **READER)

    assert (await designer.call("delete_role", role=made["id"]))["name"] == "Reader"

    assert [role.name for role in (await roles.list_(OPERATOR)).items] == ["Designer"]


async def test_a_refusal_says_where_and_what_would_be_right(designer: Agent) -> None:
    refusal = await designer.refused("create_role", name="Reader", basePrompt="Read.", tools=["files.raed"])

    assert refusal == {
        "code": "INVALID",
        "message": "nothing was done; mend these problems and call again",
        "problems": [
            {
                "code": "UNKNOWN_TOOL",
                "path": "/tools/0",
                "message": "no tool, pattern or tag 'files.raed' grants anything",
                "allowed": [*sorted(registry.for_steps()), "meta"],
                "suggestion": "files.read",
            }
        ],
    }


async def test_a_role_that_does_not_exist_is_said_to_be_missing(designer: Agent) -> None:
    refusal = await designer.refused("update_role", role="Reeder", basePrompt="Read.")

    assert (refusal["code"], refusal["message"]) == (
        "NOT_FOUND",
        "there is no role 'Reeder'; `role.list` shows those there are",
    )


@pytest.mark.parametrize("where", [{"basePrompt": "a\0b"}, {"basePrompt": "Read.", "outputSchema": {"const": "\0"}}])
async def test_what_the_database_cannot_keep_is_told_to_the_agent(designer: Agent, where: dict[str, object]) -> None:
    before = await everything()

    refusal = await designer.refused("create_role", name="Reader", **where)

    assert (refusal["code"], await everything()) == ("INVALID", before)
    assert refusal["message"].startswith("the database cannot keep these arguments: ")


async def test_arguments_of_the_wrong_shape_are_named(designer: Agent) -> None:
    with pytest.raises(ToolError, match=r"arguments of system.create_role do not fit: .*prompt"):
        await designer.call("create_role", name="Reader", prompt="Read.")


async def test_a_repeated_creation_gives_back_the_role_it_made(designer: Agent) -> None:
    asked = {**READER, "outputSchema": {"type": "object", "minProperties": 1}}
    first = await designer.call("create_role", **asked)

    second = await designer.call("create_role", **asked)

    assert second == first
    assert [role.name for role in (await roles.list_(OPERATOR)).items] == ["Designer", "Reader"]


@pytest.mark.parametrize(
    "other",
    [
        {"basePrompt": "Read aloud."},
        {"needsTools": False},
        {"tools": []},
        {"outputSchema": {"type": "object"}},
        {"outputSchema": True},
        {"model": {"preferred": ["openai"]}},
        {"parameters": {"temperature": 1}},
        {"description": ""},
    ],
)
async def test_a_creation_with_other_content_is_a_conflict(designer: Agent, other: dict[str, object]) -> None:
    await designer.call("create_role", **READER)
    before = await everything()

    refusal = await designer.refused("create_role", **{**READER, **other})

    assert refusal["code"] == "CONFLICT"
    assert await everything() == before


async def test_true_is_not_one_when_contents_are_compared(designer: Agent) -> None:
    await designer.call("create_role", **READER, outputSchema={"const": True})

    refusal = await designer.refused("create_role", **READER, outputSchema={"const": 1})

    assert refusal["code"] == "CONFLICT"


async def test_the_same_role_made_by_somebody_else_is_a_conflict(designer: Agent) -> None:
    await made_role("Reader", prompt="Read.")

    refusal = await designer.refused("create_role", name="Reader", basePrompt="Read.")

    assert refusal["code"] == "CONFLICT"


async def test_a_role_switched_off_since_is_a_conflict(designer: Agent) -> None:
    await designer.call("create_role", **READER)
    await designer.call("update_role", role="Reader", isActive=False)

    refusal = await designer.refused("create_role", **READER)

    assert refusal["code"] == "CONFLICT"
