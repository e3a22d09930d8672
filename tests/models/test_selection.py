"""Which model a role gets, which stand behind it, and what is said of the others."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.failure import Failed
from services.models.health import Health
from services.models.prices import Price, PriceList
from services.models.selection import (
    Candidate,
    Choice,
    CostCeiling,
    Explanation,
    ModelConstraints,
    Offer,
    choose,
    explain,
    nothing_fits,
)

OFFERS = (
    Offer("openai", "gpt-6-luna", ("tools", "json", "vision"), 1_050_000, serves_others=True),
    Offer("ollama", "qwen3", ("tools", "json")),
    Offer("offline", "extractive", ("tools", "json"), 100_000, only_by_name=True),
)


def test_a_wish_that_cannot_be_met_is_passed_over_and_the_reason_says_so() -> None:
    wishes = ModelConstraints(preferred=("anthropic", "ollama/qwen3", "openai/gpt-4o"), min_context_tokens=50_000)

    assert choose(wishes, OFFERS) == Choice(
        provider="openai",
        model="gpt-6-luna",
        reason="the first available model with a context of 50000 tokens; 'anthropic' is not available; "
        "'ollama/qwen3' has a context of unknown size, not 50000; "
        "'openai/gpt-4o' has a context of unknown size, not 50000",
    )


def test_when_nothing_fits_the_failure_names_what_there_is_and_what_it_lacks() -> None:
    with pytest.raises(Failed) as caught:
        choose(ModelConstraints(capabilities=("vision",)), OFFERS[1:])

    assert caught.value.failure.code == "NO_MODEL"
    assert caught.value.failure.message == (
        'no available model fits {"capabilities":["vision"]}; '
        "available: ollama/qwen3 (has no vision), offline/extractive (has no vision)"
    )


PRICES = PriceList(
    {
        "openai/gpt-6-luna": Price(Decimal("0.10"), Decimal("0.50"), 272_000, Decimal("0.20"), Decimal("0.75")),
        "ollama/qwen3": Price(Decimal(0), Decimal(0)),
        "mistral/large": Price(Decimal(2), Decimal(6)),
    },
    listed={},
)
DOWN = Health(state="down", reason="its last 5 calls failed: MODEL_ERROR", retry_after_seconds=7.0)
DEGRADED = Health(state="degraded", reason="too many of its calls have failed lately")


def names(explanation: Explanation) -> list[str]:
    return [choice.name for choice in explanation.chain]


def test_a_role_without_wishes_goes_along_all_that_fit_but_those_that_have_to_be_named() -> None:
    explanation = explain(ModelConstraints(), OFFERS)

    assert explanation.chain == (
        Choice("openai", "gpt-6-luna", "the default model"),
        Choice("ollama", "qwen3", "the next available model"),
    )


def test_fallbacks_are_the_only_ones_to_stand_in() -> None:
    preferring = ModelConstraints(preferred=("openai",), fallbacks=("offline",))
    leaving_it_open = ModelConstraints(fallbacks=("offline",))

    assert names(explain(preferring, OFFERS)) == ["openai/gpt-6-luna", "offline/extractive"]
    assert names(explain(leaving_it_open, OFFERS)) == ["openai/gpt-6-luna", "offline/extractive"]
    assert explain(preferring, OFFERS).chain[1].reason == "the fallback 'offline'"


def test_a_model_that_is_its_own_fallback_is_taken_or_none() -> None:
    only = ModelConstraints(preferred=("mistral",), fallbacks=("mistral",))

    with pytest.raises(Failed, match=r"openai/gpt-6-luna \(not among the role's models\)"):
        choose(only, OFFERS)


def test_the_name_of_a_provider_means_each_of_its_models() -> None:
    offers = [Offer("ollama", "small"), Offer("ollama", "seeing", ("vision",)), Offer("openai", "any", ("vision",))]

    choice = choose(ModelConstraints(preferred=("ollama",), capabilities=("vision",)), offers)

    assert choice == Choice("ollama", "seeing", "preferred as 'ollama'; ollama/small has no vision")


def test_nobody_else_is_asked_than_the_providers_that_may_be() -> None:
    wish = ModelConstraints(preferred=("openai",), providers=("ollama", "offline"))

    assert names(explain(wish, OFFERS)) == ["ollama/qwen3"]
    assert explain(wish, OFFERS).candidates[0] == Candidate(
        name="'openai'", why="preferred as 'openai'", lacks="is of openai, not of ollama or offline"
    )


def test_a_ceiling_holds_for_the_longest_conversation_and_for_what_has_no_known_price() -> None:
    offers = (*OFFERS, Offer("mistral", "large"), Offer("unknown", "model"))

    found = explain(ModelConstraints(max_cost_per_million=CostCeiling(Decimal("0.15"))), offers, {}, PRICES)

    assert names(found) == ["ollama/qwen3"]
    assert {candidate.name: candidate.lacks for candidate in found.candidates} == {
        "openai/gpt-6-luna": "costs 0.20 USD per million input tokens, more than 0.15",
        "ollama/qwen3": "",
        "mistral/large": "costs 2 USD per million input tokens, more than 0.15",
        "unknown/model": "has no known price",
    }


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "-Infinity"])
def test_a_ceiling_that_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"is no price; write dollars per million tokens.*maxCost"):
        msgspec.convert({"maxCostPerMillion": {"output": price}}, ModelConstraints)


def test_a_ceiling_is_written_as_a_number_or_as_its_digits() -> None:
    written = [b"0.5", b'"0.5"']

    found = [
        msgspec.json.decode(b'{"maxCostPerMillion": {"input": %s}}' % price, type=ModelConstraints) for price in written
    ]

    assert found == [ModelConstraints(max_cost_per_million=CostCeiling(Decimal("0.5")))] * 2


def test_who_is_down_is_passed_over_and_the_reason_says_so() -> None:
    explanation = explain(ModelConstraints(preferred=("openai",)), OFFERS, {"openai/gpt-6-luna": DOWN})

    assert explanation.chosen == Choice(
        "ollama",
        "qwen3",
        "the next available model; 'openai' is down (its last 5 calls failed: MODEL_ERROR)",
    )


def test_who_is_degraded_comes_last_and_the_reason_says_so() -> None:
    wish = ModelConstraints(preferred=("openai", "ollama"))

    explanation = explain(wish, OFFERS, {"openai/gpt-6-luna": DEGRADED})

    assert explanation.chain == (
        Choice(
            "ollama",
            "qwen3",
            "preferred as 'ollama'; 'openai' is degraded (too many of its calls have failed lately)",
        ),
        Choice("openai", "gpt-6-luna", "preferred as 'openai'"),
    )


def test_when_all_that_fits_is_down_it_is_worth_trying_again() -> None:
    health = {"openai/gpt-6-luna": DOWN, "ollama/qwen3": msgspec.structs.replace(DOWN, retry_after_seconds=3.0)}

    failure = nothing_fits(ModelConstraints(), OFFERS, health).failure

    assert explain(ModelConstraints(), OFFERS, health).chain == ()
    assert (failure.code, failure.retryable, failure.retry_after_seconds) == ("PROVIDER_UNAVAILABLE", True, 3.0)
    assert failure.message.startswith("no model that fits can be called now: openai/gpt-6-luna (its last 5 calls")


wishes = st.sampled_from(
    ["openai", "openai/x", "ollama", "ollama/qwen3", "mistral/large", "offline", "nobody", "", "/"]
)
prices = st.none() | st.sampled_from([Decimal(0), Decimal("0.15"), Decimal("0.5"), Decimal(2), Decimal(6)])
constraints = st.builds(
    ModelConstraints,
    preferred=st.lists(wishes, max_size=3).map(tuple),
    fallbacks=st.lists(wishes, max_size=3).map(tuple),
    providers=st.none() | st.lists(st.sampled_from(["openai", "ollama", "mistral", "offline"]), max_size=3).map(tuple),
    capabilities=st.lists(st.sampled_from(["tools", "json", "vision"]), max_size=2).map(tuple),
    min_context_tokens=st.none() | st.integers(0, 2_000_000),
    max_cost_per_million=st.none() | st.builds(CostCeiling, prices, prices),
)
ALL = (*OFFERS, Offer("ollama", "gemma:latest", ("tools", "vision"), 8_000), Offer("mistral", "large", ("json",)))
offers = st.lists(st.sampled_from(ALL), unique=True)
states = st.sampled_from([Health(state="up"), DOWN, DEGRADED])
healths = st.dictionaries(st.sampled_from([*(offer.name for offer in ALL), "openai/x"]), states)


def host_of(name: str, available: list[Offer]) -> Offer:
    provider, _, model = name.partition("/")
    of_provider = [offer for offer in available if offer.provider == provider]
    exact = [offer for offer in of_provider if offer.model == model]
    return exact[0] if exact else next(offer for offer in of_provider if offer.serves_others)


@given(constraints, offers, healths)
def test_whoever_is_called_can_do_what_was_asked_and_is_not_down(
    wish: ModelConstraints, available: list[Offer], health: dict[str, Health]
) -> None:
    explanation = explain(wish, available, health, PRICES)

    assert explanation == explain(wish, available, health, PRICES)
    assert explanation.chosen == (explanation.chain[0] if explanation.chain else None)
    assert len(set(names(explanation))) == len(explanation.chain)
    named = [*wish.preferred, *wish.fallbacks]
    for choice in explanation.chain:
        offer = host_of(choice.name, available)
        is_exact = offer.model == choice.model
        assert set(wish.capabilities) <= set(offer.capabilities)
        assert wish.min_context_tokens is None or (is_exact and (offer.context_tokens or 0) >= wish.min_context_tokens)
        assert wish.providers is None or choice.provider in wish.providers
        assert not offer.only_by_name or choice.provider in named
        assert choice.name not in health or health[choice.name].state != "down"


@given(constraints, offers, healths)
def test_no_ceiling_is_ever_exceeded(wish: ModelConstraints, available: list[Offer], health: dict[str, Health]) -> None:
    most = wish.max_cost_per_million
    for choice in explain(wish, available, health, PRICES).chain if most is not None else ():
        assert most is not None
        price = PRICES.of(choice.name)
        assert (most.input, most.output) == (None, None) or price is not None
        for tokens in (1, 1_000_000):
            if price is not None and most.input is not None:
                assert price.cost_usd(input_tokens=tokens, output_tokens=0) <= most.input * tokens / 1_000_000
            if price is not None and most.output is not None:
                output = price.cost_usd(input_tokens=tokens, output_tokens=1_000_000)
                assert output - price.cost_usd(input_tokens=tokens, output_tokens=0) <= most.output


@given(constraints, offers, healths, st.sampled_from(ALL), st.integers(0, 6))
def test_one_that_cannot_be_called_changes_nothing(
    wish: ModelConstraints, available: list[Offer], health: dict[str, Health], other: Offer, place: int
) -> None:
    more = [offer for offer in available if offer != other]
    without = explain(wish, more, health, PRICES)
    # A host brings further models along; here only the one is meant.
    more.insert(place, msgspec.structs.replace(other, serves_others=False))

    with_it = explain(wish, more, {**health, other.name: DOWN}, PRICES)

    assert names(with_it) == [name for name in names(without) if name != other.name]


@given(constraints, offers)
def test_there_is_a_choice_or_a_reason_why_not(wish: ModelConstraints, available: list[Offer]) -> None:
    try:
        choice = choose(wish, available)
    except Failed as error:
        assert error.failure.code == "NO_MODEL"
        return

    assert choice == explain(wish, available).chosen
