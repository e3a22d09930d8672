"""Orchestrations: created and changed whole, in versions."""

import asyncio

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.definitions.diff import Change
from services.definitions.digest import digest
from services.errors import Conflict, Invalid, NotFound
from services.json import JsonObject
from services.principal import Principal
from services.roles import RoleChanges

FLOW: JsonObject = {
    "name": "flow",
    "tags": ["demo"],
    "input": {
        "type": "object",
        "required": ["topic"],
        "properties": {"topic": {"type": "string"}, "n": {"default": 3}},
    },
    "steps": [{"name": "A", "kind": "llm", "roleName": "Reader"}, {"name": "B", "kind": "llm", "roleName": "Writer"}],
}


async def test_what_was_created_is_what_is_got() -> None:
    created = await orchestrations.create(OPERATOR, document=FLOW)

    assert await orchestrations.get(OPERATOR, orchestration="flow") == created
    assert (created.version, created.max_step_runs, created.is_active) == (1, 2, True)
    assert [step.name for step in created.document.steps] == ["A", "B"]
    assert created.digest == (await orchestrations.validate(OPERATOR, document=FLOW)).digest


async def test_a_document_with_problems_leaves_no_row(opened: Database) -> None:
    broken: JsonObject = {**FLOW, "steps": [{"name": "A", "kind": "llm", "roleName": "Raeder"}, {"name": "A"}]}

    with pytest.raises(Invalid) as refusal:
        await orchestrations.create(OPERATOR, document=broken)

    assert {problem.code for problem in refusal.value.problems} == {"UNKNOWN_ROLE", "DUPLICATE_NAME", "REQUIRED"}
    for table in ("orchestration", "orchestration_version", "orchestration_step"):
        assert await opened.pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_an_update_makes_a_version_only_when_something_changes() -> None:
    before = await orchestrations.create(OPERATOR, document=FLOW)

    same = await orchestrations.update(OPERATOR, orchestration="flow", changes={"tags": ["demo"]})
    renamed = await orchestrations.update(OPERATOR, orchestration="flow", changes={"name": "river", "description": "d"})

    assert same == before or same.version == 1
    assert (renamed.name, renamed.description, renamed.version) == ("river", "d", 2)
    with pytest.raises(NotFound):
        await orchestrations.get(OPERATOR, orchestration="flow")


async def test_updates_at_the_same_time_each_get_their_version() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)

    async with asyncio.TaskGroup() as group:
        for text in ("one", "two", "three"):
            group.create_task(orchestrations.update(OPERATOR, orchestration="flow", changes={"description": text}))

    assert (await orchestrations.get(OPERATOR, orchestration="flow")).version == 4


async def test_lists_filter_by_tag_and_state() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)
    await orchestrations.create(OPERATOR, document={**FLOW, "name": "other", "tags": []})
    await orchestrations.update(OPERATOR, orchestration="other", is_active=False)

    assert [it.name for it in (await orchestrations.list_(OPERATOR)).items] == ["flow", "other"]
    assert [it.name for it in (await orchestrations.list_(OPERATOR, tags=("demo",))).items] == ["flow"]
    assert [it.name for it in (await orchestrations.list_(OPERATOR, is_active=False)).items] == ["other"]


async def test_an_orchestration_that_was_executed_cannot_be_deleted() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)
    await orchestrations.create(OPERATOR, document={**FLOW, "name": "never"})
    await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})

    with pytest.raises(Conflict, match="was executed"):
        await orchestrations.delete(OPERATOR, orchestration="flow")
    assert (await orchestrations.delete(OPERATOR, orchestration="never")).name == "never"


async def test_who_may_write_and_not_read_still_writes_whole() -> None:
    writer = Caller(Principal(kind="service", name="writer", scopes=("orchestrations.write",)))

    created = await orchestrations.create(writer, document=FLOW)
    changed = await orchestrations.update(writer, orchestration="flow", changes={"description": "d"})
    deleted = await orchestrations.delete(writer, orchestration="flow")

    assert (created.version, changed.version, deleted.name) == (1, 2, "flow")


