"""Following: the stream of an execution is its journal, whoever reads when; progress is in between."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.connection import Database
from services import connections, executions, retention
from services.caller import OPERATOR, Caller
from services.engine.exchange import FOLLOWED, NEWS, Exchange
from services.engine.feed import Feed
from services.engine.follower import MAX_PROGRESS
from services.engine.notifier import MAX_PAYLOAD_BYTES, Notifier
from services.engine.performer import Attempt
from services.engine.progress import AttemptStarted, Delta
from services.errors import Conflict, Forbidden, NotFound
from services.executions import Followed, Recorded
from services.json import Json
from services.principal import Principal
from tests.engine.conftest import Engine
from tests.engine.plans import document_of, tool

Seen: TypeAlias = list[tuple[int, str, str, int, Json]]
QUICK_SECONDS = 0.02


async def journal(engine: Engine, execution: UUID, after: int = 0) -> Seen:
    """What the journal holds, read at once."""
    rows = await engine.database.pool.fetch(
        "SELECT seq, kind, path, attempt, payload FROM journal WHERE execution_id = $1 AND seq > $2 ORDER BY seq",
        execution,
        after,
    )
    return [(*tuple(row)[:4], json.loads(row["payload"])) for row in rows]


def events(items: list[Followed]) -> Seen:
    """The events among what was followed."""
    return [(it.seq, it.kind, it.path, it.attempt, it.event) for it in items if isinstance(it, Recorded)]


async def all_of(execution: UUID, after: int = 0) -> list[Followed]:
    """The whole stream."""
    async with asyncio.timeout(20):
        return [item async for item in executions.follow(OPERATOR, execution=execution, after=after)]


async def until(stream: AsyncIterator[Followed], is_there: Callable[[Followed], bool]) -> list[Followed]:
    """What the stream gives up to an item."""
    items: list[Followed] = []
    async with asyncio.timeout(20):
        async for item in stream:
            items.append(item)
            if is_there(item):
                return items
    raise AssertionError(f"it ended after {items}")


async def becomes(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # nothing tells of it but the thing itself
            await asyncio.sleep(0)


@asynccontextmanager
async def apart(database: Database, exchange: Exchange, notifier: Notifier) -> AsyncIterator[None]:
    """The services follow over an exchange and a notifier of their own, as in a process without the worker."""
    hints = asyncio.create_task(notifier.run())
    connections.use(database, notifier, Feed(database.pool, exchange))
    yield
    hints.cancel()
    await asyncio.gather(hints, return_exceptions=True)


def steps(count: int) -> list[Any]:
    return [tool(f"S{n}") for n in range(count)]


async def append(engine: Engine, execution: UUID, count: int, *, bytes: int = 0) -> None:
    """So many events more, as its owner would add them."""
    await engine.database.pool.execute(
        "WITH touched AS (UPDATE execution SET priority = priority WHERE id = $1 RETURNING id, epoch)"
        " INSERT INTO journal (execution_id, seq, kind, path, epoch, payload)"
        " SELECT id, last + n, 'step_noted', 'S0', epoch, jsonb_build_object('note', repeat('x', $3))::text"
        " FROM touched, (SELECT max(seq) AS last FROM journal WHERE execution_id = $1) AS ends,"
        " generate_series(1, $2) AS n",
        execution,
        count,
        bytes,
    )


async def end(engine: Engine, execution: UUID) -> None:
    """The last event, and the end with it."""
    await engine.database.pool.execute(
        "WITH ended AS (UPDATE execution SET status = 'cancelled', available_at = NULL,"
        " finished_at = clock_timestamp() WHERE id = $1 RETURNING id, epoch)"
        " INSERT INTO journal (execution_id, seq, kind, epoch, payload)"
        " SELECT id, (SELECT max(seq) + 1 FROM journal WHERE execution_id = $1), 'execution_cancelled', epoch, '{}'"
        " FROM ended",
        execution,
    )


async def test_the_stream_is_the_journal_whether_one_begins_before_during_or_after(engine: Engine) -> None:
    began = engine.script.hold("S1")
    execution = await engine.start(document_of(*steps(4)))
    before = asyncio.create_task(all_of(execution))
    async with engine.working(engine.worker()):
        await began.wait()
        during = asyncio.create_task(all_of(execution))
        engine.script.release["S1"].set()
        streams = [await before, await during, await all_of(execution)]

    kept = await journal(engine, execution)
    assert len(kept) == 6
    assert [events(stream) for stream in streams] == [kept] * 3


async def test_one_who_comes_back_at_any_event_misses_none_and_sees_none_twice(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(10)))
    async with engine.working(engine.worker()):
        reached, seen = 0, list[Followed]()
        while not (seen and isinstance(seen[-1], Recorded) and seen[-1].is_last):
            # Cut off after each event.
            async with aclosing(executions.follow(OPERATOR, execution=execution, after=reached)) as stream:
                seen += await until(stream, lambda item: isinstance(item, Recorded))
            reached = len(events(seen))

    kept = await journal(engine, execution)
    assert events(seen) == kept
    assert [events(await all_of(execution, after)) for after in range(len(kept) + 1)] == [
        kept[after:] for after in range(len(kept) + 1)
    ]


async def test_between_the_events_attempts_start_and_answers_come_in_pieces(engine: Engine) -> None:
    async def speak(attempt: Attempt) -> Json:
        for piece in ("To ", "be", "", "\ud83d", "x" * 1200):
            attempt.emit(piece)
        return "said"

    engine.script.answers["S0"] = speak
    execution = await engine.start(document_of(*steps(2)))
    following = asyncio.create_task(all_of(execution))
    await becomes(lambda: execution in engine.exchange._here)
    async with engine.working(engine.worker()):
        items = await following

    told = [(type(item).__name__, item.path, len(getattr(item, "text", ""))) for item in items]
    assert told == [
        ("Recorded", "", 0),
        ("AttemptStarted", "S0", 0),
        *(("Delta", "S0", length) for length in (3, 2, 1, 500, 500, 200)),
        ("Recorded", "S0", 0),
        ("AttemptStarted", "S1", 0),
        ("Recorded", "S1", 0),
        ("Recorded", "", 0),
    ]


async def test_progress_comes_from_another_process_once_that_knows_who_is_followed(
    engine: Engine, database: Database
) -> None:
    notifier = Notifier(database.connect)
    elsewhere = Exchange(notifier)
    engine.script.hold("S0")
    engine.script.answers["S1"] = lambda attempt: _said(attempt, "word " * 300)
    execution = await engine.start(document_of(*steps(2)))
    async with apart(database, elsewhere, notifier), engine.working(engine.worker()):
        following = asyncio.create_task(all_of(execution))
        await becomes(lambda: execution in engine.exchange._elsewhere)
        engine.script.release["S0"].set()
        items = await following

    assert events(items) == await journal(engine, execution)
    assert AttemptStarted in [type(item) for item in items if not isinstance(item, Recorded) and item.path == "S1"]
    assert "".join(item.text for item in items if isinstance(item, Delta)) == "word " * 300


async def _said(attempt: Attempt, text: str) -> Json:
    attempt.emit(text)
    return text


async def test_without_any_notification_the_look_each_second_finds_all(engine: Engine, database: Database) -> None:
    silent = Exchange(Notifier(database.connect))  # which never runs
    connections.use(database, None, Feed(database.pool, silent))
    began = engine.script.hold("S2")
    execution = await engine.start(document_of(*steps(4)))
    following = asyncio.create_task(all_of(execution))
    async with engine.working(engine.worker()):
        await began.wait()
        engine.script.release["S2"].set()
        items = await following

    assert events(items) == await journal(engine, execution)
    assert len(items) == len(events(items))


class Counting:
    """The pool, counting how many statements are under way at once."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._under_way = 0
        self.asked = 0
        self.most = 0

    async def fetch(self, *arguments: object) -> list[asyncpg.Record]:
        self.asked += 1
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            return await self._pool.fetch(*arguments)
        finally:
            self._under_way -= 1


