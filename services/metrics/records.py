"""What the services say about metrics."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

By: TypeAlias = Literal["kind", "role", "model"]


class MetricRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the attempts at steps of one kind or role have taken, or the calls of one model.

    `name` is that kind, role or model ("provider/model"); null stands for steps without a role. `count` is how many
    attempts or calls there were, and `succeeded` how many had an output or an answer. Half of them took `p50Ms` at
    most and 95 of a hundred `p95Ms`, to within a tenth. Tokens and cost are those of the models; `unpriced` counts
    calls of which nobody knows the cost, `cached` those that were answered from the cache.
    """

    name: str | None
    count: int
    succeeded: int
    success_rate: float
    p50_ms: int
    p95_ms: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unpriced: int
    cached: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the executions that finished from `since` on and before `until`, both full hours, have taken."""

    since: datetime
    until: datetime
    rows: tuple[MetricRow, ...]
