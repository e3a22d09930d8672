"""Orchestrations, made and changed by agents."""

from dataclasses import replace

from services import executions, orchestrations
from services.caller import OPERATOR
from tests.meta_tools.conftest import Agent, everything, made_role

ECHO = {
    "name": "echo",
    "description": "Says it again.",
    "tags": ["demo"],
    "input": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"said": "<<context.input.word>>"}}],
    "output": {"said": "<<context.Echo.said>>"},
    "outputSchema": {"type": "object"},
}


async def test_an_orchestration_is_made_and_found_again_by_the_id_that_came_back(designer: Agent) -> None:
    made = await designer.call("create_orchestration", **ECHO)

    found = await designer.call("get_orchestration", orchestration=made["id"])

    assert found == made
    assert (made["name"], made["version"], made["isActive"]) == ("echo", 1, True)
    assert {name: made["document"][name] for name in ECHO if name != "steps"} == {
        name: value for name, value in ECHO.items() if name != "steps"
    }
    assert made["document"]["steps"][0]["inputMapping"] == {"said": "<<context.input.word>>"}
    assert made["createdBy"] == "Designer for operator"


async def test_a_classic_document_may_name_its_role_by_id(designer: Agent) -> None:
    reader = await made_role("Reader")
    step = {"name": "Read", "stepType": "sequential", "roleId": str(reader.id), "order": 0}

    made = await designer.call("create_orchestration", name="reading", steps=[step])

    assert [(it["roleName"], it["kind"]) for it in made["document"]["steps"]] == [("Reader", "agent")]


async def test_a_document_is_shown_as_somebody_would_write_it(designer: Agent) -> None:
    inner = {"name": "Say", "kind": "transform", "order": 0, "inputMapping": {"n": "<<item>>"}}
    each = {"name": "Each", "kind": "map", "order": 0, "items": [1, 2], "maxItems": 2, "steps": [inner]}

    made = await designer.call("create_orchestration", name="each", steps=[each], limits={"maxStepRuns": 3})

    assert made["document"] == {"rolecall": 1, "name": "each", "limits": {"maxStepRuns": 3}, "steps": [each]}


async def test_every_problem_of_a_document_is_told_at_once(designer: Agent) -> None:
    await made_role("Reader")
    steps = [
        {"name": "Read", "kind": "llm", "roleName": "Reeder"},
        {"name": "Tell", "kind": "transform", "inputMapping": {"it": "<<context.Raed>>"}},
    ]
    before = await everything()

    refusal = await designer.refused("create_orchestration", name="reading", steps=steps)

    problems = [(it["code"], it["path"], it.get("suggestion")) for it in refusal["problems"]]
    assert refusal["code"] == "INVALID"
    assert problems == [
        ("UNKNOWN_ROLE", "/steps/0/roleName", "Reader"),
        ("UNKNOWN_REFERENCE", "/steps/1/inputMapping", "Read"),
    ]
    assert refusal["problems"][0]["allowed"] == ["Designer", "Reader"]
    assert await everything() == before


async def test_orchestrations_are_listed_by_tag_and_state(designer: Agent) -> None:
    await designer.call("create_orchestration", **ECHO)
    await designer.call("create_orchestration", **{**ECHO, "name": "other", "tags": []})
    await designer.call("update_orchestration", orchestration="other", isActive=False)

    assert [it["name"] for it in await designer.call("list_orchestrations")] == ["echo", "other"]
    assert [it["name"] for it in await designer.call("list_orchestrations", tag="demo")] == ["echo"]
    assert [it["name"] for it in await designer.call("list_orchestrations", isActive=False)] == ["other"]


async def test_changes_make_a_new_version(designer: Agent) -> None:
    made = await designer.call("create_orchestration", **ECHO)

    changed = await designer.call("update_orchestration", orchestration="echo", changes={"description": "Echoes."})

    assert (changed["id"], changed["version"], changed["description"]) == (made["id"], 2, "Echoes.")
    assert changed["document"] == {**made["document"], "description": "Echoes."}


async def test_one_that_never_ran_can_be_deleted_one_that_did_cannot(designer: Agent) -> None:
    await designer.call("create_orchestration", **ECHO)
    await designer.call("create_orchestration", **{**ECHO, "name": "ran"})
    await executions.start(OPERATOR, orchestration="ran", input={"word": "hi"})

    await designer.call("delete_orchestration", orchestration="echo")
    refusal = await designer.refused("delete_orchestration", orchestration="ran")

    assert refusal["code"] == "CONFLICT" and "isActive: false" in str(refusal["message"])
    assert [it.name for it in (await orchestrations.list_(OPERATOR)).items] == ["ran"]


async def test_a_repeated_creation_gives_back_the_orchestration_it_made(designer: Agent) -> None:
    first = await designer.call("create_orchestration", **ECHO)

    second = await designer.call("create_orchestration", **ECHO)

    assert second == first
    assert [(it.name, it.version) for it in (await orchestrations.list_(OPERATOR)).items] == [("echo", 1)]


async def test_a_creation_with_other_content_or_by_somebody_else_is_a_conflict(designer: Agent) -> None:
    await designer.call("create_orchestration", **ECHO)

    other_content = await designer.refused("create_orchestration", **{**ECHO, "description": "Another."})
    other_creator = await replace(designer, initiator="somebody else").refused("create_orchestration", **ECHO)

    assert (other_content["code"], other_creator["code"]) == ("CONFLICT", "CONFLICT")


async def test_one_that_has_changed_since_is_a_conflict(designer: Agent) -> None:
    await designer.call("create_orchestration", **ECHO)
    await designer.call("update_orchestration", orchestration="echo", changes={"description": "Another."})
    await designer.call("update_orchestration", orchestration="echo", changes={"description": ECHO["description"]})

    refusal = await designer.refused("create_orchestration", **ECHO)

    assert refusal["code"] == "CONFLICT"


async def test_one_that_was_switched_off_since_is_a_conflict(designer: Agent) -> None:
    await designer.call("create_orchestration", **ECHO)
    await designer.call("update_orchestration", orchestration="echo", isActive=False)

    refusal = await designer.refused("create_orchestration", **ECHO)

    assert refusal["code"] == "CONFLICT"
