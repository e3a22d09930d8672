"""What the services say about budgets."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

MAX_TOKENS = 1_000_000_000_000
DailyTokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class DailyBudget(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the model calls of a day (UTC) may take, and what those of today have taken.

    `name` is that of the role or the orchestration; of the whole installation it is null. A limit that is null limits
    nothing. `reserved…` is set aside for calls under way, `settled…` is spent.
    """

    kind: Literal["role", "orchestration", "installation"]
    name: str | None
    usd_per_day: Decimal | None
    tokens_per_day: int | None
    reserved_usd: Decimal
    settled_usd: Decimal
    reserved_tokens: int
    settled_tokens: int


class ExecutionBudget(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the model calls of an execution, and of all that it has started, may take and have taken.

    `granted…` is null where nothing limits it. `reserved…` is set aside for calls under way, `settled…` is spent.
    """

    granted_usd: Decimal | None
    granted_tokens: int | None
    reserved_usd: Decimal
    settled_usd: Decimal
    reserved_tokens: int
    settled_tokens: int
