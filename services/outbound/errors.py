"""Why a request to the outside did not work.

* OutboundError
  - Refused      this server makes no such request, now or later
  - Unanswered   nobody could be reached, or answered in time and in HTTP; it may work later
  - TooLarge     the answer is larger than was asked for
"""


class OutboundError(Exception):
    """A request that did not work. The message is for whoever asked for it, a model among them."""


class Refused(OutboundError):
    """This server makes no such request: where it would lead, or how it is written, is not allowed."""


class Unanswered(OutboundError):
    """Nobody could be reached, or answered in time and in HTTP; the same request may work later."""


class TooLarge(OutboundError):
    """The answer is larger than was asked for."""
