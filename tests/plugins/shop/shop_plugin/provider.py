"""A provider whose model says what it hears."""

from collections.abc import Mapping

from services.models.messages import Answer, Request, Usage, UserMessage
from services.models.provider import Emit, unheard
from services.models.selection import Offer


class Echo:
    """Answers at once, and louder."""

    name = "echo"

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        heard = next(it.text for it in reversed(request.messages) if isinstance(it, UserMessage))
        emit(heard.upper())
        return Answer(heard.upper(), (), Usage(1, 1), model="echo/loud", stop="end")

    async def close(self) -> None:
        """It has nothing open."""


def configured(environ: Mapping[str, str]) -> tuple[Echo, list[Offer]] | None:
    """The provider, where the environment says that there is one."""
    return (Echo(), [Offer("echo", "loud")]) if environ.get("SHOP_ECHO") else None
