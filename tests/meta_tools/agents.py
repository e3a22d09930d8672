"""Agents at work: a model over HTTP that a test thinks for, a worker, and word of every execution that ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from db.connection import connect
from services import executions, runtime
from services.caller import OPERATOR
from services.executions import ExecutionDetail
from services.json import Json
from services.models.catalog import Models
from services.settings import Settings
from tests.models.peer import Peer, Reply, completion, peer_with

Messages: TypeAlias = list[dict[str, Any]]
Think: TypeAlias = Callable[[Messages], Reply]

_ANNOUNCE_ENDS = """
CREATE FUNCTION announce_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('ended', NEW.id::text); RETURN NULL; END $$;
CREATE TRIGGER announce_end AFTER UPDATE OF status ON execution FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL)
  EXECUTE FUNCTION announce_end();
"""
_SECONDS = 30


@dataclass
class Ends:
    """Which executions have ended."""

    _seen: set[UUID] = field(default_factory=set[UUID])
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, *notification: object) -> None:
        self._seen.add(UUID(str(notification[-1])))
        self._heard.set()

    async def of(self, execution: UUID) -> ExecutionDetail:
        """The execution, once it has ended."""
        async with asyncio.timeout(_SECONDS):
            while execution not in self._seen:
                self._heard.clear()
                await self._heard.wait()
        return await executions.get(OPERATOR, execution=execution)


@asynccontextmanager
async def working(url: str, model: Peer) -> AsyncIterator[Ends]:
    """A runtime and its worker over the database at `url`, with `model` behind the real SDK."""
    models = Models.from_environment({"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{model.url}/v1"})
    ends = Ends()
    listener = await connect(url)
    await listener.execute(_ANNOUNCE_ENDS)
    await listener.add_listener("ended", ends.tell)
    try:
        async with runtime.opened(Settings(), url, models) as opened:
            worker = opened.worker()
            work = asyncio.create_task(worker.run())
            try:
                yield ends
            finally:
                worker.stop()
                await work
    finally:
        await listener.close()


@contextmanager
def model_that(thinks: Think) -> Iterator[Peer]:
    """A listening peer that answers each conversation with what `thinks` makes of its messages."""

    with peer_with(completion("never said")) as peer:
        peer.next_reply = lambda asked: thinks(asked.body["messages"])
        yield peer


def wants(**calls: tuple[str, Json]) -> Reply:
    """A model answer that calls tools, in this order: `id=(name, arguments)`."""
    wire = tuple((id, name.replace(".", "_"), json.dumps(arguments)) for id, (name, arguments) in calls.items())
    return completion(calls=wire, finish="tool_calls")


def results(messages: Messages) -> dict[str, str]:
    """What each tool call of a conversation gave, by its id."""
    return {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
