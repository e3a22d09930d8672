"""Versions of roles: drafted, proposed, published, rejected, archived, compared."""

import asyncio
import time
from typing import Any

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from services.models.selection import ModelConstraints
from services.principal import Principal
from services.roles import ContentChanges, FieldChange, RoleChanges
from tests.role_versions import newest_version

GUEST = Caller(Principal(kind="agent", name="guest", scopes=("roles.propose", "roles.read")))


def prompt(text: str) -> ContentChanges:
    return ContentChanges(base_prompt=text)


async def numbers() -> list[tuple[int, str, bool]]:
    found = (await roles.versions(OPERATOR, role="Reader")).items
    return [(it.number, it.status, it.is_present) for it in found]


async def test_a_draft_changes_nothing_until_it_is_published() -> None:
    before = await roles.get(OPERATOR, role="Reader")

    drafted = await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."), message="why")

    assert (drafted.number, drafted.status, drafted.is_present, drafted.message) == (2, "draft", False, "why")
    assert (drafted.base_prompt, drafted.created_by, drafted.name) == ("Twice.", "operator", "Reader")
    assert await roles.get(OPERATOR, role="Reader") == before

    published = await roles.publish(OPERATOR, role="Reader", number=2, if_version=1)

    now = await roles.get(OPERATOR, role="Reader")
    assert (published.status, published.is_present, published.decided_by) == ("published", True, "operator")
    assert (now.version, now.base_prompt, now.tools) == (2, "Twice.", before.tools)
    assert await numbers() == [(2, "published", True), (1, "published", False)]


async def test_all_of_a_content_is_published() -> None:
    changes = ContentChanges(
        name="Elder", description="d", base_prompt="p", tools=("files.read",), needs_tools=True,
        model=ModelConstraints(min_context_tokens=9_000), output_schema={"type": "object"},
    )  # fmt: skip
    await roles.draft(OPERATOR, role="Reader", changes=changes)

    await roles.publish(OPERATOR, role="Reader", number=2)

    now = await roles.get(OPERATOR, role="Elder")
    given = {name: getattr(changes, name) for name in changes.__struct_fields__ if name != "parameters"}
    assert {name: getattr(now, name) for name in given} == given
    back = await roles.draft(OPERATOR, role="Elder", changes=ContentChanges(output_schema=None))
    await roles.publish(OPERATOR, role="Elder", number=back.number)
    assert (await roles.get(OPERATOR, role="Elder")).output_schema is None


async def test_what_runs_keeps_to_its_version_and_what_starts_takes_the_published_one() -> None:
    document = {"name": "flow", "steps": [{"name": "A", "kind": "llm", "roleName": "Reader"}]}
    await orchestrations.create(OPERATOR, document=document)
    first = await newest_version("Reader")
    await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."))

    version = (await orchestrations.get(OPERATOR, orchestration="flow")).version_id
    assert await orchestrations.newest_roles(version) == {"Reader": first}

    await roles.publish(OPERATOR, role="Reader", number=2)

    assert await orchestrations.newest_roles(version) == {"Reader": await newest_version("Reader")}
    assert (await roles.content(first)).base_prompt == "You are the Reader."
    assert (await executions.start(OPERATOR, orchestration="flow")).version == 1


async def test_a_draft_is_edited_field_by_field_and_discarded() -> None:
    await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."))

    edited = await roles.draft(OPERATOR, role="Reader", number=2, changes=ContentChanges(description="d"))

    assert (edited.number, edited.base_prompt, edited.description) == (2, "Twice.", "d")
    assert await roles.discard(OPERATOR, role="Reader", number=2) == edited
    assert await numbers() == [(1, "published", True)]
    for number, error in ((1, Conflict), (2, NotFound)):
        with pytest.raises(error):
            await roles.discard(OPERATOR, role="Reader", number=number)
        with pytest.raises(error):
            await roles.draft(OPERATOR, role="Reader", number=number, changes=prompt("No."))


async def test_a_draft_may_have_problems_until_it_is_published() -> None:
    changes = ContentChanges(tools=("file.read",), output_schema={"type": 7})

    drafted = await roles.draft(OPERATOR, role="Reader", changes=changes)

    assert {problem.path.split("/")[1] for problem in drafted.problems} == {"tools", "outputSchema"}
    with pytest.raises(Invalid) as refusal:
        await roles.publish(OPERATOR, role="Reader", number=2)
    assert refusal.value.problems == drafted.problems
    with pytest.raises(Invalid):
        await roles.propose(OPERATOR, role="Reader", changes=changes)
    assert (await roles.get(OPERATOR, role="Reader")).version == 1


