"""The models this installation can call: chosen, called and priced in one place."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from services.failure import failed
from services.models import environment
from services.models.breaker import Breaker
from services.models.calls import Heard, Line, OnCall, Question, unrecorded
from services.models.configuration import Configuration
from services.models.failover import along
from services.models.health import Health
from services.models.limits import NO_LIMITS, Limiter, Limits
from services.models.messages import Answer, Embeddings, Request, about_request_tokens, about_tokens
from services.models.provider import Emit, Provider, unheard
from services.models.purse import UNLIMITED, Estimate, Purse, most_input_tokens
from services.models.selection import (
    Choice,
    Explanation,
    ModelConstraints,
    Offer,
    explain,
    nothing_fits,
    offered,
)

# What is paid from a budget has an end: so many tokens, where neither the role nor the model says how many.
PAID_OUTPUT_TOKENS = 8_192
# Roles may name any model of a provider; what is known of those that were called long ago is forgotten.
_MAX_REMEMBERED = 1_000


def went_on() -> None:
    """Where nobody minds that an answer begins anew."""


class Models:
    """Every provider that is configured, which model stands for it, and how well each does.

    The first offer is the default. Offline is always there when asked for by name. `minute` is how many seconds the
    minute of a limit has.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        offers: Sequence[Offer],
        limits: Mapping[str, Limits] | None = None,
        *,
        minute: float = 60.0,
    ) -> None:
        self.configuration = Configuration(providers=dict(providers), offers=tuple(offers), limits=limits or {})
        self._minute = minute
        self._limiters: dict[str, Limiter] = {}
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Models":
        """The models `environ` has settings for; asks Ollama what it has, and does not wait long.

        Raises:
            Failed: NO_MODEL when ROLECALL_MODEL names a model that is not configured, or OLLAMA_HOST is no address.
        """
        return cls(*environment.found(environ))

    def use(self, configuration: Configuration) -> None:
        """Call what `configuration` says from now on; calls that are under way go on with what they began with."""
        self.configuration = configuration
        for name in [name for name in self._limiters if name not in configuration.providers]:
            del self._limiters[name]
        for name, limiter in self._limiters.items():
            limiter.use(configuration.limits.get(name, NO_LIMITS))

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What can be called, the default first."""
        return self.configuration.offers

    @property
    def default(self) -> str:
        """ "provider/model" of what is called when a role has no wishes; empty where nothing is offered."""
        return self.configuration.default

    @property
    def is_offline(self) -> bool:
        """Whether the default is the offline model, so that nothing leaves this machine."""
        return self.default.startswith("offline/")

    def health(self) -> dict[str, Health]:
        """How well each model does that was called, by "provider/model"."""
        return {name: breaker.health() for name, breaker in self._breakers.items()}

    def explain(self, constraints: ModelConstraints) -> Explanation:
        """Which model `complete` would call now, which after it, and what is against the others."""
        return explain(constraints, self.offers, self.health(), self.configuration.prices)

    def choose(self, constraints: ModelConstraints) -> Choice:
        """The model `complete` would call now, and why.

        Raises:
            Failed: NO_MODEL when nothing fits; PROVIDER_UNAVAILABLE when what fits is down.
        """
        return self._chain(constraints)[0]

    async def complete(
        self,
        constraints: ModelConstraints,
        request: Request,
        emit: Emit = unheard,
        *,
        purse: Purse = UNLIMITED,
        on_call: OnCall = unrecorded,
        anew: Callable[[], None] = went_on,
    ) -> Answer:
        """The answer of the chosen model or, where that fails, of the next one along; with its price where it is known.

        `request.model` is replaced; its time holds for all that are asked, together with their waiting. `emit` gets the
        text of the answer in pieces, and `anew` is called when they begin from the start with another model. `on_call`
        gets what is to be kept of each call, answered or not, and `purse` pays for them.

        Raises:
            Failed: NO_MODEL when nothing fits; PROVIDER_UNAVAILABLE when what fits is down; RATE_LIMITED when no permit
                came within the time; otherwise what `Provider.complete` or the purse raises.
        """

        def question_of(choice: Choice) -> Question[Answer]:
            heard = Heard(emit)
            asked = msgspec.structs.replace(request, model=choice.model)
            most = self._most_output(choice, asked)
            if purse is not UNLIMITED and most is None:
                asked = msgspec.structs.replace(asked, max_output_tokens=PAID_OUTPUT_TOKENS)
            return Question(
                ask=lambda provider, seconds: provider.complete(
                    msgspec.structs.replace(asked, timeout_seconds=seconds), heard
                ),
                tokens=lambda: about_request_tokens(asked) + (asked.max_output_tokens or 0),
                estimate=lambda: self._estimate(choice, most_input_tokens(asked), most or PAID_OUTPUT_TOKENS),
                heard=heard,
                purse=None if purse is UNLIMITED else purse,
                on_call=on_call,
            )

        chain = self._chain(constraints)
        return await along(chain, self._line, question_of, seconds=request.timeout_seconds, anew=anew)

    async def embed(
        self,
        wish: str,
        texts: Sequence[str],
        *,
        timeout_seconds: float = 60.0,
        purse: Purse = UNLIMITED,
        on_call: OnCall = unrecorded,
    ) -> Embeddings:
        """A vector for each text, by "provider/model"; nobody stands in for it, since vectors of two models differ.

        Raises:
            Failed: NO_MODEL when nobody offers it; otherwise as `complete`.
        """
        offer = offered(wish, self.offers)
        if offer is None or "/" not in wish:
            names = ", ".join(sorted(self.configuration.providers))
            raise failed("NO_MODEL", f"{wish!r} is not available; write provider/model, with a provider of {names}")
        choice = Choice(offer.provider, offer.model, f"asked for as {wish!r}")
        tokens = sum(about_tokens(text) for text in texts)
        most = sum(len(text.encode()) for text in texts)
        question = Question(
            ask=lambda provider, seconds: provider.embed(choice.model, texts, timeout_seconds=seconds),
            tokens=lambda: tokens,
            estimate=lambda: self._estimate(choice, most, 0),
            heard=Heard(unheard),
            purse=None if purse is UNLIMITED else purse,
            on_call=on_call,
        )
        return await along([choice], self._line, lambda _: question, seconds=timeout_seconds, anew=went_on)

    async def close(self) -> None:
        """Close every provider."""
        for provider in self.configuration.providers.values():
            await provider.close()

    def _chain(self, constraints: ModelConstraints) -> tuple[Choice, ...]:
        health = self.health()
        chain = explain(constraints, self.offers, health, self.configuration.prices).chain
        if not chain:
            raise nothing_fits(constraints, self.offers, health, self.configuration.prices)
        return chain

    def _line(self, choice: Choice) -> Line:
        configuration = self.configuration
        provider = configuration.providers.get(choice.provider)
        if provider is None:
            raise failed("NO_MODEL", f"the provider {choice.provider!r} has just been taken away", retryable=True)
        limiter = self._limiters.get(choice.provider)
        if limiter is None:
            limits = configuration.limits.get(choice.provider, NO_LIMITS)
            limiter = self._limiters[choice.provider] = Limiter(choice.provider, limits, minute=self._minute)
        return Line(
            provider=provider,
            limiter=limiter,
            breaker=self._breaker(choice.name),
            price=configuration.prices.of(choice.name),
        )

    def _breaker(self, name: str) -> Breaker:
        breaker = self._breakers.setdefault(name, Breaker())
        self._breakers.move_to_end(name)
        if len(self._breakers) > _MAX_REMEMBERED:
            self._breakers.popitem(last=False)
        return breaker

    def _most_output(self, choice: Choice, request: Request) -> int | None:
        """How long an answer may be, in tokens; None where nobody says."""
        offer = offered(choice.name, self.offers)
        return request.max_output_tokens or (offer.max_output_tokens if offer is not None else None)

    def _estimate(self, choice: Choice, input_tokens: int, max_output_tokens: int) -> Estimate:
        price = self.configuration.prices.of(choice.name)
        most = None
        if price is not None:
            most = price.cost_usd(input_tokens=input_tokens, output_tokens=max_output_tokens)
        return Estimate(
            model=choice.name, input_tokens=input_tokens, max_output_tokens=max_output_tokens, at_most_usd=most
        )
