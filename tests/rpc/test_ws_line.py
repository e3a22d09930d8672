"""What a socket says leaves in order, and nothing piles up behind somebody who does not read."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from api.rpc.sockets.line import Gone, Line


class Reader:
    """The other end, which reads when it is told to."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.is_asked = asyncio.Event()
        self.read: list[str] = []

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.is_asked.set()
        await self.reads.wait()
        self.read.append(message["text"])


async def silence() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("it never ends")


def line_to(reader: Reader, *, send_seconds: float = 60) -> Line:
    return Line(silence, reader.send, ping_seconds=60, pong_seconds=60, send_seconds=send_seconds)


async def test_a_pong_does_not_overtake_what_was_ready_before_it() -> None:
    reader = Reader()
    line = line_to(reader)
    said = [asyncio.create_task(line.say(text)) for text in ("one", "two", "PONG", "three")]
    await reader.is_asked.wait()

    reader.reads.set()
    await asyncio.gather(*said)

    assert reader.read == ["one", "two", "PONG", "three"]


async def test_whoever_gives_up_its_turn_holds_up_nobody() -> None:
    reader = Reader()
    line = line_to(reader)
    said = [asyncio.create_task(line.say(text)) for text in ("one", "two", "three")]
    await reader.is_asked.wait()

    said[0].cancel()
    said[1].cancel()
    reader.reads.set()
    await asyncio.gather(*said, return_exceptions=True)

    assert reader.read == ["three"]


async def test_somebody_who_does_not_read_is_gone_after_a_while() -> None:
    line = line_to(Reader(), send_seconds=0.001)

    with pytest.raises(Gone):
        await line.say("one")


async def test_nothing_is_made_for_somebody_who_does_not_read() -> None:
    reader = Reader()
    line, made = line_to(reader), 0

    async def say_all() -> None:
        nonlocal made
        while True:
            made += 1
            await line.say("more")

    saying = [asyncio.create_task(say_all()) for _ in range(3)]
    await reader.is_asked.wait()

    assert made == 3  # one of each: the one that is sent, and those that wait for their turn
    for task in saying:
        task.cancel()
