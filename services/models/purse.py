"""What model calls are paid from: reserved before each call, settled after it.

Who calls a model knows no budgets. It asks a purse, which may say no, and tells it afterwards what the call has taken.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from services.models.messages import Request, Usage

# A tokenizer that knows no letter makes a token of each byte. Around that, endpoints put marks of their own.
_TOKENS_PER_CALL = 512
_TOKENS_PER_PART = 16


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one call takes at most.

    `model` is "provider/model". `at_most_usd` is None where the price is not known.
    """

    model: str
    input_tokens: int
    max_output_tokens: int
    at_most_usd: Decimal | None


class Reservation(Protocol):
    """What was set aside for one call. It ends once, in one of three ways; later ones change nothing.

    One that is left open, as by a process that dies, stays set aside, and counts as spent when its step is over.
    """

    async def settle(self, usage: Usage) -> None:
        """The provider has answered: `usage` is spent, the rest is free again."""
        ...

    async def release(self) -> None:
        """The provider surely did no work: all of it is free again."""
        ...

    async def forfeit(self) -> None:
        """Nobody knows what the provider has done, as after a timeout: all of it is spent."""
        ...


class Purse(Protocol):
    """What the calls of one attempt at a step are paid from."""

    async def reserve(self, estimate: Estimate) -> Reservation:
        """Set aside what the call takes at most.

        Raises:
            Failed: BUDGET_EXCEEDED when that does not fit into what is left; BUDGET_UNKNOWN_PRICE when there is a
                budget and nobody knows what the call may take.
        """
        ...


def most_input_tokens(request: Request) -> int:
    """Tokens that `request` has at most: one for each byte, and what providers add to a call, its messages and tools.

    Most texts have about a quarter of that; what is not used is free again as soon as the call is settled.
    """
    said = (request.system, request.messages, request.tools, request.output_schema)
    parts = len(request.messages) + len(request.tools)
    return len(msgspec.json.encode(said)) + _TOKENS_PER_CALL + parts * _TOKENS_PER_PART


class _Unlimited:
    """Where there is no budget: pays for everything and counts nothing."""

    async def reserve(self, estimate: Estimate) -> Reservation:
        del estimate
        return _NOTHING


class _Nothing:
    async def settle(self, usage: Usage) -> None:
        del usage

    async def release(self) -> None:
        pass

    async def forfeit(self) -> None:
        pass


_NOTHING: Reservation = _Nothing()
UNLIMITED: Purse = _Unlimited()
