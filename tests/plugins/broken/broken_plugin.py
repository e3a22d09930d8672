"""Everything that a plugin can get wrong."""

import sys
from collections.abc import Mapping

from services.models.offline.provider import OfflineProvider
from services.models.selection import Offer
from services.tools.tool import Tool, ToolContext, tool


class Strange(OfflineProvider):
    """Another provider."""

    name = "strange"


async def nothing(context: ToolContext) -> None:
    """Do nothing."""


NOTHING = 7
CLASH = tool("files.read")(nothing)
TWICE = [tool("broken.twice")(nothing), tool("shop.price")(nothing)]
META = tool("broken.rule", tags=("meta",))(nothing)


def exits() -> tuple[Tool, ...]:
    """End the process that asks."""
    sys.exit("I do not want to be a plugin")


def raises() -> tuple[Tool, ...]:
    """Raise what tells a secret."""
    raise KeyError("secret")


def raises_too(environ: Mapping[str, str]) -> None:
    """Raise as well."""
    raise KeyError("secret")


def mistaken(environ: Mapping[str, str]) -> tuple[OfflineProvider, list[Offer]]:
    """Offer what another provider has."""
    return Strange(), [Offer("openai", "gpt")]


def offline(environ: Mapping[str, str]) -> tuple[OfflineProvider, list[Offer]]:
    """Take the name of ours."""
    return OfflineProvider(), [Offer("offline", "extractive")]
