"""One call of a model: permitted, paid for, and with what came of it on record."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from services.engine.core.events import ModelCall
from services.failure import Failed, Failure, failed
from services.models.breaker import Breaker
from services.models.limits import Limiter, Permit
from services.models.messages import Usage
from services.models.prices import Price
from services.models.provider import Emit, Provider, Refused, Unreached
from services.models.purse import Estimate, Purse, Reservation

_log = logging.getLogger(__name__)

OnCall: TypeAlias = Callable[[ModelCall], None]
# Models that think for a minute are no news; one that says nothing for so long, and then not at all, is.
SILENT_SECONDS = 30.0
_LEAST_SECONDS = 0.001


class Used(Protocol):
    """What a call gives that has worked."""

    @property
    def usage(self) -> Usage:
        """What it took; the price is left open."""
        ...


T = TypeVar("T", bound=Used)


def unrecorded(_call: ModelCall) -> None:
    """Where nobody keeps what was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a call of one model goes through: its provider, the limiter and the breaker that it shares, its price."""

    provider: Provider
    limiter: Limiter
    breaker: Breaker
    price: Price | None


class Heard:
    """Passes on what a model says, and knows when it last said something."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.at = time.monotonic()
        self.anything = False

    def __call__(self, piece: str) -> None:
        """Take a piece of an answer."""
        self.at = time.monotonic()
        self.anything = self.anything or bool(piece)
        self._emit(piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """What a model is asked: `ask` sends it, within so many seconds, and gives what comes back.

    `tokens` is about what it counts towards the provider's limits, and `estimate` what it takes at most.
    """

    ask: Callable[[Provider, float], Awaitable[T]]
    tokens: Callable[[], int]
    estimate: Callable[[], Estimate]
    heard: Heard
    purse: Purse | None
    on_call: OnCall


async def call(line: Line, model: str, reason: str, question: Question[T], *, seconds: float, patience: float) -> T:
    """What `model` gives, priced. It is recorded whatever comes of it.

    All together it takes no longer than `seconds`, and it waits for no pause of the provider that is longer than
    `patience`.

    Raises:
        Failed: RATE_LIMITED when no permit came; PROVIDER_UNAVAILABLE when the breaker is open; what the purse
            or the provider raises.
    """
    record = _Record(ModelCall(model=model, outcome="", reason=reason, price=line.price and line.price.version))
    began = time.monotonic()
    permit = await _permit(line, question, record, seconds, patience)
    try:
        reservation = await _admitted(line, model, question)
    except BaseException as error:
        permit.give_back()
        question.on_call(record.of(error, is_unsent=True))
        raise
    sent = question.heard.at = time.monotonic()
    left = max(_LEAST_SECONDS, seconds - (sent - began))
    try:
        answer = await question.ask(line.provider, min(left, line.limiter.limits.timeout_seconds or left))
    except BaseException as error:
        permit.end(None)
        _judge(line, error, silent_seconds=time.monotonic() - question.heard.at)
        question.on_call(record.of(error))
        if reservation is not None:
            await _booked(reservation.release() if is_unbilled(error) else reservation.forfeit())
        raise
    line.breaker.worked(time.monotonic() - sent)
    usage = priced(answer.usage, line.price)
    permit.end(usage.input_tokens + usage.output_tokens)
    question.on_call(record.answered(usage))
    if reservation is not None:
        await _booked(reservation.settle(usage))
    return msgspec.structs.replace(answer, usage=usage)  # type: ignore[type-var]


def priced(usage: Usage, price: Price | None) -> Usage:
    """`usage` with what it costs; None where the price is not known, never a guess."""
    cost = (
        None
        if price is None
        else price.cost_usd(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_input_tokens=usage.cached_input_tokens,
        )
    )
    return msgspec.structs.replace(usage, cost_usd=cost)


def is_unbilled(error: BaseException) -> bool:
    """Whether the provider has surely not worked for a call that ended so."""
    return isinstance(error, Unreached | Refused)


class _Record:
    """What is kept of a call, made as it ends."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._began = time.monotonic()

    def answered(self, usage: Usage) -> ModelCall:
        return self._ended(
            outcome="answered",
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
        )

    def of(self, error: BaseException, *, is_unsent: bool = False) -> ModelCall:
        cost = Decimal(0) if is_unsent or is_unbilled(error) else None
        return self._ended(outcome=_outcome(error), cost_usd=cost, price=None)

    def _ended(self, **known: Any) -> ModelCall:
        duration_ms = round((time.monotonic() - self._began) * 1000)
        return msgspec.structs.replace(self._call, duration_ms=duration_ms, **known)


def _outcome(error: BaseException) -> str:
    if isinstance(error, Failed):
        return error.failure.code
    # The attempt was stopped, or took longer than it may.
    return "CANCELLED" if isinstance(error, asyncio.CancelledError) else "INTERNAL"


async def _permit(line: Line, question: Question[Any], record: _Record, seconds: float, patience: float) -> Permit:
    tokens = 0 if line.limiter.limits.tokens_per_minute is None else question.tokens()
    try:
        return await line.limiter.permit(tokens, seconds, patience_seconds=patience)
    except BaseException as error:
        question.on_call(record.of(error, is_unsent=True))
        raise


async def _admitted(line: Line, model: str, question: Question[Any]) -> Reservation | None:
    """What was set aside for the call, if it is paid from a purse."""
    if not line.breaker.admits():
        state = line.breaker.health()
        message = f"{model} is not called for a while: {state.reason}"
        raise failed("PROVIDER_UNAVAILABLE", message, retry_after_seconds=state.retry_after_seconds)
    if question.purse is None:
        return None
    try:
        return await question.purse.reserve(question.estimate())
    except BaseException:
        line.breaker.abandoned()
        raise


def _judge(line: Line, error: BaseException, *, silent_seconds: float) -> None:
    """Let the breaker and the limiter know what a failure says of the provider."""
    failure = error.failure if isinstance(error, Failed) else None
    if _is_providers(error, failure, silent_seconds):
        line.breaker.failed(_outcome(error) if failure is None else failure.code)
    else:
        line.breaker.abandoned()
    if failure is None:
        return
    if failure.code == "RATE_LIMITED" or (isinstance(error, Refused) and failure.retry_after_seconds is not None):
        line.limiter.close_for(failure.retry_after_seconds, failure.message)


def _is_providers(error: BaseException, failure: Failure | None, silent_seconds: float) -> bool:
    if failure is not None and failure.code == "MODEL_ERROR":
        return failure.retryable
    # Whoever gives a model no time must not have it taken for broken.
    is_given_up = isinstance(error, asyncio.CancelledError) or (failure is not None and failure.code == "TIMEOUT")
    return is_given_up and silent_seconds >= SILENT_SECONDS


_booking: set[asyncio.Task[None]] = set()


async def _booked(booking: Coroutine[Any, Any, None]) -> None:
    """Wait until a reservation has ended, however often the attempt is stopped meanwhile.

    One that could not be ended stays set aside, which is on the safe side; what was answered is not lost for that.
    """
    task = asyncio.create_task(booking, name="booking a model call")
    _booking.add(task)
    task.add_done_callback(_done)
    try:
        await asyncio.shield(task)
    except Exception:  # logged when it is done
        return


def _done(task: asyncio.Task[None]) -> None:
    _booking.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("what a model call has taken could not be booked: %r", error)