async def test_who_may_not_write_proposes_and_somebody_else_decides() -> None:
    proposed = await roles.propose(GUEST, role="Reader", changes=prompt("Twice."), message="better")

    assert (proposed.status, proposed.created_by, proposed.message) == ("proposed", "guest", "better")
    for decide in (roles.publish, roles.reject, roles.archive, roles.discard):
        with pytest.raises(Forbidden, match=r"this needs roles\.write"):
            await decide(GUEST, role="Reader", number=2)
    with pytest.raises(Forbidden):
        await roles.draft(GUEST, role="Reader", changes=prompt("Twice."))
    with pytest.raises(Conflict, match="version 2 is proposed; this needs one that is draft"):
        await roles.draft(OPERATOR, role="Reader", number=2, changes=prompt("Sneaked in."))

    rejected = await roles.reject(OPERATOR, role="Reader", number=2, reason="no need")

    assert (rejected.status, rejected.rejection, rejected.decided_by) == ("rejected", "no need", "operator")
    for decide in (roles.publish, roles.reject):
        with pytest.raises(Conflict, match="version 2 is rejected"):
            await decide(OPERATOR, role="Reader", number=2)
    again = await roles.propose(GUEST, role="Reader", changes=prompt("Twice."))
    await roles.publish(OPERATOR, role="Reader", number=again.number)
    assert (await roles.get(OPERATOR, role="Reader")).version == 3


async def test_what_was_written_before_an_edit_does_not_undo_it() -> None:
    await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."))
    edited = await roles.update(OPERATOR, role="Reader", changes=RoleChanges(description="d"))

    with pytest.raises(Conflict, match="version 2 is older than version 3, which the role is at"):
        await roles.publish(OPERATOR, role="Reader", number=2)

    assert await roles.get(OPERATOR, role="Reader") == edited
    assert await numbers() == [(3, "published", True), (2, "draft", False), (1, "published", False)]


async def test_who_has_read_another_version_publishes_nothing() -> None:
    first = await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."))
    second = await roles.draft(OPERATOR, role="Reader", changes=prompt("Thrice."))
    await roles.publish(OPERATOR, role="Reader", number=first.number, if_version=1)

    for ask in (
        roles.publish(OPERATOR, role="Reader", number=second.number, if_version=1),
        roles.draft(OPERATOR, role="Reader", changes=prompt("No."), if_version=1),
        roles.propose(OPERATOR, role="Reader", changes=prompt("No."), if_version=1),
    ):
        with pytest.raises(Conflict, match="role 'Reader' is at version 2 and not at 1"):
            await ask


async def test_of_two_decisions_about_a_proposal_one_counts() -> None:
    await roles.propose(GUEST, role="Reader", changes=prompt("Twice."))

    both = await asyncio.gather(
        roles.publish(OPERATOR, role="Reader", number=2),
        roles.reject(OPERATOR, role="Reader", number=2),
        return_exceptions=True,
    )

    (refused,) = [result for result in both if isinstance(result, BaseException)]
    assert isinstance(refused, Conflict)


async def test_drafts_edits_and_proposals_at_once_get_numbers_of_their_own() -> None:
    made = await asyncio.gather(
        *(roles.draft(OPERATOR, role="Reader", changes=prompt(f"d{number}")) for number in range(4)),
        *(roles.propose(GUEST, role="Reader", changes=prompt(f"p{number}")) for number in range(4)),
        *(roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt=f"e{number}")) for number in range(4)),
    )

    assert len(made) == 12
    assert [number for number, _, _ in await numbers()] == list(range(13, 0, -1))


async def test_a_roll_back_passes_by_what_was_never_published_or_is_archived() -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="two"))
    await roles.draft(OPERATOR, role="Reader", changes=prompt("three"))
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="four"))
    archived = await roles.archive(OPERATOR, role="Reader", number=2)

    back = await roles.rollback(OPERATOR, role="Reader")

    assert (archived.status, back.version, back.base_prompt) == ("archived", 5, "You are the Reader.")
    for number, why in ((2, "is archived"), (3, "is draft")):
        with pytest.raises(Conflict, match=f"version {number} {why}; this needs one that is published"):
            await roles.rollback(OPERATOR, role="Reader", number=number)
    with pytest.raises(Conflict, match="version 5 is what the role is"):
        await roles.archive(OPERATOR, role="Reader", number=5)


