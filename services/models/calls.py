"""What is kept of each call of a model: `ModelCall`, made as the call ends."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from services.engine.core.events import ModelCall
from services.failure import Failed
from services.models.messages import Usage

OnCall: TypeAlias = Callable[[ModelCall], None]


def unrecorded(_call: ModelCall) -> None:
    """Where nobody keeps what was called."""


def finished(call: ModelCall, began: float, outcome: str, usage: Usage | None = None) -> ModelCall:
    """`call` with how it came out and what it took, having begun at `began` by the monotonic clock."""
    used = usage or Usage()
    return msgspec.structs.replace(
        call,
        outcome=outcome,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_usd=used.cost_usd,
        duration_ms=round((time.monotonic() - began) * 1000),
    )


def outcome_of(error: BaseException) -> str:
    """The code of what ended a call that was not answered.

    >>> outcome_of(asyncio.CancelledError()), outcome_of(ZeroDivisionError())
    ('CANCELLED', 'INTERNAL')
    """
    if isinstance(error, Failed):
        return error.failure.code
    # The attempt was stopped, or took longer than it may.
    return "CANCELLED" if isinstance(error, asyncio.CancelledError) else "INTERNAL"
