"""What answers the requests that rows make: each by itself, woken or looking, and never held up by another."""

import asyncio
from collections.abc import Collection

import pytest

from services.errors import Unavailable
from services.row_requests import OneByOne, RowRequests


class Rows:
    """Requests that wait, by number; how each goes is said by the test."""

    def __init__(self, *waiting: int) -> None:
        self.waiting = list(waiting)
        self.held = set[int]()
        self.raising = dict[int, Exception]()
        self.tried = list[int]()
        self.given_up = list[int]()

    def handler(self, back_off_seconds: float = 0.0) -> OneByOne[int]:
        return OneByOne(self.pending, self.answer, self.give_up, back_off_seconds=back_off_seconds)

    async def pending(self, left_out: Collection[int]) -> list[int]:
        return [id for id in self.waiting if id not in left_out]

    async def answer(self, id: int) -> bool:
        self.tried.append(id)
        if id in self.raising:
            raise self.raising[id]
        if id in self.held:
            return False
        self.waiting.remove(id)
        return True

    async def give_up(self, id: int) -> None:
        self.given_up.append(id)
        self.waiting.remove(id)


async def test_each_request_is_answered_by_itself() -> None:
    rows = Rows(1, 2, 3)
    rows.raising[1] = RuntimeError("a bug of ours")
    rows.held.add(2)

    answered = await rows.handler()()

    assert (answered, rows.tried, rows.waiting) == (1, [1, 2, 3], [1, 2])


async def test_what_could_not_be_answered_rests_and_others_come_first() -> None:
    rows = Rows(1, 2)
    rows.raising[1] = RuntimeError("a bug of ours")
    handler = rows.handler(back_off_seconds=60.0)

    await handler()
    rows.waiting.append(3)
    answered = await handler()

    assert (answered, rows.tried) == (1, [1, 2, 3])


async def test_after_five_tries_the_row_is_told_that_it_was_given_up() -> None:
    rows = Rows(1)
    rows.raising[1] = RuntimeError("a bug of ours")
    handler = rows.handler()

    answered = [await handler() for _ in range(6)]

    assert (answered, rows.tried, rows.given_up) == ([0, 0, 0, 0, 0, 1], [1] * 5, [1])


async def test_a_database_that_is_away_is_no_reason_to_give_up() -> None:
    rows = Rows(1)
    rows.raising[1] = Unavailable("the database is not open")
    handler = rows.handler()

    for _ in range(20):
        await handler()
    rows.raising.clear()

    assert (await handler(), rows.given_up) == (1, [])


async def test_a_kind_that_fails_holds_up_no_other() -> None:
    failed, answered = asyncio.Event(), asyncio.Event()

    async def fails() -> int:
        failed.set()
        raise RuntimeError("a bug of ours")

    async def answers() -> int:
        await failed.wait()
        answered.set()
        return 0

    requests = RowRequests({"failing": fails, "answering": answers})
    task = asyncio.create_task(requests.run())
    async with asyncio.timeout(5):
        await answered.wait()

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_kind_that_failed_is_asked_again() -> None:
    outcomes = [RuntimeError("a bug of ours"), RuntimeError("again"), None]
    done = asyncio.Event()

    async def at_last() -> int:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        done.set()
        return 0

    await _until(done, RowRequests({"kind": at_last}, back_off_seconds=0.0))


async def test_it_goes_on_while_there_is_something_to_answer() -> None:
    waiting, done = [2, 1, 0], asyncio.Event()

    async def one_at_a_time() -> int:
        if waiting[0] == 0:
            done.set()
        return waiting[0] and waiting.pop(0)

    # It would look again after an hour.
    await _until(done, RowRequests({"kind": one_at_a_time}, poll_seconds=3600.0))


async def test_it_looks_when_it_is_woken_and_by_itself() -> None:
    looks, looked = 0, asyncio.Event()

    async def look() -> int:
        nonlocal looks
        looks += 1
        if looks == 3:
            looked.set()
        return 0

    requests = RowRequests({"kind": look}, poll_seconds=0.01)
    await _until(looked, requests)
    looks = 0
    looked.clear()
    woken = RowRequests({"kind": look}, poll_seconds=3600.0)
    task = asyncio.create_task(woken.run())
    async with asyncio.timeout(5):
        while not looked.is_set():
            woken.wake()
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _until(event: asyncio.Event, requests: RowRequests) -> None:
    task = asyncio.create_task(requests.run())
    async with asyncio.timeout(5):
        await event.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
