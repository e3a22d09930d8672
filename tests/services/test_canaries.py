"""Canaries: which starts they take, what they may be, and when they end."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Database
from services import executions, orchestrations
from services.caller import OPERATOR
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.executions import Execution
from services.orchestrations import Orchestration
from services.orchestrations.canaries import is_in_canary
from tests.services.test_orchestrations import FLOW
from tests.services.test_versions import GUEST, STRICTER, described, numbered

KEYS = [f"customer {number}" for number in range(10_000)]
INPUT = {"topic": "x"}


@given(st.uuids(), st.text(max_size=50), st.integers(0, 100), st.integers(0, 100))
def test_a_larger_share_takes_keys_in_and_leaves_none_out(orchestration: UUID, key: str, one: int, other: int) -> None:
    smaller, larger = sorted((one, other))

    assert is_in_canary(orchestration, key, smaller) <= is_in_canary(orchestration, key, larger)
    assert not is_in_canary(orchestration, key, 0)
    assert is_in_canary(orchestration, key, 100)


@pytest.mark.parametrize("percent", [1, 5, 10, 25, 50, 75, 90, 99])
def test_of_ten_thousand_keys_it_takes_its_share(percent: int) -> None:
    for orchestration in (UUID(int=1), UUID(int=2), uuid4()):
        taken = sum(is_in_canary(orchestration, key, percent) for key in KEYS)

        # Within six standard deviations of a fair draw: 300 of 5,000 at one half.
        assert abs(taken - 100 * percent) <= 6 * (10_000 * percent / 100 * (1 - percent / 100)) ** 0.5


def test_two_orchestrations_try_their_canaries_on_different_keys() -> None:
    one, other = [{key for key in KEYS if is_in_canary(UUID(int=it), key, 50)} for it in (1, 2)]

    assert 2_200 < len(one & other) < 2_800


def test_a_key_stays_where_it_is_from_release_to_release() -> None:
    taken = [number for number, key in enumerate(KEYS[:100]) if is_in_canary(UUID(int=7), key, 5)]

    assert taken == [35, 52], "whoever changes this moves everybody's customers"


async def waiting(percent: int = 50, **fields: Any) -> Orchestration:
    """`flow` with version 1 active and version 2 as its canary."""
    await numbered("one")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two", **fields))
    await orchestrations.publish(OPERATOR, orchestration="flow", number=2, activate=False)
    return await orchestrations.canary(OPERATOR, orchestration="flow", number=2, percent=percent)


async def started(**asked: Any) -> Execution:
    return await executions.start(OPERATOR, orchestration="flow", input=INPUT, **asked)


async def test_starts_with_one_key_get_one_version_and_all_keys_get_theirs() -> None:
    flow = await waiting()
    assert (flow.version, flow.canary) == (1, orchestrations.Canary(version=2, percent=50))

    first = {key: (await started(sticky_key=key)).version for key in KEYS[:20]}
    again = {key: (await started(sticky_key=key)).version for key in KEYS[:20]}

    assert first == again == {key: 2 if is_in_canary(flow.id, key, 50) else 1 for key in KEYS[:20]}
    assert set(first.values()) == {1, 2}


async def test_without_a_sticky_key_the_idempotency_key_decides_and_without_that_the_execution_s_own_id() -> None:
    flow = await waiting()

    keyed = [await started(idempotency_key=key) for key in KEYS[:10]]
    plain = [await started() for _ in range(10)]

    assert [it.version for it in keyed] == [2 if is_in_canary(flow.id, key, 50) else 1 for key in KEYS[:10]]
    assert [it.version for it in plain] == [2 if is_in_canary(flow.id, str(it.id), 50) else 1 for it in plain]


async def test_a_key_that_has_started_one_keeps_it_also_when_its_share_has_changed() -> None:
    flow = await waiting(percent=1)
    key = next(key for key in KEYS if not is_in_canary(flow.id, key, 1))
    before = await started(idempotency_key=key)
    await orchestrations.canary(OPERATOR, orchestration="flow", percent=100)

    again = await started(idempotency_key=key)

    assert (again.id, again.version) == (before.id, 1)
    with pytest.raises(Conflict, match="was used for another request"):
        await started(idempotency_key=key, sticky_key="another")


async def test_a_canary_at_nothing_takes_nothing_and_one_that_has_ended_is_gone(opened: Database) -> None:
    await waiting(percent=100)
    await opened.pool.execute("UPDATE orchestration SET canary_percent = 0")

    assert (await started()).version == 1

    flow = await orchestrations.canary(OPERATOR, orchestration="flow", percent=0)

    assert (flow.canary, (await started()).version) == (None, 1)
    with pytest.raises(Invalid, match="has no canary; give the `number`"):
        await orchestrations.canary(OPERATOR, orchestration="flow", percent=10)


async def test_the_versions_say_which_of_them_is_the_canary() -> None:
    await waiting(percent=5)

    found = (await orchestrations.versions(OPERATOR, orchestration="flow")).items

    assert [(it.number, it.is_active, it.canary_percent) for it in found] == [(2, False, 5), (1, True, None)]


@pytest.mark.parametrize(
    "change",
    [
        lambda: orchestrations.activate(OPERATOR, orchestration="flow", number=2),
        lambda: orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "three"}),
    ],
)
async def test_a_canary_ends_when_another_version_becomes_active(change: Any) -> None:
    await waiting()

    assert (await change()).canary is None


async def test_a_roll_back_ends_the_canary_also_in_sql(opened: Database) -> None:
    await numbered("one", "two")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("three"))
    await orchestrations.publish(OPERATOR, orchestration="flow", number=3, activate=False)
    for back in (
        lambda: orchestrations.rollback(OPERATOR, orchestration="flow"),
        lambda: opened.pool.execute(
            "UPDATE orchestration SET active_version_id = version.id FROM orchestration_version AS version"
            " WHERE orchestration.name = 'flow' AND orchestration_id = orchestration.id AND number = 1"
        ),
    ):
        await orchestrations.activate(OPERATOR, orchestration="flow", number=2)
        await orchestrations.canary(OPERATOR, orchestration="flow", number=3, percent=100)
        assert (await started()).version == 3

        await back()

        flow = await orchestrations.get(OPERATOR, orchestration="flow")
        assert (flow.version, flow.canary, (await started()).version) == (1, None, 1)


async def test_what_would_break_callers_is_no_canary() -> None:
    await numbered("one")
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"input": STRICTER}, breaking=True)
    await orchestrations.rollback(OPERATOR, orchestration="flow")

    with pytest.raises(Conflict, match="version 2 is of major 2, and the active one of 1"):
        await orchestrations.canary(OPERATOR, orchestration="flow", number=2, percent=1)


async def test_an_older_version_of_the_same_major_that_takes_less_is_no_canary() -> None:
    wider = {**FLOW["input"], "required": []}
    await numbered("one")
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"input": wider})

    with pytest.raises(Invalid, match="version 1 would break those who rely on 2") as refusal:
        await orchestrations.canary(OPERATOR, orchestration="flow", number=1, percent=1)

    assert [problem.code for problem in refusal.value.problems] == ["BREAKING_CHANGE"]


async def test_only_a_published_version_beside_an_active_one_is_a_canary() -> None:
    await numbered("one")
    await orchestrations.draft(OPERATOR, orchestration="flow", document=described("two"))
    await orchestrations.draft(OPERATOR, document=described("other", name="sea"))

    for number, error, why in ((2, Conflict, "is draft"), (1, Conflict, "is active"), (3, NotFound, "no version 3")):
        with pytest.raises(error, match=why):
            await orchestrations.canary(OPERATOR, orchestration="flow", number=number, percent=1)
    with pytest.raises(Conflict, match="has no active version"):
        await orchestrations.canary(OPERATOR, orchestration="sea", number=1, percent=1)
    with pytest.raises(Conflict, match="is at version 1"):
        await orchestrations.canary(OPERATOR, orchestration="flow", number=2, percent=1, if_version=2)
    with pytest.raises(Forbidden):
        await orchestrations.canary(GUEST, orchestration="flow", number=2, percent=1)


async def test_the_canary_is_not_archived() -> None:
    await waiting()

    with pytest.raises(Conflict, match="version 2 is the canary; this needs the canary to end"):
        await orchestrations.archive(OPERATOR, orchestration="flow", number=2)


async def test_a_step_calls_the_active_version_and_never_the_canary(opened: Database) -> None:
    await waiting(percent=100)
    caller = {"name": "outer", "steps": [{"name": "A", "kind": "orchestration", "orchestration": "flow"}]}
    await orchestrations.create(OPERATOR, document=caller)

    execution = await executions.start(OPERATOR, orchestration="outer", input={}, sticky_key="anna")

    active = await orchestrations.version(OPERATOR, orchestration="flow", number=1)
    first = await opened.pool.fetchval("SELECT payload FROM journal WHERE execution_id = $1", execution.id)
    assert f'"version":"{active.id}"' in first


async def test_a_canary_that_has_expired_takes_no_more_starts(opened: Database) -> None:
    await waiting(percent=100)
    await opened.pool.execute("UPDATE orchestration_version SET expires_at = now() WHERE number = 2")

    assert (await started()).version == 1
    with pytest.raises(Conflict, match=r"version 2 has expired; this needs somebody to keep it, with `orch.*promote`"):
        await orchestrations.canary(OPERATOR, orchestration="flow", number=2, percent=50)
