"""Signals through the services and the durable engine: what is sent is taken once, whatever happens in between."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import msgspec
import pytest

from services import executions
from services.caller import OPERATOR, Caller
from services.engine.core.events import SignalReceived, StepCompleted, StepWaiting
from services.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound
from services.executions.signalling import MAX_SIGNALS
from services.json import Json
from services.principal import Principal
from tests.engine.conftest import FAST, Engine
from tests.engine.play import document

PAY = """
steps:
  - {name: Paid, kind: wait, event: payment}
  - {name: Ship, kind: tool, tool: files.read}
"""
TWICE = """
steps:
  - {name: First, kind: wait, event: news}
  - {name: Work, kind: tool, tool: files.read}
  - {name: Second, kind: wait, event: news}
"""
BESIDE = """
steps:
  - {name: Work, kind: tool, tool: files.read, parallelGroup: g}
  - {name: Paid, kind: wait, event: payment, expiresAfterMs: 200, parallelGroup: g}
"""
DUE = "SELECT available_at IS NOT NULL OR owner IS NOT NULL FROM execution WHERE id = $1"
POST = "INSERT INTO inbox (execution_id, kind, payload, sender) VALUES ($1, 'signal', $2::text::jsonb, 'psql')"


async def send(execution: UUID, event: str, data: Json = None, key: str | None = None) -> executions.Execution:
    return await executions.signal(OPERATOR, execution=execution, event=event, data=data, idempotency_key=key)


async def parked(engine: Engine, execution: UUID) -> None:
    await engine.until(execution, lambda found: found.status == "waiting")


async def test_an_execution_that_waits_is_a_row_until_its_event_comes(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    async with engine.working(engine.worker()):
        await parked(engine, execution)
        is_held = await engine.database.pool.fetchval(DUE, execution)
        (before, _) = await executions.steps(OPERATOR, execution=execution)
        told = await send(execution, "payment", {"amount": 7})
        found = await engine.finished(execution)

    assert (is_held, before.status, before.attempts, told.id) == (False, "waiting", 1, execution)
    assert (found.status, found.context["Paid"]) == ("completed", {"amount": 7})
    history = await engine.history(execution)
    assert history[1] == StepWaiting(path="Paid", for_event="payment")
    assert isinstance(history[2], SignalReceived)
    assert (history[2].name, history[2].data, history[2].by) == ("payment", {"amount": 7}, "operator")
    assert history[3] == StepCompleted(path="Paid", attempt=1, output={"amount": 7}, signal=history[2].id)
    (paid, _) = await executions.steps(OPERATOR, execution=execution)
    assert (paid.status, paid.attempts, paid.output, paid.overridden_by) == ("completed", 1, {"amount": 7}, None)


async def test_signals_that_come_before_anything_has_begun_are_taken_in_their_order(engine: Engine) -> None:
    execution = await engine.start(document(TWICE))
    for n in (1, 2):
        await send(execution, "news", n)

    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.context == {"input": {}, "First": 1, "Work": "Work done", "Second": 2}


async def test_a_signal_that_nobody_has_read_yet_is_taken_by_whoever_takes_over(engine: Engine) -> None:
    began = engine.script.hold("Work")
    execution = await engine.start(document(TWICE))
    await send(execution, "news", 1)
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    dying.cancel()  # as if killed
    await asyncio.gather(dying, return_exceptions=True)
    await send(execution, "news", 2)
    engine.script.release["Work"].set()

    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (found.context["First"], found.context["Second"]) == (1, 2)


async def test_signals_and_parking_race_and_none_is_lost(engine: Engine) -> None:
    first = await engine.start(document(TWICE))
    ids = [first]
    for _ in range(39):
        ids.append((await executions.start(OPERATOR, orchestration="flow")).id)

    async def tell(execution: UUID) -> None:
        await send(execution, "news", 1)
        await engine.until(execution, lambda found: found.context.get("Work") is not None)
        await send(execution, "news", 2)

    async with engine.working(engine.worker(), engine.worker()):
        async with asyncio.TaskGroup() as group:
            for id in ids:
                group.create_task(tell(id))
        found = [await engine.finished(id) for id in ids]

    assert {(it.status, it.context["First"], it.context["Second"]) for it in found} == {("completed", 1, 2)}


async def test_a_wait_that_expires_fails_and_what_comes_later_is_refused(engine: Engine) -> None:
    execution = await engine.start(document("steps: [{name: Paid, kind: wait, event: payment, expiresAfterMs: 150}]"))
    async with engine.working(engine.worker()):
        await parked(engine, execution)
        assert await engine.database.pool.fetchval(DUE, execution)
        found = await engine.finished(execution)

    assert found.error is not None
    assert (found.status, found.error.code, found.error.retryable) == ("failed", "WAIT_EXPIRED", False)
    assert found.error.message == "the event 'payment' has not come within 150 ms"
    with pytest.raises(Conflict, match="is failed; this needs one that has not finished"):
        await send(execution, "payment")


async def test_what_has_come_in_time_wins_though_it_is_read_late(engine: Engine) -> None:
    began = engine.script.hold("Work")
    execution = await engine.start(document(BESIDE))
    # Nobody looks into the inbox until the time is over: what the worker reads then came before.
    async with engine.working(engine.worker(settings=replace(FAST, poll_seconds=60.0))):
        await began.wait()
        await send(execution, "payment", "in time")
        await engine.until(execution, lambda found: found.steps_settled == 1)
        engine.script.release["Work"].set()
        found = await engine.finished(execution)

    assert (found.status, found.context["Paid"]) == ("completed", "in time")


@pytest.mark.parametrize("is_paused", [False, True])
async def test_the_timer_of_a_wait_whose_event_has_come_keeps_nothing_waiting(engine: Engine, is_paused: bool) -> None:
    began = engine.script.hold("Work")
    text = BESIDE.replace("200", "3600000") + "  - {name: Again, kind: wait, event: payment}\n"
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await began.wait()
        if is_paused:  # then the timer is held back, and let go when all goes on
            await executions.pause(OPERATOR, execution=execution)
            await _until_read(engine)
        await send(execution, "payment", 1)
        await executions.resume(OPERATOR, execution=execution)
        await engine.until(execution, lambda found: found.steps_settled == 1)
        engine.script.release["Work"].set()
        await parked(engine, execution)
        is_due = await engine.database.pool.fetchval(DUE, execution)
        await send(execution, "payment", 2)
        found = await engine.finished(execution)

    assert (is_due, found.context["Paid"], found.context["Again"]) == (False, 1, 2)


async def test_a_paused_execution_takes_its_signal_when_it_is_resumed(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    async with engine.working(engine.worker()):
        await parked(engine, execution)
        await executions.pause(OPERATOR, execution=execution)
        await engine.until(execution, lambda found: found.status == "paused")
        await send(execution, "payment", {"amount": 7})
        kept = await executions.get(OPERATOR, execution=execution)
        await executions.resume(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert (kept.status, found.status, found.context["Paid"]) == ("paused", "completed", {"amount": 7})


async def test_a_wait_is_settled_by_hand_and_its_signal_goes_to_the_next(engine: Engine) -> None:
    execution = await engine.start(document(TWICE))
    async with engine.working(engine.worker()):
        await parked(engine, execution)
        await executions.complete_step(OPERATOR, execution=execution, path="First", output="by hand")
        await engine.until(execution, lambda found: found.context.get("Work") is not None)
        await send(execution, "news", "fresh")
        found = await engine.finished(execution)

    assert (found.context["First"], found.context["Second"]) == ("by hand", "fresh")


async def test_a_cancel_ends_a_wait(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    async with engine.working(engine.worker()):
        await parked(engine, execution)
        await executions.cancel(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert found.status == "cancelled"


async def test_a_retry_waits_anew_and_takes_over_what_nobody_had_taken(engine: Engine) -> None:
    text = TWICE.replace("event: news}", "event: news, outputSchema: {type: [integer, 'null']}}", 1)
    origin = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await send(origin, "news", "for the second, but the first takes it")
        await send(origin, "news", 2)
        failed = await engine.finished(origin)
        again = await executions.retry(OPERATOR, execution=origin)
        found = await engine.until(again.id, lambda found: found.status in ("waiting", "completed"))
        await send(again.id, "news", 3)
        found = await engine.finished(again.id)

    assert failed.error is not None
    assert failed.error.code == "OUTPUT_INVALID"
    assert (found.context["First"], found.context["Second"]) == (2, 3)


async def test_one_key_sends_one_signal(engine: Engine) -> None:
    execution = await engine.start(document(TWICE))
    other = (await executions.start(OPERATOR, orchestration="flow")).id

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(send(execution, "news", {"a": 1, "b": [2]}, "k"))
    await send(execution, "news", {"b": [2], "a": 1}, "k")
    with pytest.raises(Conflict, match="idempotency key 'k' was used for another signal to this execution"):
        await send(execution, "news", {"a": 1}, "k")
    await send(other, "news", 1, "k")
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.context.get("Work") is not None)
        await send(execution, "news", {"a": 1, "b": [2]}, "k")
        await send(execution, "news", 2, "l")
        found = await engine.finished(execution)
    repeated = await send(execution, "news", 2, "l")

    assert (found.context["First"], found.context["Second"]) == ({"a": 1, "b": [2]}, 2)
    assert repeated.status == "completed"
    history = await engine.history(execution)
    assert len([event for event in history if isinstance(event, SignalReceived)]) == 2


async def test_what_cannot_be_sent_is_refused_at_the_door(engine: Engine) -> None:
    schema = "outputSchema: {type: object, required: [amount], properties: {amount: {type: number}}}"
    execution = await engine.start(
        document(PAY.replace("payment}", f"payment, {schema}}}") + "  - {name: Closed, kind: wait, event: closed}\n")
    )
    nobody = Caller(Principal(kind="service", name="reader", scopes=("executions.read",)))

    with pytest.raises(Forbidden):
        await executions.signal(nobody, execution=execution, event="payment")
    with pytest.raises(NotFound):
        await send(uuid4(), "payment")
    with pytest.raises(Invalid) as unknown:
        await send(execution, "payments")
    with pytest.raises(Invalid) as misfit:
        await send(execution, "payment", {"amount": "much"})
    for data, said in (("a\0b", "NUL"), ("x" * 262_143, "the data has 262,145 bytes; up to 262,144 are kept")):
        with pytest.raises(Invalid, match=said):
            await send(execution, "closed", data)
    with pytest.raises(Invalid, match="the data has 1,555,000 bytes when its numbers are written out"):
        await send(execution, "closed", [1e308] * 5_000)
    await send(execution, "closed", "x" * 262_142)

    (problem,) = unknown.value.problems
    assert (problem.code, problem.path, problem.allowed, problem.suggestion) == (
        "UNKNOWN_EVENT", "/event", ("closed", "payment"), "payment",
    )  # fmt: skip
    assert [(problem.code, problem.path) for problem in misfit.value.problems] == [("SCHEMA_MISMATCH", "/data/amount")]
    assert await engine.database.pool.fetchval("SELECT count(*) FROM inbox") == 1


async def test_what_waits_for_no_event_says_so(engine: Engine) -> None:
    execution = await engine.start(document("steps: [{name: A, kind: wait, forMs: 1}]"))

    with pytest.raises(Invalid, match="no step of it waits for an event"):
        await send(execution, "payment")


async def test_one_execution_takes_only_so_many_signals(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    many = f"SELECT '{execution}', 'signal', 'psql' FROM generate_series(2, {MAX_SIGNALS})"
    # Without its trigger, since waking the execution so often would take long.
    await engine.database.pool.execute(
        f"ALTER TABLE inbox DISABLE TRIGGER USER; INSERT INTO inbox (execution_id, kind, sender) {many};"
        "ALTER TABLE inbox ENABLE TRIGGER USER"
    )

    await send(execution, "payment", 1)
    with pytest.raises(LimitExceeded, match="has been sent 10,000 signals of"):
        await send(execution, "payment", 2)
    async with engine.working(engine.worker()):
        assert (await engine.finished(execution)).context["Paid"] == 1


async def test_one_execution_takes_only_so_many_bytes(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    text = '{"event": "payment", "data": "%s"}' % ("x" * 262_000)
    for _ in range(65):
        await engine.database.pool.execute(POST, execution, text)

    with pytest.raises(LimitExceeded, match="of 17,"):
        await send(execution, "payment", 2)


@pytest.mark.parametrize(
    "payload",
    [
        "[]", "{}", "null", '{"event": 7}', '{"event": "payments"}', '{"event": "payment", "data": "large"}',
        '{"event": "payment", "data": "deep"}',
    ],
)  # fmt: skip
async def test_what_makes_no_sense_in_the_inbox_is_read_and_ignored(engine: Engine, payload: str) -> None:
    payload = payload.replace('"large"', '"' + "x" * 524_288 + '"').replace('"deep"', "[" * 3_000 + "]" * 3_000)
    execution = await engine.start(document(PAY))
    async with engine.working(engine.worker()):
        await engine.database.pool.execute(POST, execution, payload)
        await _until_read(engine)
        await engine.database.pool.execute(POST, execution, '{"event": "payment", "data": 7, "else": 1}')
        found = await engine.finished(execution)

    assert (found.status, found.context["Paid"]) == ("completed", 7)


async def test_followers_see_what_has_come(engine: Engine) -> None:
    execution = await engine.start(document(PAY))
    async with engine.working(engine.worker()):
        await send(execution, "payment", {"amount": 7})
        found = [item async for item in executions.follow(OPERATOR, execution=execution)]

    events = [msgspec.to_builtins(item) for item in found if isinstance(item, executions.Recorded)]
    (received,) = [event["event"] for event in events if event["kind"] == "signal_received"]
    assert received | {"id": 0} == {
        "event": "signal_received", "id": 0, "name": "payment", "data": {"amount": 7}, "by": "operator",
    }  # fmt: skip


async def _until_read(engine: Engine) -> None:
    async with asyncio.timeout(10):
        while await engine.database.pool.fetchval("SELECT count(*) FROM inbox"):
            pass
