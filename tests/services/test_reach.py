"""What a version reaches outside and what it leads to: put down when it is published, and compared with what is now."""

from typing import Any

import pytest

from db.connection import Database
from services import orchestrations, roles
from services.caller import OPERATOR
from services.definitions.diff import Change
from services.definitions.effects import Effect
from services.errors import Conflict
from services.json import JsonObject
from services.models.selection import ModelConstraints
from services.orchestrations import Version
from services.orchestrations.closure import CalledThen, Closure, RoleThen
from services.roles import RoleChanges
from services.tools import registry

LEAF: JsonObject = {"name": "leaf", "steps": [{"name": "Ask", "kind": "llm", "roleName": "Reader"}]}
MIDDLE: JsonObject = {"name": "middle", "steps": [{"name": "Call", "kind": "orchestration", "orchestration": "leaf"}]}
TOP: JsonObject = {
    "name": "top",
    "steps": [
        {"name": "Work", "kind": "agent", "roleName": "Writer"},
        {"name": "Call", "kind": "orchestration", "orchestration": "middle", "version": 1},
    ],
}


async def version(orchestration: str, number: int = 1) -> Version:
    return await orchestrations.version(OPERATOR, orchestration=orchestration, number=number)


async def edit(role: str, **changes: Any) -> None:
    await roles.update(OPERATOR, role=role, changes=RoleChanges(**changes))


async def test_effects_are_put_down_when_it_is_published() -> None:
    await edit("Writer", tools=("files.*",), model=ModelConstraints(preferred=("openai",)))
    await orchestrations.create(OPERATOR, document=LEAF)
    created = await orchestrations.create(OPERATOR, document={"name": "top", "steps": TOP["steps"][:1]})
    await edit("Writer", tools=(), model=ModelConstraints())

    then = (
        Effect(kind="model", name="openai", steps=("Work",)),
        *(
            Effect(kind="tool", name=name, steps=("Work",), effect=tool.effect, security=tool.security)
            for name, tool in registry.granted(["files.*"]).items()
        ),
    )
    assert created.effects == then
    assert (await orchestrations.get(OPERATOR, orchestration="top")).effects == then
    assert (await version("top")).effects == then


async def test_those_of_a_draft_are_those_of_now() -> None:
    await orchestrations.create(OPERATOR, document=LEAF)
    await orchestrations.draft(OPERATOR, orchestration="leaf", document={"name": "leaf", "steps": TOP["steps"][:1]})
    before = await version("leaf", 2)
    await edit("Writer", tools=("files.read",))
    after = await version("leaf", 2)

    assert [effect.kind for effect in before.effects] == ["model"]
    assert [effect.kind for effect in after.effects] == ["model", "tool"]


async def test_a_diff_says_first_what_comes_to_be_reached_and_what_no_more() -> None:
    await edit("Writer", tools=("files.read",))
    await orchestrations.create(OPERATOR, document=LEAF)
    await orchestrations.create(OPERATOR, document={"name": "flow", "steps": MIDDLE["steps"]})
    wanted = {"name": "flow", "steps": [{"name": "Work", "kind": "agent", "roleName": "Writer"}]}

    found = await orchestrations.diff(OPERATOR, orchestration="flow", document=wanted)

    assert found[:3] == (
        Change(what="added", field="effects", after={"kind": "model", "name": "*", "steps": ["Work"]}),
        Change(
            what="added",
            field="effects",
            after={"kind": "tool", "name": "files.read", "steps": ["Work"], "effect": "read", "security": "low"},
        ),
        Change(what="removed", field="effects", before={"kind": "orchestration", "name": "leaf", "steps": ["Call"]}),
    )
    assert [change.what for change in found[3:]] == ["removed", "added"]


async def test_the_closure_is_put_down_at_any_depth() -> None:
    for document in (LEAF, MIDDLE, TOP):
        await orchestrations.create(OPERATOR, document=document)
    await edit("Writer", base_prompt="You write well.")
    await orchestrations.update(OPERATOR, orchestration="top", changes={"description": "again"})
    found = await version("top", 2)
    ids = await roles.ids_by_name()

    assert found.closure == Closure(
        roles={"Writer": RoleThen(id=ids["Writer"], version=2), "Reader": RoleThen(id=ids["Reader"], version=1)},
        orchestrations={
            "middle@1": CalledThen(number=1, digest=(await version("middle")).digest or ""),
            "leaf": CalledThen(number=1, digest=(await version("leaf")).digest or ""),
        },
    )
    assert found.drift == ()


async def test_drift_names_what_is_another_now() -> None:
    for document in (LEAF, MIDDLE, TOP):
        await orchestrations.create(OPERATOR, document=document)
    await edit("Reader", base_prompt="You read well.")
    await orchestrations.update(OPERATOR, orchestration="middle", changes={"description": "another"})
    await orchestrations.update(OPERATOR, orchestration="leaf", changes={"description": "another"})

    # What is called by its number is the same still.
    assert (await version("top")).drift == ("Reader", "leaf")
    assert (await version("middle")).drift == ("Reader", "leaf")
    assert (await version("middle", 2)).drift == ("leaf",)
    assert (await version("leaf")).drift == ("Reader",)


async def test_a_role_that_has_another_name_now_is_the_same_role() -> None:
    await orchestrations.create(OPERATOR, document=LEAF)
    await edit("Reader", name="Scholar")

    assert (await version("leaf")).drift == ("Reader",)  # a name is part of a role's content, and so of its version
    assert (await version("leaf")).closure.roles["Reader"].id == (await roles.ids_by_name())["Scholar"]


async def test_what_its_owner_has_written_over_is_told_and_breaks_nothing_else(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document=LEAF)
    await orchestrations.create(OPERATOR, document=MIDDLE)
    await opened.pool.execute(
        "ALTER TABLE orchestration_version DISABLE TRIGGER USER;"
        """UPDATE orchestration_version SET effects = '[{"kind": "magic"}]' WHERE document ->> 'name' = 'leaf'"""
    )

    with pytest.raises(Conflict, match="no server has written"):
        await version("leaf")
    assert (await version("middle")).closure.orchestrations["leaf"].number == 1
