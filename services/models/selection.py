"""Which model a role gets, and which ones stand behind it: deterministic, and said in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain as in_turn
from typing import Literal, TypeAlias

import msgspec

from services.failure import Failed, failed
from services.models.health import Health
from services.models.prices import Price, PriceList

Capability: TypeAlias = Literal["tools", "json", "vision", "streaming"]


class CostCeiling(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What a model may cost at most, in USD per million tokens; null is no limit."""

    input: Decimal | None = None
    output: Decimal | None = None

    def __post_init__(self) -> None:
        for most in (self.input, self.output):
            if most is not None and not (most.is_finite() and most >= 0):
                raise ValueError(f"{most} is no price; write dollars per million tokens, such as 2.50")


class ModelConstraints(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What a role asks of its model.

    `preferred` lists "provider/model" or "provider", best first. It is a wish: where none of them is available, any
    other model that can do what is asked will do, or, where the role names `fallbacks`, these and no others; they are
    also who is asked when a call fails. The rest are requirements: `capabilities`, `min_context_tokens`, `providers`
    (the only ones that may be asked) and `max_cost_per_million`, which a model without a known price never meets.
    """

    preferred: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    providers: tuple[str, ...] | None = None
    capabilities: tuple[Capability, ...] = ()
    min_context_tokens: int | None = None
    max_cost_per_million: CostCeiling | None = None


class Offer(msgspec.Struct, frozen=True, rename="camel"):
    """A model somebody can run.

    With `serves_others` its provider runs other models too, by name; they are taken to have the same capabilities.
    With `only_by_name` it is never chosen unless it is asked for. What is None is not known: how much context it takes,
    how long its answers can be.
    """

    provider: str
    model: str
    capabilities: tuple[Capability, ...] = ()
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    serves_others: bool = False
    only_by_name: bool = False

    @property
    def name(self) -> str:
        """ "provider/model"."""
        return f"{self.provider}/{self.model}"


class Choice(msgspec.Struct, frozen=True, rename="camel"):
    """A model to call, and why that one."""

    provider: str
    model: str
    reason: str

    @property
    def name(self) -> str:
        """ "provider/model"."""
        return f"{self.provider}/{self.model}"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A model, or a wish for one, that was looked at, and what is against it.

    `why` is what brought it in, such as "preferred as 'openai'". `lacks` is empty for one that can be called.
    """

    name: str
    why: str
    lacks: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which model is called, which ones after it when calls fail, and what was looked at, in its order.

    `chosen` is the first of `chain`, and null when there is none.
    """

    chosen: Choice | None
    chain: tuple[Choice, ...]
    candidates: tuple[Candidate, ...]


class _Ranked(msgspec.Struct, frozen=True):
    """An offer in the order in which a role would take it; without one, nobody makes what it wishes for."""

    offer: Offer | None
    label: str
    why: str
    lacks: str = ""
    is_named: bool = False
    is_lead: bool = False
    """One of those of which the first that can be called stands for all: the role names fallbacks and prefers none."""


NOTHING_KNOWN: Mapping[str, Health] = {}
LISTED = PriceList()


def choose(constraints: ModelConstraints, offers: Sequence[Offer]) -> Choice:
    """The first preferred model that fits, else the first one that does.

    >>> offers = [Offer("openai", "gpt-6-luna", ("tools", "json")), Offer("ollama", "qwen3", ("tools",))]
    >>> choose(ModelConstraints(preferred=("anthropic", "ollama")), offers)
    Choice(provider='ollama', model='qwen3', reason="preferred as 'ollama'; 'anthropic' is not available")

    Raises:
        Failed: NO_MODEL, naming what there is and what it lacks.
    """
    chosen = explain(constraints, offers).chosen
    if chosen is None:
        raise nothing_fits(constraints, offers)
    return chosen


def explain(
    constraints: ModelConstraints,
    offers: Sequence[Offer],
    health: Mapping[str, Health] = NOTHING_KNOWN,
    prices: PriceList = LISTED,
) -> Explanation:
    """What a role gets of `offers`, by how well they do ("provider/model") and what they cost; the same for the same.

    One that is down is not taken. One that is degraded comes behind the others, and the reason says so.
    """
    ranked = _once(_judged(each, constraints, health, prices) for each in _ranked(constraints, offers))
    usable: dict[str, _Ranked] = {}
    has_lead = False
    for each in ranked:
        if each.offer is None or each.lacks or (each.is_lead and has_lead):
            continue
        has_lead = has_lead or each.is_lead
        usable.setdefault(each.offer.name, each)
    order = sorted(usable.values(), key=lambda each: _is_degraded(each, health))
    chain = tuple([_choice(each, ranked, order, health) for each in order])
    return Explanation(
        chosen=chain[0] if chain else None,
        chain=chain,
        candidates=tuple([Candidate(name=each.label, why=each.why, lacks=each.lacks) for each in ranked]),
    )


def offered(wish: str, offers: Sequence[Offer]) -> Offer | None:
    """The first offer that "provider/model" or "provider" means; None when nobody makes it."""
    return next(_meant(wish, offers), None)


def nothing_fits(
    constraints: ModelConstraints,
    offers: Sequence[Offer],
    health: Mapping[str, Health] = NOTHING_KNOWN,
    prices: PriceList = LISTED,
) -> Failed:
    """The failure of a role that no model can be called for.

    It is PROVIDER_UNAVAILABLE, to be tried again, where the only thing against some model is that it is down, and
    NO_MODEL otherwise.
    """
    down = {
        each.offer.name: health[each.offer.name]
        for each in _ranked(constraints, offers)
        if each.offer is not None and not _lacks(each.offer, constraints, prices) and _is_down(each.offer, health)
    }
    if down:
        said = ", ".join(f"{name} ({state.reason})" for name, state in down.items())
        waits = [state.retry_after_seconds for state in down.values() if state.retry_after_seconds is not None]
        message = f"no model that fits can be called now: {said}"
        return failed("PROVIDER_UNAVAILABLE", message, retry_after_seconds=min(waits, default=None))
    if not offers:
        return failed("NO_MODEL", "no model is available; set OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama")
    lines = [f"{offer.name} ({_lacks(offer, constraints, prices) or _unasked(constraints)})" for offer in offers]
    needs = msgspec.json.encode(constraints).decode()
    return failed("NO_MODEL", f"no available model fits {needs}; available: {', '.join(lines)}")


def _ranked(constraints: ModelConstraints, offers: Sequence[Offer]) -> Iterator[_Ranked]:
    """Everything that a role would take, best first, and its wishes that nobody can meet."""
    preferred = [_named(wish, f"preferred as {wish!r}", offers) for wish in constraints.preferred]
    fallbacks = [_named(wish, f"the fallback {wish!r}", offers) for wish in constraints.fallbacks]
    others: list[_Ranked] = []
    if not (constraints.preferred and constraints.fallbacks):
        is_lead = bool(constraints.fallbacks)
        for place, offer in enumerate(offers):
            if not offer.only_by_name:
                others.append(_Ranked(offer, offer.name, _first_that_fits(constraints, place), is_lead=is_lead))
    return in_turn(*preferred, others, *fallbacks)


def _named(wish: str, why: str, offers: Sequence[Offer]) -> list[_Ranked]:
    found = list(_meant(wish, offers))
    if not found:
        return [_Ranked(None, repr(wish), why, "is not available", is_named=True)]
    # What was wished for by its whole name is called so; of a provider's models each has its own.
    return [
        _Ranked(offer, repr(wish) if "/" in wish or len(found) == 1 else offer.name, why, is_named=True)
        for offer in found
    ]


def _meant(wish: str, offers: Sequence[Offer]) -> Iterator[Offer]:
    provider, _, model = wish.partition("/")
    of_provider = [offer for offer in offers if offer.provider == provider]
    if not model:
        yield from of_provider
        return
    # Ollama's names carry a tag; people leave the usual one out.
    exact = [offer for offer in of_provider if offer.model in (model, f"{model}:latest")]
    if exact:
        yield from exact
        return
    for host in of_provider:
        if host.serves_others:
            yield msgspec.structs.replace(host, model=model, context_tokens=None, max_output_tokens=None)


def _judged(each: _Ranked, constraints: ModelConstraints, health: Mapping[str, Health], prices: PriceList) -> _Ranked:
    if each.offer is None:
        return each
    lacks = _lacks(each.offer, constraints, prices)
    if not lacks and _is_down(each.offer, health):
        lacks = f"is down ({health[each.offer.name].reason})"
    return msgspec.structs.replace(each, lacks=lacks)


def _once(ranked: Iterable[_Ranked]) -> list[_Ranked]:
    """Each where it comes first; of one that is offered twice, whatever can be said of either."""
    first: dict[tuple[str, str], _Ranked] = {}
    for each in ranked:
        first.setdefault((each.label if each.offer is None else each.offer.name, each.lacks), each)
    return list(first.values())


def _lacks(offer: Offer, constraints: ModelConstraints, prices: PriceList) -> str:
    """What keeps the offer from fitting, in words; empty when nothing does."""
    words: list[str] = []
    if constraints.providers is not None and offer.provider not in constraints.providers:
        words.append(f"is of {offer.provider}, not of {' or '.join(constraints.providers) or 'anybody'}")
    missing = [capability for capability in constraints.capabilities if capability not in offer.capabilities]
    if missing:
        words.append(f"has no {' and no '.join(missing)}")
    wanted, has = constraints.min_context_tokens, offer.context_tokens
    if wanted is not None and (has is None or has < wanted):
        size = "a context of unknown size" if has is None else f"a context of {has} tokens"
        words.append(f"has {size}, not {wanted}")
    ceiling = constraints.max_cost_per_million
    if ceiling is not None and (why := _too_dear(prices.of(offer.name), ceiling)):
        words.append(why)
    return " and ".join(words)


def _too_dear(price: Price | None, ceiling: CostCeiling) -> str:
    if ceiling.input is None and ceiling.output is None:
        return ""
    if price is None:
        return "has no known price"
    is_long = price.long_from is not None
    # Nobody knows yet how long the conversation gets.
    dearest = {
        "input": max(price.input, price.long_input) if is_long else price.input,
        "output": max(price.output, price.long_output) if is_long else price.output,
    }
    for what, most in (("input", ceiling.input), ("output", ceiling.output)):
        if most is not None and dearest[what] > most:
            return f"costs {dearest[what]} USD per million {what} tokens, more than {most}"
    return ""


def _is_down(offer: Offer, health: Mapping[str, Health]) -> bool:
    return offer.name in health and health[offer.name].state == "down"


def _is_degraded(each: _Ranked, health: Mapping[str, Health]) -> bool:
    assert each.offer is not None
    return each.offer.name in health and health[each.offer.name].state == "degraded"


def _choice(
    taken: _Ranked, ranked: Sequence[_Ranked], order: Sequence[_Ranked], health: Mapping[str, Health]
) -> Choice:
    """The choice of one, its reason naming what the role would have liked better and why it is not that."""
    assert taken.offer is not None
    behind = order[order.index(taken) :]
    better = ranked[: ranked.index(taken)]
    misses = [
        f"{each.label} {each.lacks}" for each in better if each.lacks and (each.is_named or _is_unwell(each, health))
    ]
    misses += [
        f"{each.label} is degraded ({health[each.offer.name].reason})"
        for each in better
        if each.offer is not None and each in behind and _is_degraded(each, health)
    ]
    return Choice(taken.offer.provider, taken.offer.model, _because(taken.why, misses))


def _is_unwell(each: _Ranked, health: Mapping[str, Health]) -> bool:
    return each.offer is not None and _is_down(each.offer, health)


def _first_that_fits(constraints: ModelConstraints, place: int) -> str:
    needs: list[str] = list(constraints.capabilities)
    if constraints.min_context_tokens is not None:
        needs.append(f"a context of {constraints.min_context_tokens} tokens")
    if constraints.max_cost_per_million is not None:
        needs.append("a price that fits")
    if needs:
        return f"the first available model with {' and '.join(needs)}"
    return "the default model" if place == 0 else "the next available model"


def _because(reason: str, misses: Iterable[str]) -> str:
    return "; ".join([reason, *misses])


def _unasked(constraints: ModelConstraints) -> str:
    return "not among the role's models" if constraints.fallbacks else "only when asked for by name"
