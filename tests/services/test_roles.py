"""Roles: created, changed, versioned, deleted, refused."""

import asyncio

import pytest

from db.connection import Database
from services import orchestrations, roles
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.models.selection import ModelConstraints
from services.principal import Principal
from services.roles import Parameters, RoleChanges
from services.tools import registry
from tests.role_versions import newest_version


async def test_a_role_is_found_by_name_and_by_id_as_it_was_created() -> None:
    changes = RoleChanges(
        tools=("files.read",),
        model=ModelConstraints(preferred=("offline",)),
        parameters=Parameters(temperature=0.5),
        output_schema={"type": "object"},
    )

    created = await roles.create(OPERATOR, name="Critic", base_prompt="Be strict.", changes=changes)

    assert await roles.get(OPERATOR, role="Critic") == created
    assert await roles.get(OPERATOR, role=str(created.id)) == created
    assert (created.version, created.tools, created.created_by) == (1, ("files.read",), "operator")
    assert created.model == ModelConstraints(preferred=("offline",))


async def test_a_role_that_is_named_like_the_id_of_another_does_not_stand_in_for_it(opened: Database) -> None:
    id = "a1b2c3d4-0000-4000-8000-000000000001"
    await opened.pool.execute("INSERT INTO role (id, name, base_prompt, created_by) VALUES ($1, 'First', '', '')", id)

    await roles.create(OPERATOR, name=id, base_prompt="You are somebody else.")

    assert (await roles.get(OPERATOR, role=id)).name == "First"


async def test_each_change_of_content_is_a_version_and_others_are_not() -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="Read twice."))
    changed = await roles.update(OPERATOR, role="Reader", changes=RoleChanges(is_active=False))

    assert (changed.version, changed.base_prompt, changed.is_active) == (2, "Read twice.", False)


async def test_versions_keep_what_a_role_was(opened: Database) -> None:
    first = await newest_version("Reader")

    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="New."))

    assert (await roles.content(first)).base_prompt == "You are the Reader."
    second = await newest_version("Reader")
    assert (await roles.content(second)).base_prompt == "New."


async def test_a_rollback_is_a_new_version_with_an_old_content_and_the_name_of_now() -> None:
    before = await roles.update(
        OPERATOR, role="Reader", changes=RoleChanges(base_prompt="New.", tools=("files.read",), description="d")
    )
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(name="Elder"))

    first = await roles.rollback(OPERATOR, role="Elder", number=1)
    second = await roles.rollback(OPERATOR, role="Elder", number=2, if_version=4)

    assert (first.version, first.name, first.base_prompt, first.tools) == (4, "Elder", "You are the Reader.", ())
    assert (second.version, second.base_prompt, second.tools, second.description) == (5, "New.", ("files.read",), "d")
    assert second.id == before.id
    found = (await roles.versions(OPERATOR, role="Elder")).items
    assert [(it.number, it.name) for it in found] == [
        (5, "Elder"), (4, "Elder"), (3, "Elder"), (2, "Reader"), (1, "Reader"),
    ]  # fmt: skip


async def test_without_a_number_a_rollback_goes_to_the_version_before() -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="New."))

    assert (await roles.rollback(OPERATOR, role="Reader")).base_prompt == "You are the Reader."
    with pytest.raises(Conflict, match="role 'Writer' has no published version before; this needs an earlier one"):
        await roles.rollback(OPERATOR, role="Writer")
    with pytest.raises(NotFound, match=r"`role\.versions` shows those of 'Writer'"):
        await roles.rollback(OPERATOR, role="Writer", number=7)


async def test_a_content_whose_tool_has_gone_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(tools=("files.read",)))
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(tools=()))
    monkeypatch.setattr(registry, "_tools", {})

    with pytest.raises(Invalid, match=r"files\.read"):
        await roles.rollback(OPERATOR, role="Reader")

    assert (await roles.get(OPERATOR, role="Reader")).version == 3


async def test_of_two_updates_that_have_read_the_same_one_is_refused() -> None:
    both = await asyncio.gather(
        *(
            roles.update(OPERATOR, role="Reader", if_version=1, changes=RoleChanges(base_prompt=text))
            for text in ("left", "right")
        ),
        return_exceptions=True,
    )

    (refused,) = [result for result in both if isinstance(result, BaseException)]
    assert isinstance(refused, Conflict)
    assert str(refused).startswith("role 'Reader' is at version 2 and not at 1; this needs an update of what it is now")
    assert (await roles.get(OPERATOR, role="Reader")).version == 2


async def test_lists_go_by_name_and_page_by_name() -> None:
    assert [role.name for role in (await roles.list_(OPERATOR)).items] == ["Reader", "Writer"]
    assert [role.name for role in (await roles.list_(OPERATOR, after="Reader")).items] == ["Writer"]
    assert (await roles.list_(OPERATOR, tool="files.read")).items == []


async def test_a_taken_name_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="role 'Reader' exists already; this needs another name"):
        await roles.create(OPERATOR, name="Reader", base_prompt="")
    with pytest.raises(Conflict):
        await roles.update(OPERATOR, role="Writer", changes=RoleChanges(name="Reader"))


async def test_a_tool_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Invalid) as refusal:
        await roles.create(OPERATOR, name="Critic", base_prompt="", changes=RoleChanges(tools=("file.read",)))

    (problem,) = refusal.value.problems
    assert (problem.path, problem.suggestion) == ("/tools/0", "files.read")


async def test_a_role_that_a_step_uses_cannot_be_deleted() -> None:
    document = {"name": "flow", "steps": [{"name": "A", "kind": "llm", "roleName": "Reader"}]}
    await orchestrations.create(OPERATOR, document=document)

    with pytest.raises(Conflict, match="is used by steps of orchestrations"):
        await roles.delete(OPERATOR, role="Reader")
    assert (await roles.delete(OPERATOR, role="Writer")).name == "Writer"
    with pytest.raises(NotFound):
        await roles.get(OPERATOR, role="Writer")


async def test_who_lacks_the_scope_is_refused() -> None:
    guest = Caller(Principal(kind="human", name="guest", scopes=("roles.read",)))

    with pytest.raises(Forbidden, match=r"human 'guest' holds roles\.read; this needs roles\.write"):
        await roles.create(guest, name="Critic", base_prompt="")


async def test_who_may_write_and_not_read_still_writes_whole() -> None:
    writer = Caller(Principal(kind="service", name="writer", scopes=("roles.write",)))

    created = await roles.create(writer, name="Critic", base_prompt="")
    changed = await roles.update(writer, role="Critic", changes=RoleChanges(description="d"))
    deleted = await roles.delete(writer, role="Critic")

    assert (created.version, changed.description, deleted.name) == (1, "d", "Critic")