async def test_a_diff_tells_what_a_document_would_change_and_changes_nothing() -> None:
    before = await orchestrations.create(OPERATOR, document=FLOW)
    wanted: JsonObject = {**FLOW, "tags": [], "steps": [{"name": "A", "kind": "llm", "roleName": "Writer"}]}

    same = await orchestrations.diff(OPERATOR, orchestration="flow", document=FLOW)
    found = await orchestrations.diff(OPERATOR, orchestration="flow", document=wanted)

    assert same == ()
    assert found == (
        Change(what="changed", field="tags", before=["demo"], after=[]),
        Change(what="removed", step="B", before={"name": "B", "kind": "llm", "order": 1, "roleName": "Writer"}),
        Change(what="changed", step="A", field="roleName", before="Reader", after="Writer"),
    )
    assert await orchestrations.get(OPERATOR, orchestration="flow") == before


async def test_a_diff_with_a_broken_document_names_its_problems() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)

    with pytest.raises(Invalid) as refusal:
        await orchestrations.diff(OPERATOR, orchestration="flow", document={**FLOW, "steps": []})

    assert [problem.path for problem in refusal.value.problems] == ["/steps"]


async def test_updates_at_the_same_time_build_on_each_other() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)

    async with asyncio.TaskGroup() as group:
        for changes in ({"description": "d"}, {"tags": ["t"]}, {"output": {"a": "<<context.A>>"}}):
            group.create_task(orchestrations.update(OPERATOR, orchestration="flow", changes=changes))

    document = (await orchestrations.get(OPERATOR, orchestration="flow")).document
    assert (document.description, document.tags, document.output) == ("d", ("t",), {"a": "<<context.A>>"})


async def test_an_orchestration_whose_role_is_off_can_be_switched_off_too() -> None:
    await orchestrations.create(OPERATOR, document=FLOW)
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(is_active=False))

    assert not (await orchestrations.update(OPERATOR, orchestration="flow", is_active=False)).is_active


async def test_steps_in_steps_are_rows_below_rows(opened: Database) -> None:
    read: JsonObject = {"kind": "tool", "tool": "files.read", "inputMapping": {"path": "<<item>>"}}
    undo: JsonObject = {"name": "Undo", "kind": "llm", "roleName": "Writer", "timeout": 300_000}
    document: JsonObject = {
        **FLOW,
        "steps": [
            {
                "name": "Each",
                "kind": "map",
                "items": ["a", "b"],
                "steps": [
                    {**read, "name": "Read", "onError": {"catch": [{"as": "why", "steps": [{**undo, "name": "H"}]}]}}
                ],
            },
            {
                "name": "Way",
                "kind": "branch",
                "cases": [{"name": "long", "when": "input.n > 3", "steps": [{**undo, "name": "Cut"}]}],
                "else": [{**undo, "name": "Keep", "compensate": [undo]}],
            },
        ],
        "finally": [{**undo, "name": "Last"}],
    }

    created = await orchestrations.create(OPERATOR, document=document)

    rows = await opened.pool.fetch(
        "SELECT step.name, parent.name AS parent, step.slot FROM orchestration_step AS step"
        " LEFT JOIN orchestration_step AS parent ON parent.id = step.parent_id"
    )
    assert {(row["name"], row["parent"], row["slot"]) for row in rows} == {
        ("Each", None, "main"),
        ("Read", "Each", "body"),
        ("H", "Read", "catch:0"),
        ("Way", None, "main"),
        ("Cut", "Way", "case:long"),
        ("Keep", "Way", "else"),
        ("Undo", "Keep", "compensate"),
        ("Last", None, "finally"),
    }
    assert await orchestrations.diff(OPERATOR, orchestration="flow", document=document) == ()
    assert created.digest == digest(created.document)
    assert set(await orchestrations.newest_roles(created.version_id)) == {"Writer"}


async def test_new_defaults_reach_the_steps_that_had_the_old_ones() -> None:
    document: JsonObject = {**FLOW, "defaults": {"maxRetries": 1}}
    await orchestrations.create(OPERATOR, document=document)

    changed = await orchestrations.update(OPERATOR, orchestration="flow", changes={"defaults": {"maxRetries": 2}})

    assert [step.max_retries for step in changed.document.steps] == [2, 2]
    assert changed.max_step_runs == 6
