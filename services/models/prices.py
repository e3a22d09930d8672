"""What models cost by their makers' public price lists; a model that is not listed has no known price."""

import re
from decimal import Decimal

import msgspec

_MILLION = Decimal(1_000_000)
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


class Price(msgspec.Struct, frozen=True):
    """USD per million tokens. Requests with more than `long_from` input tokens cost the `long_` prices throughout."""

    input: Decimal
    output: Decimal
    long_from: int | None = None
    long_input: Decimal = Decimal(0)
    long_output: Decimal = Decimal(0)


def _price(input: str, output: str, *, long: tuple[int, str, str] | None = None) -> Price:
    if long is None:
        return Price(Decimal(input), Decimal(output))
    return Price(Decimal(input), Decimal(output), long[0], Decimal(long[1]), Decimal(long[2]))


# Each stands on its maker's page of the model, below platform.claude.com/docs or developers.openai.com/api/docs/models.
PRICES = {
    "anthropic/claude-fable-5-1": _price("10", "50"),
    "anthropic/claude-haiku-4-5": _price("1", "5"),
    "anthropic/claude-haiku-5-5": _price("0.10", "0.50", long=(100_000, "0.50", "2.50")),
    "anthropic/claude-opus-5": _price("5", "25"),
    "anthropic/claude-opus-5-5": _price("4", "20"),
    "anthropic/claude-sonnet-5": _price("2", "10"),
    "anthropic/claude-sonnet-5-5": _price("2", "10"),
    "openai/gpt-5.6-luna": _price("0.20", "1.20", long=(272_000, "0.40", "1.80")),
    "openai/gpt-6-luna": _price("0.10", "0.50", long=(272_000, "0.20", "0.75")),
    "offline/extractive": _price("0", "0"),
}


def cost_usd(model: str, *, input_tokens: int, output_tokens: int) -> Decimal | None:
    """The list price of one call of `model` ("provider/name"); None where it is not known, never a guess.

    Discounts (cached prompts, batches, contracts) are not in it, so a bill may be lower.

    >>> cost_usd("anthropic/claude-haiku-4-5-20251001", input_tokens=1_000, output_tokens=200)
    Decimal('0.002')
    >>> cost_usd("openai/some-new-model", input_tokens=1_000, output_tokens=200) is None
    True
    """
    price = PRICES.get(model) or PRICES.get(_SNAPSHOT.sub("", model))
    if price is None:
        return None
    is_long = price.long_from is not None and input_tokens > price.long_from
    per_input, per_output = (price.long_input, price.long_output) if is_long else (price.input, price.output)
    return (input_tokens * per_input + output_tokens * per_output) / _MILLION
