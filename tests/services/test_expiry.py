"""Expiry: what agents make is in use for some days, unless a person keeps it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from db.acting import act_as
from db.connection import Database
from services import executions, expiry, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.engine import journal
from services.engine.core.events import ExecutionCancelled
from services.errors import Conflict, Forbidden
from services.principal import SCOPES, Principal
from services.roles import RoleChanges
from tests.services.test_orchestrations import FLOW
from tests.services.test_versions import described, numbered

AGENT = Caller(Principal(kind="agent", name="scout", scopes=SCOPES))
SERVICE = Caller(Principal(kind="service", name="ci", scopes=SCOPES))
INPUT = {"topic": "x"}


@pytest.fixture(autouse=True)
def seven_days() -> Iterator[None]:
    expiry.use(7)
    yield
    expiry.use(None)


async def started(name: str = "flow", **asked: Any) -> executions.Execution:
    return await executions.start(OPERATOR, orchestration=name, input=INPUT, **asked)


async def expire(opened: Database, table: str, where: str) -> None:
    await opened.pool.execute(f"UPDATE {table} SET expires_at = now() WHERE {where}")


async def test_what_an_agent_makes_expires_and_what_others_make_does_not() -> None:
    for caller in (AGENT, OPERATOR, SERVICE):
        name = caller.name
        role = await roles.create(caller, name=name, base_prompt="")
        made = await orchestrations.create(caller, document={**FLOW, "name": name})

        for it in (role, made):
            lasts = None if it.expires_at is None else round((it.expires_at - it.created_at) / timedelta(days=1), 3)
            assert lasts == (7 if caller is AGENT else None)
    assert [it.expires_at for it in (await roles.list_(OPERATOR, q="scout")).items] != [None]
    assert [it.expires_at for it in (await orchestrations.list_(OPERATOR, q="ci")).items] == [None]


async def test_an_agent_that_acts_for_a_person_is_an_agent() -> None:
    with act_as("operator", "meta", is_agent=True):
        made = await orchestrations.create(OPERATOR, document=FLOW)

    assert made.expires_at is not None


async def test_drafts_and_proposals_of_agents_expire_too_and_a_role_they_edit_does_not() -> None:
    await numbered("one")

    drafted = await orchestrations.draft(AGENT, orchestration="flow", document=described("two"))
    proposed = await orchestrations.propose(AGENT, orchestration="flow", document=described("three"))
    role = await roles.update(AGENT, role="Reader", changes=RoleChanges(description="d"))

    assert drafted.expires_at is not None and proposed.expires_at is not None
    assert role.expires_at is None


async def test_where_nothing_is_set_nothing_expires() -> None:
    expiry.use(None)

    assert (await roles.create(AGENT, name="Critic", base_prompt="")).expires_at is None


async def test_nothing_starts_from_an_expired_version_until_somebody_keeps_it(opened: Database) -> None:
    await numbered("one")
    before = await started()
    await expire(opened, "orchestration_version", "number = 1")

    with pytest.raises(Conflict, match="version 1 of orchestration 'flow' has expired; this needs somebody to keep it"):
        await started()
    assert (await executions.get(OPERATOR, execution=before.id)).version == 1
    assert (await orchestrations.get(OPERATOR, orchestration="flow")).description == "one"

    kept = await orchestrations.promote(OPERATOR, orchestration="flow", number=1)

    assert (kept.expires_at, (await started()).version) == (None, 1)


async def test_an_expired_version_does_not_become_active_and_a_roll_back_passes_it_by(opened: Database) -> None:
    await numbered("one", "two", "three")
    await orchestrations.propose(AGENT, orchestration="flow", document=described("four"))
    await expire(opened, "orchestration_version", "number IN (2, 4)")

    for decide, number in ((orchestrations.activate, 2), (orchestrations.rollback, 2), (orchestrations.publish, 4)):
        with pytest.raises(Conflict, match=f"version {number} has expired"):
            await decide(OPERATOR, orchestration="flow", number=number)
    assert (await orchestrations.rollback(OPERATOR, orchestration="flow")).version == 1


async def test_nothing_starts_with_an_expired_role_named_or_assigned(opened: Database) -> None:
    await numbered("one")
    await roles.create(AGENT, name="Guest", base_prompt="")
    await expire(opened, "role", "name = 'Guest'")

    with pytest.raises(Conflict, match="role 'Guest' has expired"):
        await started(role_assignments={"A": "Guest"})
    assert (await started()).version == 1

    await expire(opened, "role", "name = 'Reader'")

    with pytest.raises(
        Conflict, match=r"role 'Reader' has expired; this needs somebody to keep it, with `role.promote`"
    ):
        await started()

    await roles.promote(OPERATOR, role="Reader")

    assert (await started()).version == 1


@pytest.mark.parametrize(
    ("table", "where", "why"),
    [
        ("orchestration_version", "document ->> 'name' = 'flow'", "the called orchestration 'flow' has expired"),
        ("role", "name = 'Reader'", "role 'Reader' has expired"),
    ],
)
async def test_what_is_called_has_not_expired_either(opened: Database, table: str, where: str, why: str) -> None:
    await numbered("one")
    outer = {"name": "outer", "steps": [{"name": "A", "kind": "orchestration", "orchestration": "flow"}]}
    await orchestrations.create(OPERATOR, document=outer)
    await started("outer")
    await expire(opened, table, where)

    with pytest.raises(Conflict, match=why):
        await started("outer")


@pytest.mark.parametrize(("table", "where"), [("orchestration_version", "number = 1"), ("role", "name = 'Reader'")])
async def test_what_has_expired_is_not_restarted(opened: Database, table: str, where: str) -> None:
    await numbered("one")
    execution = (await started()).id
    await opened.pool.execute(
        "WITH done AS (UPDATE execution SET status = 'cancelled', available_at = NULL, finished_at = now()"
        " RETURNING id)"
        " INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'execution_cancelled', $1 FROM done",
        journal.encode(ExecutionCancelled()),
    )
    await executions.restart(OPERATOR, execution=execution)
    await expire(opened, table, where)

    with pytest.raises(Conflict, match="expired"):
        await executions.restart(OPERATOR, execution=execution)


@pytest.mark.parametrize("caller", [AGENT, SERVICE])
async def test_only_people_keep_what_would_expire(caller: Caller) -> None:
    await orchestrations.create(AGENT, document=FLOW)
    await roles.create(AGENT, name="Critic", base_prompt="")

    for keep in (
        lambda: orchestrations.promote(caller, orchestration="flow", number=1),
        lambda: roles.promote(caller, role="Critic"),
    ):
        with pytest.raises(Forbidden, match="is kept by people"):
            await keep()
        with pytest.raises(Forbidden, match="is kept by people"), act_as("operator", "meta", is_agent=True):
            await keep()
    reader = Caller(Principal(kind="human", name="anna", scopes=("roles.read",)))
    with pytest.raises(Forbidden, match=r"needs roles\.write"):
        await roles.promote(reader, role="Critic")