async def test_a_published_name_that_is_another_s_is_refused() -> None:
    await roles.draft(OPERATOR, role="Reader", changes=ContentChanges(name="Writer"))

    with pytest.raises(Conflict, match="role 'Writer' exists already"):
        await roles.publish(OPERATOR, role="Reader", number=2)


async def test_versions_are_listed_by_status_and_page_by_page() -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="two"))
    await roles.propose(GUEST, role="Reader", changes=prompt("three"))

    first = await roles.versions(OPERATOR, role="Reader", limit=2)
    rest = await roles.versions(OPERATOR, role="Reader", limit=2, cursor=first.next_cursor)
    proposed = await roles.versions(OPERATOR, role="Reader", status="proposed")

    assert [it.number for it in first.items + rest.items] == [3, 2, 1]
    assert [(it.number, it.created_by) for it in proposed.items] == [(3, "guest")]
    assert [it.created_by for it in rest.items] == [None]


async def test_two_versions_differ_by_fields_and_texts_by_lines() -> None:
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt="Be kind.\nBe short.\nBe quick."))
    await roles.draft(
        OPERATOR,
        role="Reader",
        changes=ContentChanges(base_prompt="Be kind.\nBe brief.\nBe quick.", tools=("files.read",)),
    )

    lines = ("  Be kind.", "- Be short.", "+ Be brief.", "  Be quick.")
    changed = FieldChange(
        field="basePrompt",
        before="Be kind.\nBe short.\nBe quick.",
        after="Be kind.\nBe brief.\nBe quick.",
        lines=lines,
    )
    tools = FieldChange(field="tools", before=[], after=["files.read"])
    assert await roles.diff(OPERATOR, role="Reader", to=3) == (changed, tools)
    assert [it.field for it in await roles.diff(OPERATOR, role="Reader", from_=1)] == ["basePrompt"]
    assert await roles.diff(OPERATOR, role="Reader") == ()
    with pytest.raises(NotFound, match="there is no version 4"):
        await roles.diff(OPERATOR, role="Reader", from_=4)


@pytest.mark.parametrize("lines", [("a", "b"), ("a",), tuple(str(number) for number in range(50))])
async def test_texts_of_any_kind_are_compared_in_no_time(lines: tuple[str, ...]) -> None:
    one, other = ["\n".join((lines * 50_000)[:size]) for size in (999, 1_001)]
    longest = ["x\n" * 50_000, "y\n" * 50_000]
    for texts in ((one, other), longest):
        for text in texts:
            await roles.update(OPERATOR, role="Reader", changes=RoleChanges(base_prompt=text))
        began = time.monotonic()
        (change,) = await roles.diff(OPERATOR, role="Reader", from_=await _last_but_one())
        assert time.monotonic() - began < 2
        assert "\n".join(line[2:] for line in change.lines if not line.startswith("- ")) == texts[1].rstrip("\n")


async def _last_but_one() -> int:
    return (await numbers())[1][0]


async def test_a_row_that_somebody_has_broken_hides_no_other(opened: Database) -> None:
    await roles.draft(OPERATOR, role="Reader", changes=prompt("Twice."))
    await opened.pool.execute(
        'UPDATE role_version SET content = content || \'{"model": {"preferred": 7}}\' WHERE number = 2'
    )

    assert len(await numbers()) == 2
    with pytest.raises(Invalid, match="/model"):
        await roles.publish(OPERATOR, role="Reader", number=2)


@pytest.mark.parametrize("role", ["Nobody", "00000000-0000-7000-8000-000000000000"])
async def test_versions_of_nobody_are_not_found(role: str) -> None:
    calls: list[Any] = [
        roles.versions(OPERATOR, role=role),
        roles.diff(OPERATOR, role=role),
        roles.draft(OPERATOR, role=role, changes=prompt("")),
        roles.propose(OPERATOR, role=role, changes=prompt("")),
        *(ask(OPERATOR, role=role, number=1) for ask in (roles.publish, roles.reject, roles.discard, roles.archive)),
    ]
    for call in calls:
        with pytest.raises(ServiceError) as refusal:
            await call
        assert isinstance(refusal.value, NotFound)
