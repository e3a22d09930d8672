"""What models cost: by rows of `model_price`, else by their makers' public price lists; else it is not known."""

import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec

# Raised whenever a price below changes: a cost names the list that it was reckoned with.
LIST_VERSION = "list:2026-11-20"

_MILLION = Decimal(1_000_000)
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


class Price(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """USD per million tokens. Requests with more than `long_from` input tokens cost the `long_` prices throughout.

    Input that the provider had in its cache costs `cached_input` where that is known, else as much as other input.
    `version` is what costs name it by: `list:<date>` for what is built in, `row:<number>` for a row.
    """

    input: Decimal
    output: Decimal
    long_from: int | None = None
    long_input: Decimal = Decimal(0)
    long_output: Decimal = Decimal(0)
    cached_input: Decimal | None = None
    version: str = LIST_VERSION

    def cost_usd(self, *, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> Decimal:
        """What a call costs; `cached_input_tokens` are those of the input that the provider had in its cache.

        >>> price = Price(Decimal("3"), Decimal("15"), cached_input=Decimal("0.3"))
        >>> price.cost_usd(input_tokens=1_000, cached_input_tokens=900, output_tokens=10)
        Decimal('0.00072')
        """
        is_long = self.long_from is not None and input_tokens > self.long_from
        per_input, per_output = (self.long_input, self.long_output) if is_long else (self.input, self.output)
        # What is cached of a long request has no price of its own in any list.
        per_cached = per_input if is_long or self.cached_input is None else self.cached_input
        cached = min(cached_input_tokens, input_tokens)
        total = (input_tokens - cached) * per_input + cached * per_cached + output_tokens * per_output
        return total / _MILLION


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


class PriceList:
    """The prices that hold now: those of rows by "provider/model", else those that are built in."""

    def __init__(self, of_rows: Mapping[str, Price] | None = None, *, listed: Mapping[str, Price] = PRICES) -> None:
        self._of_rows = dict(of_rows or {})
        self._listed = listed

    def of(self, model: str) -> Price | None:
        """The price of "provider/model"; of a dated snapshot that has none of its own, that of its model. None where it
        is not known, never a guess.

        >>> prices = PriceList({"openai/gpt-7": Price(Decimal(1), Decimal(2), version="row:1")})
        >>> found = [prices.of(name) for name in ("openai/gpt-7-2027-01-01", "offline/extractive", "a/b")]
        >>> [price and price.version for price in found]
        ['row:1', 'list:2026-11-20', None]
        """
        undated = _SNAPSHOT.sub("", model)
        for name in dict.fromkeys((model, undated)):
            if (price := self._of_rows.get(name) or self._listed.get(name)) is not None:
                return price
        return None


def cost_usd(model: str, *, input_tokens: int, output_tokens: int) -> Decimal | None:
    """The list price of one call of `model` ("provider/name"); None where it is not known, never a guess.

    Discounts (cached prompts, batches, contracts) are not in it, so a bill may be lower.

    >>> cost_usd("anthropic/claude-haiku-4-5-20251001", input_tokens=1_000, output_tokens=200)
    Decimal('0.002')
    >>> cost_usd("openai/some-new-model", input_tokens=1_000, output_tokens=200) is None
    True
    """
    price = PriceList().of(model)
    return None if price is None else price.cost_usd(input_tokens=input_tokens, output_tokens=output_tokens)
