"""How well a model does, as its calls have shown."""

from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal["unknown", "up", "degraded", "down"]


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How well a model does.

    It is `unknown` as long as nobody has called it, `degraded` when it fails or takes its time more often than it
    should, and `down` when it is not called for a while because its last calls failed. `reason` says why it is not
    `up`; `retry_after_seconds` is when one that is down is tried again. `failure_rate` goes from 0 to 1 and `seconds`
    is what an answer takes, both of the calls of late.
    """

    state: State
    reason: str = ""
    retry_after_seconds: float | None = None
    failure_rate: float = 0.0
    seconds: float | None = None
