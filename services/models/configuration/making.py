"""Providers, made as their recipes say."""

from collections.abc import Collection, Mapping

from services.failure import Failed
from services.models.configuration.recipes import Recipe, Unusable
from services.models.presets import provider_of
from services.models.provider import Provider, Variables
from services.outbound import Guard


def made(recipe: Recipe, guard: Guard) -> Provider:
    """The provider of `recipe`; nothing is asked of it so far, and no SDK is imported. At an address of its own it is
    asked only where `guard` lets it.

    Raises:
        Unusable: address, api or key are such as no provider of this preset has.
    """
    its = f"of provider {recipe.name!r}"
    try:
        return provider_of(
            recipe.preset,
            name=recipe.name,
            api_key=recipe.key.reveal(),
            base_url=recipe.base_url,
            api=recipe.api,
            capabilities=_overrides(recipe.capabilities),
            variables=Variables(key=recipe.key_name, url=f"the baseUrl {its}", model=f"the models {its}"),
            guard=guard if recipe.is_own_address else None,
        )
    except Failed as error:
        raise Unusable("WRONG_VALUE", error.failure.message) from None


def _overrides(capabilities: Collection[str] | None) -> Mapping[str, object]:
    """What a list of capabilities says of an endpoint, in the names of the wire; nothing where there is none."""
    if capabilities is None:
        return {}
    held = {name: name in capabilities for name in ("tools", "vision", "streaming")}
    # Where JSON is to be had, the preset knows best how.
    return held if "json" in capabilities else {**held, "structured": "words"}