async def test_many_followers_of_many_executions_share_one_statement_at_a_time(
    engine: Engine, database: Database
) -> None:
    pool: Any = Counting(database.pool)
    connections.use(database, None, Feed(pool, engine.exchange, poll_seconds=QUICK_SECONDS))
    first = await engine.start(document_of(*steps(8)))
    ids = [first, *[(await executions.start(OPERATOR, orchestration="flow")).id for _ in range(49)]]
    asked_before = pool.asked
    following = [asyncio.create_task(all_of(ids[n % 50])) for n in range(200)]
    async with engine.working(engine.worker()):
        streams = await asyncio.gather(*following)
    asked = pool.asked
    await asyncio.sleep(5 * QUICK_SECONDS)

    kept = {execution: await journal(engine, execution) for execution in ids}
    assert [events(stream) for stream in streams] == [kept[ids[n % 50]] for n in range(200)]
    assert (asked_before, pool.most) == (0, 1)
    assert pool.asked == asked  # nobody follows any more, so nothing is asked


async def test_news_that_comes_while_there_is_still_something_to_read_is_not_forgotten(
    engine: Engine, database: Database
) -> None:
    connections.use(database, None, Feed(database.pool, engine.exchange, poll_seconds=3600))
    execution = await engine.start(document_of(*steps(1)))
    await append(engine, execution, 2)
    async with aclosing(executions.follow(OPERATOR, execution=execution)) as stream:
        items = [await anext(stream)]
        await end(engine, execution)
        engine.exchange.tell(execution, 4)
        items += await until(stream, lambda item: isinstance(item, Recorded) and item.is_last)

    assert [seq for seq, *_ in events(items)] == [1, 2, 3, 4]


