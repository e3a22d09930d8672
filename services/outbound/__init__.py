"""Requests to the outside: the one client that is used wherever somebody else has chosen where they go."""

from services.outbound.client import DEFAULT_SECONDS, Method, Outbound, Response
from services.outbound.errors import OutboundError, Refused, TooLarge, Unanswered
from services.outbound.guard import Guard

__all__ = [
    "DEFAULT_SECONDS", "Guard", "Method", "Outbound", "OutboundError", "Refused", "Response", "TooLarge", "Unanswered",
]  # fmt: skip
