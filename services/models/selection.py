"""Which model a role gets: deterministic, and said in words."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from services.failure import failed

Capability: TypeAlias = Literal["tools", "json", "vision"]


class ModelConstraints(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What a role asks of its model.

    `preferred` lists "provider/model" or "provider", best first. It is a wish: where none of them is available, any
    other model that can do what is asked will do. `capabilities` and `min_context_tokens` are requirements.
    """

    preferred: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    min_context_tokens: int | None = None


class Offer(msgspec.Struct, frozen=True, rename="camel"):
    """A model somebody can run now.

    With `serves_others` its provider runs other models too, by name; they are taken to have the same capabilities.
    With `only_by_name` it is never chosen unless it is asked for. `context_tokens` is None where it is not known.
    """

    provider: str
    model: str
    capabilities: tuple[Capability, ...] = ()
    context_tokens: int | None = None
    serves_others: bool = False
    only_by_name: bool = False

    @property
    def name(self) -> str:
        """ "provider/model"."""
        return f"{self.provider}/{self.model}"


class Choice(msgspec.Struct, frozen=True, rename="camel"):
    """The model that was chosen, and why."""

    provider: str
    model: str
    reason: str

    @property
    def name(self) -> str:
        """ "provider/model"."""
        return f"{self.provider}/{self.model}"


def choose(constraints: ModelConstraints, available: Sequence[Offer]) -> Choice:
    """The first preferred model that fits, else the first available one that does.

    >>> offers = [Offer("openai", "gpt-6-luna", ("tools", "json")), Offer("ollama", "qwen3", ("tools",))]
    >>> choose(ModelConstraints(preferred=("anthropic", "ollama")), offers)
    Choice(provider='ollama', model='qwen3', reason="preferred as 'ollama'; 'anthropic' is not available")

    Raises:
        Failed: NO_MODEL, naming what is available and what it lacks.
    """
    misses: list[str] = []
    for wish in constraints.preferred:
        offer = offered(wish, available)
        lacks = "is not available" if offer is None else _lacks(offer, constraints)
        if offer is not None and not lacks:
            return Choice(offer.provider, offer.model, _because(f"preferred as {wish!r}", misses))
        misses.append(f"{wish!r} {lacks}")
    for offer in available:
        if not offer.only_by_name and not _lacks(offer, constraints):
            return Choice(offer.provider, offer.model, _because(_first_that_fits(constraints), misses))
    raise failed("NO_MODEL", _nothing_fits(constraints, available))


def offered(wish: str, available: Sequence[Offer]) -> Offer | None:
    """The offer that "provider/model" or "provider" means; None when nobody makes it."""
    provider, _, model = wish.partition("/")
    offers = [offer for offer in available if offer.provider == provider]
    if not model:
        return offers[0] if offers else None
    # Ollama's names carry a tag; people leave the usual one out.
    exact = next((offer for offer in offers if offer.model in (model, f"{model}:latest")), None)
    if exact is not None:
        return exact
    host = next((offer for offer in offers if offer.serves_others), None)
    if host is None:
        return None
    return msgspec.structs.replace(host, model=model, context_tokens=None)


def _lacks(offer: Offer, constraints: ModelConstraints) -> str:
    """What keeps the offer from fitting, in words; empty when nothing does."""
    missing = [capability for capability in constraints.capabilities if capability not in offer.capabilities]
    wanted, has = constraints.min_context_tokens, offer.context_tokens
    words = [f"has no {' and no '.join(missing)}"] if missing else []
    if wanted is not None and (has is None or has < wanted):
        size = "a context of unknown size" if has is None else f"a context of {has} tokens"
        words.append(f"has {size}, not {wanted}")
    return " and ".join(words)


def _first_that_fits(constraints: ModelConstraints) -> str:
    needs: list[str] = list(constraints.capabilities)
    if constraints.min_context_tokens is not None:
        needs.append(f"a context of {constraints.min_context_tokens} tokens")
    return f"the first available model with {' and '.join(needs)}" if needs else "the default model"


def _because(reason: str, misses: Iterable[str]) -> str:
    return "; ".join([reason, *misses])


def _nothing_fits(constraints: ModelConstraints, available: Sequence[Offer]) -> str:
    if not available:
        return "no model is available; set OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama"
    lines = [f"{offer.name} ({_lacks(offer, constraints) or 'only when asked for by name'})" for offer in available]
    return f"no available model fits {_needs(constraints)}; available: {', '.join(lines)}"


def _needs(constraints: ModelConstraints) -> str:
    return msgspec.json.encode(constraints).decode()
