"""Attempts at steps without an engine: notes are kept as it keeps them, and a worker dies where a test wants it to."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from services.caller import OPERATOR
from services.definitions.document import Kind, Step
from services.engine.performer import Attempt
from services.engine.progress import Progress
from services.json import Json
from services.models.catalog import Models
from tests.models.peer import Peer, Reply, completion, peer_with
from tests.role_versions import newest_version

ROLE = "Counter"


class Killed(BaseException):
    """The worker dies here; nobody in it may catch that."""


class Journal:
    """Keeps notes as the engine does; the worker dies after so many."""

    def __init__(self, breaks_after: int | None = None) -> None:
        self.notes: list[Json] = []
        self.pieces: list[str] = []
        self.shown: list[Progress] = []
        self.accounted = 0
        self._breaks_after = breaks_after

    async def keep(self, note: Json) -> None:
        self.notes.append(note)
        if len(self.notes) == self._breaks_after:
            raise Killed

    def of_kind(self, kind: str) -> list[Any]:
        return [note for note in self.notes if isinstance(note, dict) and note["note"] == kind]


async def attempt(
    journal: Journal, kind: Kind = "agent", *, number: int = 1, input: Json = None, **fields: Any
) -> Attempt:
    """An attempt at a step that begins where the journal ends."""
    return Attempt(
        execution=UUID(int=7),
        path="A",
        step=Step(name="A", kind=kind, role_name=ROLE, **fields),
        number=number,
        input={"task": "count"} if input is None else input,
        timeout_ms=300_000,
        idempotency_key=f"{UUID(int=7)}/A",
        role_version=await newest_version(ROLE),
        initiator=OPERATOR.principal,
        notes=list(journal.notes),
        accounted=journal.accounted,
        keep=journal.keep,
        emit=journal.pieces.append,
        show=journal.shown.append,
    )


@asynccontextmanager
async def scripted(*script: Reply, context_tokens: int | None = None) -> AsyncIterator[tuple[Models, Peer]]:
    """Models whose answers are these, one after another, over the real SDK; each has that much context."""
    with peer_with(*script) as peer:
        models = Models.from_environment({"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{peer.url}/v1"})
        if context_tokens is not None:
            offers = tuple(msgspec.structs.replace(offer, context_tokens=context_tokens) for offer in models.offers)
            models.use(replace(models.configuration, offers=offers))
        yield models, peer
        await models.close()


def wants(*calls: tuple[str, Json]) -> Reply:
    """A model's answer that calls tools with arguments; like some endpoints it uses the same ids in every answer."""
    return completion(calls=tuple((f"call_{n}", name, json.dumps(given)) for n, (name, given) in enumerate(calls)))


def told(peer: Peer, request: int = -1) -> list[Any]:
    """The messages of a request, without the role's prompt."""
    return peer.asked[request].body["messages"][1:]
