"""How much of a model's context a request takes, and how much it may take."""

import math

import msgspec

from services.models.catalog import Models
from services.models.messages import Request, about_request_tokens
from services.models.selection import ModelConstraints, offered
from services.steps.agents.notes import Answered

# Chinese has a token for each character, where we count one for four; JSON that is all digits comes near that.
_LEAST, _MOST = 0.5, 8.0
# What is left for an answer where nobody says how long one may be.
ANSWER_TOKENS = 4_096


class Gauge(msgspec.Struct, frozen=True):
    """Counts tokens: a quarter of the characters, corrected by what the provider has last counted."""

    factor: float = 1.0

    @classmethod
    def by(cls, answer: Answered | None) -> "Gauge":
        """Corrected by an answer whose request was counted; languages and providers differ by far.

        >>> Gauge.by(None)
        Gauge(factor=1.0)
        """
        if answer is None or not answer.about_tokens:
            return cls()
        return cls(min(max(answer.calls[-1].input_tokens / answer.about_tokens, _LEAST), _MOST))

    def tokens(self, request: Request) -> int:
        """How many tokens the request has, more or less."""
        return math.ceil(about_request_tokens(request) * self.factor)


def room_of(models: Models, constraints: ModelConstraints, max_output_tokens: int | None) -> int | None:
    """How many tokens the request of the model that would be called may have; None where nobody knows.

    Raises:
        Failed: NO_MODEL when nothing fits, PROVIDER_UNAVAILABLE when what fits is down.
    """
    offer = offered(models.choose(constraints).name, models.offers)
    if offer is None or offer.context_tokens is None:
        return None
    return room_for_input(offer.context_tokens, max_output_tokens)


def room_for_input(context_tokens: int, max_output_tokens: int | None) -> int:
    """How many tokens of a context are left for the request, when the answer may have so many of them.

    An answer takes no more than half.

    >>> room_for_input(128_000, None), room_for_input(8_000, 6_000)
    (123904, 4000)
    """
    return context_tokens - min(max_output_tokens or ANSWER_TOKENS, context_tokens // 2)
