"""Idempotency keys: one call is made, every repetition is answered alike, from any process, after any end."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from db.connection import Database
from services import connections, idempotency, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Invalid
from services.principal import SCOPES, Principal
from services.roles import RoleChanges
from tests.services.test_orchestrations import FLOW
from tests.services.test_versions import described

OTHER = Caller(Principal(kind="service", name="other", scopes=SCOPES))
COUNTED = "SELECT (SELECT count(*) FROM role) + (SELECT count(*) FROM role_version)"
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

Call = Callable[..., Awaitable[Any]]


async def critic(caller: Caller = OPERATOR, **other: Any) -> Any:
    asked = {"name": "Critic", "base_prompt": "Judge.", "idempotency_key": "k"}
    return await roles.create(caller, **{**asked, **other})


# Each makes something that a second call of its would make again, or be refused.
CALLS: dict[str, tuple[Call, dict[str, Any]]] = {
    "role.create": (roles.create, {"name": "Critic", "base_prompt": "Judge."}),
    "role.update": (roles.update, {"role": "Reader", "if_version": 1, "changes": RoleChanges(description="d")}),
    "role.rollback": (roles.rollback, {"role": "Writer"}),
    "role.draft": (roles.draft, {"role": "Reader", "changes": RoleChanges(description="d")}),
    "role.propose": (roles.propose, {"role": "Reader", "changes": RoleChanges(description="d")}),
    "orchestration.create": (orchestrations.create, {"document": {**FLOW, "name": "new"}}),
    "orchestration.update": (orchestrations.update, {"orchestration": "flow", "if_version": 2, "is_active": False,
                                                     "changes": {"tags": ["changed"]}}),
    "orchestration.draft": (orchestrations.draft, {"orchestration": "flow", "document": described("draft")}),
    "orchestration.propose": (orchestrations.propose, {"orchestration": "flow", "document": described("proposal")}),
    "orchestration.rollback": (orchestrations.rollback, {"orchestration": "flow"}),
}  # fmt: skip


@pytest.fixture(autouse=True)
async def flow(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document=FLOW)
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "two"})
    await roles.update(OPERATOR, role="Writer", changes=RoleChanges(description="two"))


@pytest.mark.parametrize("name", CALLS)
async def test_the_same_call_is_made_once_and_answered_byte_by_byte(opened: Database, name: str) -> None:
    call, asked = CALLS[name]
    first = await call(OPERATOR, **asked, idempotency_key="k")
    rows = await _rows(opened)

    again = await call(OPERATOR, **asked, idempotency_key="k")

    kept = await opened.pool.fetchrow("SELECT principal, procedure, answer FROM idempotency_key")
    assert msgspec.json.encode(again) == msgspec.json.encode(first) == kept["answer"].encode()
    assert (kept["principal"], kept["procedure"]) == ("human operator", name)
    assert await _rows(opened) == rows


@pytest.mark.parametrize("name", CALLS)
async def test_another_request_under_the_key_is_refused(opened: Database, name: str) -> None:
    call, asked = CALLS[name]
    await critic(name="Spare")

    with pytest.raises(Conflict, match="idempotency key 'k' was used for another request; this needs a new key"):
        await call(OPERATOR, **asked, idempotency_key="k")


async def test_without_a_key_nothing_is_kept(opened: Database) -> None:
    await critic(idempotency_key=None)

    assert await opened.pool.fetchval("SELECT count(*) FROM idempotency_key") == 0


async def test_keys_of_different_callers_do_not_meet() -> None:
    await critic()

    made = await critic(OTHER, name="Other critic")

    assert made.created_by == "other"


async def test_a_refusal_keeps_nothing_so_that_the_key_may_be_used_again(opened: Database) -> None:
    with pytest.raises(Invalid):
        await critic(changes=RoleChanges(tools=("no.such",)))
    with pytest.raises(Conflict, match="exists already"):
        await critic(name="Reader")

    assert await opened.pool.fetchval("SELECT count(*) FROM idempotency_key") == 0
    assert (await critic()).name == "Critic"


async def test_of_calls_at_once_one_is_made_and_all_have_its_answer(opened: Database) -> None:
    before = await opened.pool.fetchval(COUNTED)

    answers = await asyncio.gather(*(critic() for _ in range(6)))

    assert len({msgspec.json.encode(answer) for answer in answers}) == 1
    assert await opened.pool.fetchval(COUNTED) == before + 2


async def test_who_waits_for_a_call_that_fails_makes_it(opened: Database) -> None:
    begun, fail = asyncio.Event(), asyncio.Event()

    async def failing() -> int:
        begun.set()
        await fail.wait()
        raise Invalid("it cannot be made")

    async def making() -> int:
        return 7

    first = asyncio.create_task(idempotency.once(OPERATOR, "k", "test", 1, int, failing))
    await begun.wait()
    second = asyncio.create_task(idempotency.once(OPERATOR, "k", "test", 1, int, making))
    while not await opened.pool.fetchval(WAITING):
        assert not second.done()
    fail.set()

    with pytest.raises(Invalid):
        await first
    assert await second == 7


async def test_another_process_gives_the_same_answer_and_one_that_was_killed_leaves_nothing(opened: Database) -> None:
    made = await _in_another_process(opened.url, _make)
    assert made == msgspec.json.encode(await critic())

    before = await opened.pool.fetchval(COUNTED)
    assert await _in_another_process(opened.url, _make_and_die) is None

    # It had made the role, but not yet its commit.
    assert await opened.pool.fetchval(COUNTED) == before
    assert (await roles.create(OPERATOR, name="Doomed", base_prompt="", idempotency_key="d")).version == 1


async def _rows(opened: Database) -> list[Any]:
    counts = "SELECT count(*), max(xmin::text::bigint) FROM {}"
    names = ("role", "role_version", "orchestration", "orchestration_version", "orchestration_step", "idempotency_key")
    return [await opened.pool.fetchrow(counts.format(name)) for name in names]


async def _in_another_process(url: str, work: Callable[[], Awaitable[bytes]]) -> bytes | None:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(url, work, sender))
    process.start()
    sender.close()
    try:
        return await asyncio.to_thread(receiver.recv_bytes)
    except EOFError:
        return None
    finally:
        await asyncio.to_thread(process.join)


def _run(url: str, work: Callable[[], Awaitable[bytes]], sender: Any) -> None:
    async def main() -> None:
        async with await Database.open(url) as database:
            connections.use(database, None)
            sender.send_bytes(await work())

    asyncio.run(main())


async def _make() -> bytes:
    return msgspec.json.encode(await critic())


async def _make_and_die() -> bytes:
    async def make() -> int:
        await roles.create(OPERATOR, name="Doomed", base_prompt="")
        os.kill(os.getpid(), signal.SIGKILL)
        return 1

    return msgspec.json.encode(await idempotency.once(OPERATOR, "d", "role.create", 1, int, make))
