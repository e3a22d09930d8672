"""Versions: drafted, proposed, published, made active, rolled back, rejected, archived; and what breaks whom."""

import asyncio
from typing import Any

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from services.json import JsonObject
from services.principal import Principal
from services.roles import RoleChanges
from tests.services.test_orchestrations import FLOW

GUEST = Caller(Principal(kind="agent", name="guest", scopes=("orchestrations.propose", "orchestrations.read")))
STRICTER = {**FLOW["input"], "required": ["topic", "n"], "properties": {"topic": {"type": "string"}}}


def described(text: str, **fields: Any) -> JsonObject:
    return {**FLOW, "description": text, **fields}


async def numbered(*texts: str) -> None:
    """Versions of `flow`, all published, the last of them active."""
    await orchestrations.create(OPERATOR, document=described(texts[0]))
    for text in texts[1:]:
        await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": text})


async def active_number() -> int | None:
    return (await orchestrations.get(OPERATOR, orchestration="flow")).version


async def test_a_draft_changes_nothing_until_it_is_published() -> None:
    await numbered("one")

    drafted = await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two"), message="why")

    assert (drafted.number, drafted.status, drafted.message, drafted.problems) == (2, "draft", "why", ())
    assert (await orchestrations.get(OPERATOR, orchestration="flow")).description == "one"

    published = await orchestrations.publish(OPERATOR, orchestration="flow", number=2)

    assert (published.status, published.is_active, published.major) == ("published", True, 1)
    assert (published.decided_by, published.digest) == ("operator", drafted.digest)
    assert (await orchestrations.get(OPERATOR, orchestration="flow")).description == "two"


async def test_a_draft_of_a_new_orchestration_is_run_by_nobody() -> None:
    drafted = await orchestrations.draft(OPERATOR, document=FLOW)

    with pytest.raises(Conflict, match="has no active version"):
        await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})
    (listed,) = (await orchestrations.list_(OPERATOR)).items
    assert (drafted.number, listed.name, listed.version) == (1, "flow", None)

    await orchestrations.publish(OPERATOR, orchestration="flow", number=1)

    assert (await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})).version == 1


async def test_a_draft_may_wait_for_its_roles_and_is_published_with_those_of_then(opened: Database) -> None:
    document = {**FLOW, "steps": [{"name": "A", "kind": "llm", "roleName": "Later"}]}

    drafted = await orchestrations.draft(OPERATOR, document=document)

    assert [problem.code for problem in drafted.problems] == ["UNKNOWN_ROLE"]
    with pytest.raises(Invalid, match="Later"):
        await orchestrations.publish(OPERATOR, orchestration="flow", number=1)

    later = await roles.create(OPERATOR, name="Later", base_prompt="")
    published = await orchestrations.publish(OPERATOR, orchestration="flow", number=1)

    assert published.problems == ()
    used = await opened.pool.fetchval("SELECT role_id FROM orchestration_step WHERE version_id = $1", published.id)
    assert used == later.id


