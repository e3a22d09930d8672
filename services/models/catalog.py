"""The models this installation can call: chosen, called and priced in one place."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from services.engine.core.events import ModelCall
from services.models import environment
from services.models.calls import OnCall, finished, outcome_of, unrecorded
from services.models.configuration import Configuration
from services.models.messages import Answer, Request
from services.models.prices import Price
from services.models.provider import Emit, Provider, unheard
from services.models.selection import Choice, ModelConstraints, Offer, choose


class Models:
    """Every provider that is configured, and which model stands for it.

    The first offer is the default. Offline is always there when asked for by name.
    """

    def __init__(self, providers: Mapping[str, Provider], offers: Sequence[Offer]) -> None:
        self.configuration = Configuration(providers=dict(providers), offers=tuple(offers))

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

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What can be called, the default first."""
        return self.configuration.offers

    @property
    def default(self) -> str:
        """ "provider/model" of what is called when a role has no wishes."""
        return self.configuration.default

    @property
    def is_offline(self) -> bool:
        """Whether the default is the offline model, so that nothing leaves this machine."""
        return self.offers[0].provider == "offline"

    def choose(self, constraints: ModelConstraints) -> Choice:
        """The model `complete` would call, and why."""
        return choose(constraints, self.offers)

    async def complete(
        self,
        constraints: ModelConstraints,
        request: Request,
        emit: Emit = unheard,
        *,
        on_call: OnCall = unrecorded,
    ) -> Answer:
        """The chosen model's answer, with its list price where that is known. `request.model` is replaced.

        `emit` gets the text of the answer in pieces, as far as the provider gives it so; `on_call` what is to be kept
        of the call, whether it was answered or not.

        Raises:
            Failed: NO_MODEL when nothing fits; otherwise what `Provider.complete` raises.
        """
        choice = self.choose(constraints)
        asked = msgspec.structs.replace(request, model=choice.model)
        configuration = self.configuration
        began = time.monotonic()
        call = ModelCall(model=choice.name, outcome="", reason=choice.reason)
        try:
            answer = await configuration.providers[choice.provider].complete(asked, emit)
        except BaseException as error:
            on_call(finished(call, began, outcome_of(error)))
            raise
        answer = _priced(answer, configuration.prices.of(answer.model))
        on_call(finished(call, began, "answered", answer.usage))
        return answer

    async def close(self) -> None:
        """Close every provider."""
        for provider in self.configuration.providers.values():
            await provider.close()


def _priced(answer: Answer, price: Price | None) -> Answer:
    tokens = answer.usage
    cost = price and price.cost_usd(
        input_tokens=tokens.input_tokens,
        cached_input_tokens=tokens.cached_input_tokens,
        output_tokens=tokens.output_tokens,
    )
    return msgspec.structs.replace(answer, usage=msgspec.structs.replace(tokens, cost_usd=cost))
