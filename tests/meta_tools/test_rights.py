"""What an agent may not do: reach above its role, or beyond what its initiator holds."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import meta_tools
from meta_tools import rights
from services import orchestrations, roles
from services.caller import OPERATOR
from services.errors import Forbidden
from services.models.selection import ModelConstraints
from services.principal import SCOPES
from services.roles import Parameters, Role, RoleChanges
from services.tools import registry
from services.tools.tool import Tool, ToolContext, ToolError, tool
from tests.meta_tools.conftest import DESIGNER, Agent, everything, made_role


def tool_named(name: str) -> Tool:
    @tool(name)
    async def nothing(_context: ToolContext) -> None:
        """Does nothing."""

    return nothing


async def refusal_of(call: Awaitable[Any]) -> str:
    """Why a call was forbidden; it has to leave every row as it was."""
    before = await everything()
    with pytest.raises(ToolError, match=r"^FORBIDDEN: ") as caught:
        await call
    assert await everything() == before
    return str(caught.value).removeprefix("FORBIDDEN: ")


async def test_a_made_role_never_holds_meta(designer: Agent) -> None:
    said = await refusal_of(designer.call("create_role", name="Deputy", basePrompt="Rule.", tools=["meta"]))

    assert said == "a role made or changed by an agent never holds 'meta'; it may have files.read"


async def test_a_changed_role_never_holds_meta(designer: Agent) -> None:
    await made_role("Reader")

    said = await refusal_of(designer.call("update_role", role="Reader", tools=["files.read", "meta"]))

    assert said == "a role made or changed by an agent never holds 'meta'; it may have files.read"


@pytest.mark.parametrize("reach", ["system.*", "system.create_role"])
async def test_the_namespace_is_no_way_round_the_tag(designer: Agent, reach: str) -> None:
    before = await everything()

    with pytest.raises(ToolError, match="UNKNOWN_TOOL"):
        await designer.call("create_role", name="Deputy", basePrompt="Rule.", tools=[reach])

    assert await everything() == before


async def test_a_made_or_changed_role_has_no_tool_that_the_agents_role_lacks(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    await made_role("Reader")

    made = await refusal_of(designer.call("create_role", name="Seeker", basePrompt="Seek.", tools=["web.search"]))
    changed = await refusal_of(designer.call("update_role", role="Reader", tools=["files.read", "web.search"]))

    assert made == changed == "your role 'Designer' does not hold web.search; a role that you make may have files.read"


async def test_a_pattern_that_could_come_to_reach_more_is_written_out(designer: Agent) -> None:
    said = await refusal_of(designer.call("create_role", name="Reader", basePrompt="Read.", tools=["files.*"]))

    assert said == "your role 'Designer' does not hold files.*; a role that you make may have files.read"


async def test_a_pattern_that_the_agents_role_lists_may_be_passed_on(designer: Agent) -> None:
    librarian = await made_role("Librarian", "meta", "files.*")

    made = await Agent(librarian.id, "Librarian").call(
        "create_role", name="Reader", basePrompt="Read.", tools=["files.*", "files.read"]
    )

    assert made["tools"] == ["files.*", "files.read"]


async def test_an_agent_changes_neither_its_own_role_nor_deletes_it(designer: Agent) -> None:
    own = await roles.get(OPERATOR, role=DESIGNER)

    for reference in (own.name, str(own.id)):
        changed = await refusal_of(designer.call("update_role", role=reference, basePrompt="Rule."))
        deleted = await refusal_of(designer.call("delete_role", role=reference))

        assert changed == deleted
        assert changed.startswith("'Designer' is the role that you act in; you may change other roles")


async def test_an_agent_changes_no_other_role_that_holds_meta(designer: Agent) -> None:
    await made_role("Chief", "meta")

    changed = await refusal_of(designer.call("update_role", role="Chief", tools=[]))
    deleted = await refusal_of(designer.call("delete_role", role="Chief"))

    assert changed == deleted
    assert changed.startswith("the role 'Chief' holds 'meta'; you may change other roles")


async def test_an_agent_changes_no_role_that_may_do_more_than_its_own(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    await made_role("Seeker", "web.search")

    changed = await refusal_of(designer.call("update_role", role="Seeker", basePrompt="Seek this instead."))
    deleted = await refusal_of(designer.call("delete_role", role="Seeker"))

    assert changed == deleted
    assert changed.startswith("the role 'Seeker' holds web.search, which yours does not; you may change other roles")


async def test_a_step_is_no_way_round_the_agents_role(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    seeker = await made_role("Seeker", "web.search")

    called = await refusal_of(designer.call("create_orchestration", name="seek", steps=[SEEK]))
    by_name = await refusal_of(
        designer.call("create_orchestration", name="seek", steps=[{"name": "S", "roleName": "Seeker"}])
    )
    by_id = await refusal_of(
        designer.call("create_orchestration", name="seek", steps=[{"name": "S", "roleId": seeker.id.hex}])
    )

    assert called == "the step 'Seek' calls web.search; your role 'Designer' holds files.read"
    assert by_name == by_id
    assert by_name == (
        "the role 'Seeker' of the step 'S' holds web.search; use roles that hold no more than yours: files.read"
    )


async def test_an_orchestration_above_the_agents_role_is_not_changed_by_it(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    await orchestrations.create(OPERATOR, document={"name": "seek", "steps": [SEEK]})

    for changes in ({"description": "Seeks."}, {"steps": [STEP]}):
        said = await refusal_of(designer.call("update_orchestration", orchestration="seek", changes=changes))

        assert said == "the step 'Seek' calls web.search; your role 'Designer' holds files.read"


async def test_no_change_takes_an_orchestration_above_the_agents_role(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    await orchestrations.create(OPERATOR, document={"name": "plain", "steps": [STEP]})

    said = await refusal_of(designer.call("update_orchestration", orchestration="plain", changes={"steps": [SEEK]}))

    assert said == "the step 'Seek' calls web.search; your role 'Designer' holds files.read"


@pytest.mark.parametrize(
    ("scope", "call"),
    [
        ("roles.write", lambda agent: agent.call("create_role", name="Reader", basePrompt="Read.")),
        ("roles.read", lambda agent: agent.call("list_roles")),
        ("roles.write", lambda agent: agent.call("update_role", role="Plain", basePrompt="Read.")),
        ("roles.write", lambda agent: agent.call("delete_role", role="Plain")),
        ("orchestrations.write", lambda agent: agent.call("create_orchestration", name="new", steps=[STEP])),
        ("orchestrations.read", lambda agent: agent.call("list_orchestrations")),
        ("orchestrations.read", lambda agent: agent.call("get_orchestration", orchestration="plain")),
        ("orchestrations.write", lambda agent: agent.call("update_orchestration", orchestration="plain", changes={})),
        ("orchestrations.write", lambda agent: agent.call("delete_orchestration", orchestration="plain")),
        ("executions.run", lambda agent: agent.call("execute_orchestration", orchestration="plain")),
        ("executions.read", lambda agent: agent.call("get_execution_status", executionId=str(UUID(int=7)))),
        ("executions.read", lambda agent: agent.call("list_executions")),
    ],
)
async def test_an_agent_has_no_scope_that_its_initiator_lacks(
    designer: Agent, scope: str, call: Callable[[Agent], Awaitable[Any]]
) -> None:
    await made_role("Plain")
    await orchestrations.create(OPERATOR, document={"name": "plain", "steps": [STEP]})
    limited = replace(designer, scopes=tuple(held for held in SCOPES if held != scope))

    said = await refusal_of(call(limited))

    assert said.startswith("agent 'Designer for operator' holds ") and said.endswith(f"this needs {scope}")


async def test_without_a_role_nothing_is_made(designer: Agent) -> None:
    said = await refusal_of(replace(designer, role_id=None).call("create_role", name="Reader", basePrompt="Read."))

    assert said.startswith("only an agent in a role may do this")


async def test_an_agent_keeps_to_its_role_when_it_is_renamed_and_another_takes_its_name(designer: Agent) -> None:
    registry.register(tool_named("web.search"))
    own = await roles.update(OPERATOR, role=DESIGNER, changes=RoleChanges(name="Architect"))
    await made_role(DESIGNER, "meta", "files.read", "web.search")

    made = await designer.call("create_role", name="Reader", basePrompt="Read.", tools=["files.read"])
    beyond = await refusal_of(designer.call("create_role", name="Seeker", basePrompt="Seek.", tools=["web.search"]))
    itself = await refusal_of(designer.call("update_role", role="Architect", basePrompt="Rule."))

    assert made["tools"] == ["files.read"]
    assert beyond == "your role 'Architect' does not hold web.search; a role that you make may have files.read"
    assert itself.startswith("'Architect' is the role that you act in")
    assert await roles.get(OPERATOR, role=str(designer.role_id)) == own


async def test_an_agent_whose_role_is_gone_may_do_nothing(designer: Agent) -> None:
    await roles.delete(OPERATOR, role=DESIGNER)
    await made_role(DESIGNER, "meta", "files.read")

    said = await refusal_of(designer.call("create_role", name="Reader", basePrompt="Read."))

    assert said == "the role that you act in is gone, so it allows nothing; report this"


SEEK = {"name": "Seek", "kind": "tool", "tool": "web.search"}
STEP = {"name": "Say", "kind": "transform", "inputMapping": {"said": "hi"}}
_TOOLS = ("files.read", "files.write", "web.search", "web.fetch")
_WISHES = st.lists(st.sampled_from([*_TOOLS, "files.*", "web.*", "*", "f*.read", "[fw]*", "system.*", "nothing"]))


@given(own=_WISHES, wishes=_WISHES, known=st.sets(st.sampled_from(_TOOLS)), later=st.sets(st.sampled_from(_TOOLS)))
def test_what_may_be_given_never_reaches_further_whatever_tools_come_later(
    own: list[str], wishes: list[str], known: set[str], later: set[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_tools", {})
        registry.register(*meta_tools.TOOLS, *map(tool_named, sorted(known)))
        holder = role_with("meta", *own)
        given_away = [wish for wish in wishes if registry.granted([wish])]
        try:
            rights.may_give(holder, given_away)
        except Forbidden:
            return

        registry.register(*map(tool_named, sorted(later)))

        reached = registry.granted(given_away)
        assert reached.keys() <= registry.granted(holder.tools).keys()
        assert not any(found.tags for found in reached.values())


def role_with(*tools: str) -> Role:
    """A role that is in no database."""
    then = datetime(2026, 1, 1, tzinfo=UTC)
    return Role(
        id=UUID(int=1),
        name="Holder",
        description="",
        base_prompt="",
        tools=tools,
        needs_tools=True,
        model=ModelConstraints(),
        parameters=Parameters(),
        output_schema=None,
        is_active=True,
        version=1,
        created_by="operator",
        created_at=then,
        updated_at=then,
        expires_at=None,
    )


@pytest.mark.parametrize(
    "document",
    [
        {"steps": [{"name": "Loop", "kind": "loop", "maxIterations": 2, "steps": [SEEK]}]},
        {"steps": [{"name": "Way", "kind": "branch", "cases": [{"name": "a", "when": True, "steps": [SEEK]}]}]},
        {"steps": [{**STEP, "onError": {"catch": [{"steps": [SEEK]}]}}]},
        {"steps": [{**STEP, "compensate": [SEEK]}]},
        {"steps": [STEP], "onFailure": [SEEK]},
        {"steps": [STEP], "finally": [SEEK]},
    ],
    ids=["a body", "a case", "a handler", "a compensation", "onFailure", "finally"],
)
async def test_no_slot_is_a_way_round_the_agents_role(designer: Agent, document: dict[str, Any]) -> None:
    registry.register(tool_named("web.search"))

    said = await refusal_of(designer.call("create_orchestration", name="seek", **document))

    assert said == "the step 'Seek' calls web.search; your role 'Designer' holds files.read"