async def test_a_draft_is_replaced_only_by_who_has_seen_it() -> None:
    first = await orchestrations.draft(OPERATOR, document=described("one"))

    second = await orchestrations.draft(
        OPERATOR, orchestration="flow", number=1, document=described("two"), if_digest=first.digest
    )

    assert (second.id, second.number, second.document.description) == (first.id, 1, "two")
    with pytest.raises(Conflict, match="read it again"):
        await orchestrations.draft(
            OPERATOR, orchestration="flow", number=1, document=described("three"), if_digest=first.digest
        )


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"name": "flow", "steps": 7}, "WRONG_VALUE"),
        ({**FLOW, "steps": [FLOW["steps"][0], FLOW["steps"][0]]}, "DUPLICATE_NAME"),
        ({**FLOW, "steps": [{**FLOW["steps"][0], "name": "context"}]}, "RESERVED_NAME"),
    ],
)
async def test_what_no_row_can_hold_is_no_draft(opened: Database, document: JsonObject, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await orchestrations.draft(OPERATOR, document=document)

    assert {problem.code for problem in refusal.value.problems} == {code}
    assert await opened.pool.fetchval("SELECT count(*) FROM orchestration") == 0


async def test_a_discarded_draft_is_gone() -> None:
    await numbered("one")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two"))

    await orchestrations.discard(OPERATOR, orchestration="flow", number=2)

    with pytest.raises(NotFound, match="there is no version 2"):
        await orchestrations.version(OPERATOR, orchestration="flow", number=2)
    with pytest.raises(Conflict, match="version 1 is published; this needs one that is draft"):
        await orchestrations.discard(OPERATOR, orchestration="flow", number=1)


async def test_who_may_not_write_proposes_and_somebody_else_publishes() -> None:
    await numbered("one")

    proposed = await orchestrations.propose(GUEST, orchestration="flow", document=described("two"), message="better")

    assert (proposed.number, proposed.status, proposed.created_by) == (2, "proposed", "guest")
    assert await active_number() == 1
    for decide in (orchestrations.publish, orchestrations.reject):
        with pytest.raises(Forbidden, match=r"this needs orchestrations\.write"):
            await decide(GUEST, orchestration="flow", number=2)

    published = await orchestrations.publish(OPERATOR, orchestration="flow", number=2)

    assert (published.created_by, published.decided_by, published.message) == ("guest", "operator", "better")
    assert await active_number() == 2


async def test_a_proposal_that_was_rejected_stays_rejected() -> None:
    await numbered("one")
    await orchestrations.propose(GUEST, orchestration="flow", document=described("two"))

    rejected = await orchestrations.reject(OPERATOR, orchestration="flow", number=2, reason="no need")

    assert (rejected.status, rejected.decided_by, rejected.rejection) == ("rejected", "operator", "no need")
    assert rejected.rejected_at is not None
    for decide in (orchestrations.publish, orchestrations.reject):
        with pytest.raises(Conflict, match="version 2 is rejected; this needs one that is"):
            await decide(OPERATOR, orchestration="flow", number=2)


async def test_a_proposal_is_not_published_with_other_roles_than_it_named() -> None:
    await numbered("one")
    await orchestrations.propose(GUEST, orchestration="flow", document=described("two"))
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(name="Elder"))
    await roles.create(OPERATOR, name="Reader", base_prompt="Another one.")

    with pytest.raises(Conflict, match="was proposed when the role of its step 'A' was another"):
        await orchestrations.publish(OPERATOR, orchestration="flow", number=2)


async def test_what_is_published_may_wait_to_be_made_active() -> None:
    await numbered("one")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two", name="river"))

    waiting = await orchestrations.publish(OPERATOR, orchestration="flow", number=2, activate=False)

    assert (waiting.status, waiting.is_active, await active_number()) == ("published", False, 1)

    active = await orchestrations.activate(OPERATOR, orchestration="flow", number=2)

    assert (active.name, active.description, active.version) == ("river", "two", 2)


async def test_a_rollback_goes_to_the_published_version_before_and_takes_its_name_along() -> None:
    await numbered("one", "two", "three")
    await orchestrations.archive(OPERATOR, orchestration="flow", number=2)

    back = await orchestrations.rollback(OPERATOR, orchestration="flow", if_version=3)

    assert (back.version, back.description) == (1, "one")
    with pytest.raises(Conflict, match="is at version 1"):
        await orchestrations.rollback(OPERATOR, orchestration="flow", if_version=3)
    with pytest.raises(Conflict, match="has no published version before 1"):
        await orchestrations.rollback(OPERATOR, orchestration="flow")


