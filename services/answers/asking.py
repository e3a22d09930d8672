"""Asking where an answer may be kept: looked for in memory and in the database, and asked once by all who want it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

import asyncpg
import msgspec

from services.answers import store
from services.answers.key import key_of
from services.answers.memory import Memory
from services.definitions.document import Cache
from services.engine.core.events import ModelCall
from services.engine.outages import TRANSIENT
from services.engine.performer import Attempt
from services.models.messages import Answer, Request
from services.models.provider import Emit
from services.models.selection import Choice
from services.schema import problems_of_value

MAX_ANSWER_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)
_memory = Memory()
# By key, what somebody is asking now; its result says whether the answer was kept.
_asking: dict[str, asyncio.Future[bool]] = {}


async def answer_to(
    request: Request,
    attempt: Attempt,
    choice: Choice,
    *,
    cache: Cache,
    emit: Emit,
    ask: Callable[[], Awaitable[Answer]],
) -> Answer:
    """The answer that `choice` has given to the same request before, within the time of `cache`; else that of `ask`.

    A kept answer is recorded on the attempt, costs nothing and is emitted as a whole. Of several that want the same at
    once, one asks and the others wait for it; when that is not kept, each asks for itself.

    Raises:
        Failed: what `ask` raises.
    """
    began = time.monotonic()
    execution = attempt.execution if cache.scope == "execution" else None
    key = key_of(request, model=choice.name, role_version=attempt.role_version, execution=execution)
    ttl_seconds = cache.ttl_ms / 1000
    if (others := _asking.get(key)) is not None and not await asyncio.shield(others):
        return await ask()
    if (kept := await _kept(key, ttl_seconds)) is not None:
        attempt.record(_call_of(kept, key, began))
        emit(kept.text)
        return kept
    if key in _asking:  # somebody has begun to while the database was asked
        return await answer_to(request, attempt, choice, cache=cache, emit=emit, ask=ask)
    asking = _asking[key] = asyncio.get_running_loop().create_future()
    is_kept = False
    try:
        answer = await ask()
        is_kept = await _keep(key, request, answer, ttl_seconds)
        return answer
    finally:
        del _asking[key]
        asking.set_result(is_kept)


async def _kept(key: str, ttl_seconds: float) -> Answer | None:
    content = _memory.get(key, ttl_seconds=ttl_seconds)
    if content is None:
        try:
            stored = await store.get(key, ttl_seconds=ttl_seconds)
        except TRANSIENT as error:
            _log.warning("answers are not looked for while the database is away: %r", error)
            return None
        if stored is None:
            return None
        content = stored.content
        _memory.put(key, content, age_seconds=stored.age_seconds, left_seconds=stored.left_seconds)
    try:
        return msgspec.json.decode(content, type=Answer)
    except msgspec.MsgspecError:  # written by another version of the program, or by hand
        return None


async def _keep(key: str, request: Request, answer: Answer, ttl_seconds: float) -> bool:
    """Keep the answer if it is worth it; whether it was kept."""
    if not _is_whole(request, answer):
        return False
    content = msgspec.json.encode(answer)
    if len(content) > MAX_ANSWER_BYTES:
        return False
    _memory.put(key, content, age_seconds=0, left_seconds=ttl_seconds)
    try:
        await store.put(key, answer.model, content, ttl_seconds=ttl_seconds)
    except (*TRANSIENT, asyncpg.PostgresError) as error:  # it was paid for, and is good all the same
        _log.warning("an answer is kept by this process only: %r", error)
    return True


def _is_whole(request: Request, answer: Answer) -> bool:
    """Whether the answer is done, asks for no tools, and fits what it was asked to fit."""
    if answer.stop != "end" or answer.tool_calls:
        return False
    if request.output_schema is None:
        return True
    try:
        value = msgspec.json.decode(answer.text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return not problems_of_value(request.output_schema, value)


def _call_of(kept: Answer, key: str, began: float) -> ModelCall:
    return ModelCall(
        model=kept.model,
        outcome="answered",
        reason=f"the same was answered before; it is kept as {key}",
        cost_usd=Decimal(0),
        duration_ms=round((time.monotonic() - began) * 1000),
        is_cached=True,
    )
