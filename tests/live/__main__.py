"""`python -m tests.live`: every service that the environment has a key for; 1 when one of them fails."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import msgspec

from services.failure import Failed
from services.models.catalog import Models
from services.models.messages import Answer, Request, ToolSpec, UserMessage
from services.models.provider import Provider, unheard
from services.models.selection import Offer

_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
_TOOL = ToolSpec("garden.water", "Water a bed of the garden.", {
    "type": "object", "properties": {"bed": {"type": "integer"}}, "required": ["bed"], "additionalProperties": False,
})  # fmt: skip

Ask = Callable[[Provider, Offer], Awaitable[str]]


async def plain(provider: Provider, offer: Offer) -> str:
    """An answer in words."""
    answer = await provider.complete(_request(offer, "Answer with the word: ready"))
    return _is(bool(answer.text.strip()), answer)


async def streamed(provider: Provider, offer: Offer) -> str:
    """The pieces of an answer are the answer."""
    pieces: list[str] = []
    answer = await provider.complete(_request(offer, "Count from one to five in words."), pieces.append)
    return _is("".join(pieces) == answer.text, answer)


async def tools(provider: Provider, offer: Offer) -> str:
    """A call of a tool, with arguments that fit."""
    asked = _request(offer, "Water bed 3 with the tool.", tools=(_TOOL,))
    answer = await provider.complete(asked, unheard)
    wanted = [call.arguments for call in answer.tool_calls if call.name == _TOOL.name]
    return _is({"bed": 3} in wanted, answer)


async def structured(provider: Provider, offer: Offer) -> str:
    """JSON that fits a schema."""
    answer = await provider.complete(_request(offer, "Which colour is the sky at noon?", output_schema=_SCHEMA))
    said = msgspec.json.decode(answer.text)
    return _is(isinstance(said, dict) and isinstance(said.get("colour"), str), answer)


_ASKED: dict[str, tuple[Ask, str]] = {
    "plain": (plain, ""),
    "streamed": (streamed, "streaming"),
    "tools": (tools, "tools"),
    "structured": (structured, "json"),
}


async def main() -> int:
    """Ask them all, and say how each did."""
    models = Models.from_environment(os.environ)
    offers = [offer for offer in models.offers if offer.provider != "offline"]
    failures = 0
    for offer in offers:
        for name, (ask, needed) in _ASKED.items():
            if needed and needed not in offer.capabilities:
                print(f"{offer.name:40} {name:12} skipped: it does not claim {needed}")
                continue
            told = await _told(ask, models.configuration.providers[offer.provider], offer)
            failures += told.startswith("FAILED")
            print(f"{offer.name:40} {name:12} {told}")
    if not offers:
        print("skipped: no key of any service is in the environment; docs/models.md lists them")
    await models.close()
    return 1 if failures else 0


async def _told(ask: Ask, provider: Provider, offer: Offer) -> str:
    try:
        return await ask(provider, offer)
    except (Failed, msgspec.DecodeError) as error:
        return f"FAILED: {error}"


def _request(
    offer: Offer, text: str, *, tools: tuple[ToolSpec, ...] = (), output_schema: dict[str, object] | None = None
) -> Request:
    return Request(
        model=offer.model,
        system="",
        messages=(UserMessage(text),),
        tools=tools,
        output_schema=output_schema,
        # Models that think before they answer need some room for it.
        max_output_tokens=2_000,
    )


def _is(as_wanted: bool, answer: Answer) -> str:
    usage = f"{answer.usage.input_tokens} + {answer.usage.output_tokens} tokens"
    return f"ok, {usage}" if as_wanted else f"FAILED: it answered {answer.text!r} {answer.tool_calls!r}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