async def test_a_rollback_to_a_number_goes_back_and_never_forward() -> None:
    await numbered("one", "two", "three")

    assert (await orchestrations.rollback(OPERATOR, orchestration="flow", number=1)).version == 1
    for number in (1, 2):
        with pytest.raises(Invalid, match="is not before 1"):
            await orchestrations.rollback(OPERATOR, orchestration="flow", number=number)


async def test_what_runs_keeps_to_its_version_and_what_starts_takes_the_active_one() -> None:
    await numbered("one", "two")
    before = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})

    await orchestrations.rollback(OPERATOR, orchestration="flow")

    after = await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})
    kept = await executions.get(OPERATOR, execution=before.id)
    assert (kept.version, after.version) == (2, 1)


async def test_the_active_version_is_not_archived_and_an_archived_one_not_made_active() -> None:
    await numbered("one", "two")

    with pytest.raises(Conflict, match="version 2 is active"):
        await orchestrations.archive(OPERATOR, orchestration="flow", number=2)
    assert (await orchestrations.archive(OPERATOR, orchestration="flow", number=1)).status == "archived"
    for decide in (orchestrations.activate, orchestrations.rollback):
        with pytest.raises(Conflict, match="version 1 is archived"):
            await decide(OPERATOR, orchestration="flow", number=1)


async def test_a_lost_update_is_refused() -> None:
    await numbered("one")
    before = await orchestrations.get(OPERATOR, orchestration="flow")
    changing = {"orchestration": "flow", "if_version": 1}
    await orchestrations.update(OPERATOR, **changing, changes={"description": "two"})

    for late in (changing, {"orchestration": "flow", "if_digest": before.digest}):
        with pytest.raises(Conflict, match="read it again"):
            await orchestrations.update(OPERATOR, **late, changes={"description": "lost"})
    now = await orchestrations.get(OPERATOR, orchestration="flow")
    await orchestrations.update(OPERATOR, orchestration="flow", if_digest=now.digest, changes={"description": "three"})

    assert (await orchestrations.get(OPERATOR, orchestration="flow")).description == "three"


async def test_of_two_updates_that_have_read_the_same_one_is_refused() -> None:
    await numbered("one")

    both = await asyncio.gather(
        *(
            orchestrations.update(OPERATOR, orchestration="flow", if_version=1, changes={"description": text})
            for text in ("left", "right")
        ),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in both) == ["Conflict", "Orchestration"]
    assert await active_number() == 2


async def test_of_two_decisions_about_a_proposal_one_counts() -> None:
    await numbered("one")
    await orchestrations.propose(GUEST, orchestration="flow", document=described("two"))

    both = await asyncio.gather(
        orchestrations.publish(OPERATOR, orchestration="flow", number=2),
        orchestrations.reject(OPERATOR, orchestration="flow", number=2),
        return_exceptions=True,
    )

    (refused,) = [result for result in both if isinstance(result, BaseException)]
    assert isinstance(refused, Conflict)


async def test_what_breaks_callers_is_refused_and_with_breaking_a_new_major() -> None:
    await numbered("one")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two", input=STRICTER))

    with pytest.raises(Invalid, match="published as major 2"):
        await orchestrations.publish(OPERATOR, orchestration="flow", number=2)
    with pytest.raises(Invalid, match="published as major 2") as refusal:
        await orchestrations.update(OPERATOR, orchestration="flow", changes={"input": STRICTER})
    assert [(it.code, it.path) for it in refusal.value.problems] == [("BREAKING_CHANGE", "/input/required")]

    published = await orchestrations.publish(OPERATOR, orchestration="flow", number=2, breaking=True)
    compatible = await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "three"})

    assert (published.major, compatible.version) == (2, 3)
    # After a rollback callers rely on the first major again.
    await orchestrations.rollback(OPERATOR, orchestration="flow", number=1)
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "four"})
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"input": STRICTER}, breaking=True)
    majors = {it.number: it.major for it in (await orchestrations.versions(OPERATOR, orchestration="flow")).items}
    assert majors == {1: 1, 2: 2, 3: 2, 4: 1, 5: 3}