async def test_who_only_listens_notices_that_it_was_cut_off(database: Database) -> None:
    notifier, greeted = Notifier(database.connect), asyncio.Queue[None]()
    notifier.hear(NEWS, lambda _: None, greet=lambda: greeted.put_nowait(None))
    hints = asyncio.create_task(notifier.run())
    await asyncio.wait_for(greeted.get(), 10)
    await database.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE '%listen%' AND pid <> pg_backend_pid()"
    )
    await asyncio.wait_for(greeted.get(), 10)
    hints.cancel()
    await asyncio.gather(hints, return_exceptions=True)


async def test_what_is_heard_when_the_connection_has_just_been_closed_does_no_harm(database: Database) -> None:
    notifier, payloads = Notifier(database.connect), list[str]()
    notifier.hear(NEWS, payloads.append, greet=lambda: None)
    connection = await database.connect()
    await connection.close()

    notifier._heard(connection, 1, NEWS, "[]")

    assert payloads == ["[]"]


async def test_messages_are_packed_as_postgres_takes_them_and_too_long_ones_left_out(database: Database) -> None:
    said, heard = Notifier(database.connect), Notifier(database.connect)
    ready, payloads = asyncio.Queue[None](), list[str]()
    said.hear(FOLLOWED, payloads.append, greet=lambda: ready.put_nowait(None))
    heard.hear(NEWS, payloads.append, greet=lambda: ready.put_nowait(None))
    tasks = [asyncio.create_task(it.run()) for it in (said, heard)]
    await asyncio.gather(ready.get(), ready.get())
    longest = MAX_PAYLOAD_BYTES - len('[""]')
    sizes = [1, 3_000, longest, longest + 1, 8_000, 1, *range(0, 4_000, 57), 5]
    for size in sizes:
        said.send(NEWS, msgspec.json.encode("ü" * (size // 2) + "x" * (size % 2)))
    await becomes(lambda: bool(payloads) and json.loads(payloads[-1])[-1] == "üüx")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert max(len(payload.encode()) for payload in payloads) <= MAX_PAYLOAD_BYTES
    texts = [text for payload in payloads for text in json.loads(payload)]
    assert [len(text.encode()) for text in texts] == [size for size in sizes if size <= longest]


async def test_a_slow_reader_loses_old_progress_and_no_history(engine: Engine) -> None:
    async def talk(attempt: Attempt) -> Json:
        for n in range(5_000):
            attempt.emit(f"{n} ")
        return "said"

    engine.script.answers["S1"] = talk
    execution = await engine.start(document_of(*steps(3)))
    async with aclosing(executions.follow(OPERATOR, execution=execution)) as stream:
        items = await until(stream, lambda item: isinstance(item, Recorded))
        async with engine.working(engine.worker()):
            await engine.finished(execution)
        items += [item async for item in stream]

    assert events(items) == await journal(engine, execution)
    assert len(items) - len(events(items)) <= MAX_PROGRESS
    texts = [item.text for item in items if isinstance(item, Delta)]
    assert texts[-1] == "4999 "
    assert texts == [f"{n} " for n in range(5_000 - len(texts), 5_000)]


async def test_a_long_history_of_large_events_is_read_in_pages(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    await append(engine, execution, 450)
    await append(engine, execution, 12, bytes=100_000)
    await end(engine, execution)

    async with aclosing(executions.follow(OPERATOR, execution=execution)) as stream:
        items = await until(stream, lambda item: isinstance(item, Recorded) and item.seq == 1)
        (follower,) = connections.feed()._followers[execution]
        held = list[int]()
        async for item in stream:
            items.append(item)
            held.append(sum(len(row["payload"]) for row in follower._page))

    assert events(items) == await journal(engine, execution)
    assert len(items) == 464
    assert max(held) < 200_000


async def test_a_finished_execution_is_streamed_and_its_end_ends_at_once(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    await end(engine, execution)

    assert [item.seq for item in await all_of(execution) if isinstance(item, Recorded)] == [1, 2]
    assert await all_of(execution, after=2) == []
    assert len(await all_of(execution, after=-(10**12))) == 2
    with pytest.raises(Conflict, match=r"has 2 events; this needs `after` to be no more than that, not 3$"):
        await all_of(execution, after=3)


async def test_what_may_not_be_followed_is_refused(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    guest = Caller(Principal(kind="human", name="guest"))

    with pytest.raises(Conflict, match="has 1 events"):
        await all_of(execution, after=10**12)
    with pytest.raises(NotFound, match="there is no execution"):
        await all_of(uuid4())
    with pytest.raises(Forbidden, match=r"executions\.read"):
        await anext(executions.follow(guest, execution=execution))


async def test_one_that_is_pruned_while_it_is_followed_ends_its_stream_with_a_word(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    await append(engine, execution, 300)
    await end(engine, execution)
    async with aclosing(executions.follow(OPERATOR, execution=execution)) as stream:
        await anext(stream)
        await retention.prune(older_than=timedelta(0))

        with pytest.raises(NotFound, match="its journal is gone; it was pruned while it was followed"):
            await until(stream, lambda _: False)


async def test_a_journal_that_is_no_json_is_refused_at_its_event(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    await engine.database.pool.execute(
        "WITH touched AS (UPDATE execution SET priority = priority WHERE id = $1 RETURNING id, epoch)"
        " INSERT INTO journal (execution_id, seq, kind, epoch, payload)"
        " SELECT id, 2, 'by_hand', epoch, '{' FROM touched",
        execution,
    )

    with pytest.raises(Conflict, match="has a journal that cannot be read at event 2"):
        await all_of(execution)


async def test_whatever_an_administrator_notifies_does_no_harm(engine: Engine) -> None:
    execution = await engine.start(document_of(*steps(1)))
    following = asyncio.create_task(all_of(execution))
    said = ["", "{", "null", "[1]", '["x"]', "[[]]", "[" * 2000, f'[["{execution}", "x"]]', f'["{execution}"]']
    lies = [f'[["{execution}", 2000000000]]', f'[["{execution}", -7]]']
    for channel, payload in itertools.product((FOLLOWED, NEWS), [*said, *lies]):
        await engine.database.pool.execute("SELECT pg_notify($1, $2)", channel, payload)
    await append(engine, execution, 3)
    await end(engine, execution)

    assert [seq for seq, *_ in events(await following)] == [1, 2, 3, 4, 5]


Move: TypeAlias = tuple[str, int, int]
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 7), st.sampled_from([0, 70_000])),
        st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 5)),
        st.tuples(st.just("leave"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("tell"), st.integers(-2, 3), st.just(0)),
    ),
    max_size=12,
)


async def test_whatever_the_order_of_reading_and_writing_the_stream_is_the_journal(
    engine: Engine, database: Database
) -> None:
    feed = Feed(database.pool, engine.exchange, poll_seconds=QUICK_SECONDS)
    connections.use(database, None, feed)
    await engine.start(document_of(*steps(1)))
    loop = asyncio.get_running_loop()

    def in_loop(play: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(play, loop).result(60)

    @settings(max_examples=60)
    @given(MOVES)
    def law(moves: list[Move]) -> None:
        in_loop(_play(engine, moves))

    # Hypothesis calls from a thread, so that each example may wait for the database in our loop.
    await asyncio.to_thread(law)


async def _play(engine: Engine, moves: list[Move]) -> None:
    """Three readers of one execution, and a journal that grows as the moves say."""
    execution = (await executions.start(OPERATOR, orchestration="flow")).id
    length, seen = 1, [list[Followed]() for _ in range(3)]
    streams: list[Any] = [None] * 3
    for what, number, amount in moves:
        if what == "append":
            await append(engine, execution, number, bytes=amount)
            length += number
        elif what == "tell":
            engine.exchange.tell(execution, length + number, partial(Delta, path="S0", attempt=1, text="x"))
        elif what == "leave" and streams[number] is not None:
            await streams[number].aclose()
            streams[number] = None
        elif what == "read":
            reached = len(events(seen[number]))
            streams[number] = streams[number] or executions.follow(OPERATOR, execution=execution, after=reached)
            for _ in range(min(amount, length - reached)):
                seen[number].append(await asyncio.wait_for(anext(streams[number]), 10))
    await end(engine, execution)
    for number, stream in enumerate(streams):
        rest = stream or executions.follow(OPERATOR, execution=execution, after=len(events(seen[number])))
        seen[number] += [item async for item in rest]

    kept = await journal(engine, execution)
    assert [events(items) for items in seen] == [kept] * 3