async def test_an_update_that_breaks_nobody_is_no_new_major_even_if_it_may() -> None:
    await numbered("one")

    await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "two"}, breaking=True)

    assert (await orchestrations.version(OPERATOR, orchestration="flow", number=2)).major == 1


async def test_versions_are_listed_newest_first_by_status_and_page_by_page() -> None:
    await numbered("one", "two", "three")
    await orchestrations.propose(GUEST, orchestration="flow", document=described("four"))

    first = await orchestrations.versions(OPERATOR, orchestration="flow", limit=2)
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("five"))
    rest = await orchestrations.versions(OPERATOR, orchestration="flow", limit=2, cursor=first.next_cursor)
    proposed = await orchestrations.versions(OPERATOR, orchestration="flow", status="proposed")

    assert [it.number for it in first.items] == [4, 3]
    assert ([it.number for it in rest.items], rest.next_cursor) == ([2, 1], None)
    assert [(it.number, it.created_by) for it in proposed.items] == [(4, "guest")]


async def test_any_two_versions_can_be_compared_and_one_with_a_document() -> None:
    await numbered("one", "two")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("three"))

    async def told(**which: Any) -> list[tuple[Any, Any]]:
        found = await orchestrations.diff(OPERATOR, orchestration="flow", **which)
        return [(change.before, change.after) for change in found]

    assert await told(from_=1, to=3) == [("one", "three")]
    assert await told(to=1) == [("two", "one")]
    assert await told(from_=1) == [("one", "two")]
    assert await told(from_=3, document=described("four")) == [("three", "four")]
    with pytest.raises(Invalid, match="give one of them"):
        await told(to=1, document=FLOW)


async def test_rows_that_somebody_has_broken_disable_only_their_own_version(opened: Database) -> None:
    await numbered("one")
    draft = await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two"))
    await opened.pool.execute("UPDATE orchestration_step SET config = '{\"steps\": 7}' WHERE version_id = $1", draft.id)

    for ask in (orchestrations.version, orchestrations.publish):
        with pytest.raises(Conflict, match="no document can be read from"):
            await ask(OPERATOR, orchestration="flow", number=2)
    assert len((await orchestrations.versions(OPERATOR, orchestration="flow")).items) == 2
    assert (await orchestrations.discard(OPERATOR, orchestration="flow", number=2)).number == 2


async def test_a_version_of_another_s_name_is_not_made_active() -> None:
    await numbered("one")
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"name": "river"})
    await orchestrations.create(OPERATOR, document=FLOW)

    with pytest.raises(Conflict, match="orchestration 'flow' exists already"):
        await orchestrations.rollback(OPERATOR, orchestration="river")

    assert (await orchestrations.get(OPERATOR, orchestration="river")).version == 2


@pytest.mark.parametrize("orchestration", ["nothing", "00000000-0000-7000-8000-000000000000"])
async def test_versions_of_nothing_are_not_found(orchestration: str) -> None:
    asked = {"orchestration": orchestration, "number": 1}
    calls = [
        orchestrations.versions(OPERATOR, orchestration=orchestration),
        orchestrations.propose(OPERATOR, orchestration=orchestration, document=FLOW),
        orchestrations.draft(OPERATOR, orchestration=orchestration, document=FLOW),
        *(
            ask(OPERATOR, **asked)
            for ask in (
                orchestrations.version,
                orchestrations.publish,
                orchestrations.reject,
                orchestrations.activate,
                orchestrations.rollback,
                orchestrations.archive,
                orchestrations.discard,
            )
        ),
    ]

    refused = [type(error) for call in calls if isinstance(error := await _refusal(call), ServiceError)]

    assert refused == [NotFound] * len(calls)


async def _refusal(call: Any) -> BaseException | None:
    try:
        await call
    except ServiceError as error:
        return error
    return None
