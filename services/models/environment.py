"""Which providers and models a process has settings for."""

from collections.abc import Mapping

import msgspec

from services.failure import failed
from services.models import ollama
from services.models.offline.provider import MODEL as OFFLINE_MODEL
from services.models.offline.provider import OfflineProvider
from services.models.presets import PRESETS, preset_at, provider_of
from services.models.provider import Provider
from services.models.selection import Offer, offered

_SETTINGS = "OPENAI_API_KEY (openai), ANTHROPIC_API_KEY (anthropic) or a running Ollama (ollama)"


def found(environ: Mapping[str, str]) -> tuple[dict[str, Provider], list[Offer]]:
    """The providers by name, and what they offer, the default first; asks Ollama what it has, and does not wait long.

    Raises:
        Failed: NO_MODEL when ROLECALL_MODEL names a model that is not configured, or OLLAMA_HOST is no address.
    """
    configured = [*_openai(environ), *_anthropic(environ), *_ollama(environ)]
    providers: dict[str, Provider] = {provider.name: provider for provider, _ in configured}
    providers["offline"] = OfflineProvider()
    offers = [offer for _, offers in configured for offer in offers]
    offline = Offer("offline", OFFLINE_MODEL, ("tools", "json"), 100_000, only_by_name=bool(offers))
    return providers, _with_default(environ.get("ROLECALL_MODEL", ""), [*offers, offline])


def _openai(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    key = environ.get("OPENAI_API_KEY")
    if not key:
        return []
    known = PRESETS["openai"]
    url = environ.get("OPENAI_BASE_URL") or known.base_url
    model = environ.get("ROLECALL_OPENAI_MODEL") or known.default_model
    offer = Offer("openai", model, ("tools", "json", "vision"), known.context_tokens(model), serves_others=True)
    # Whoever else is there may not know what OpenAI's own endpoint does.
    spoken = preset_at(url)
    provider = provider_of(
        spoken.name,
        name="openai",
        api_key=key,
        base_url=url,
        variables=known.variables,
        capabilities={"vision": "vision" in offer.capabilities},
    )
    return [(provider, [offer])]


def _anthropic(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    key = environ.get("ANTHROPIC_API_KEY")
    if not key:
        return []
    known = PRESETS["anthropic"]
    model = environ.get("ROLECALL_ANTHROPIC_MODEL") or known.default_model
    offer = Offer("anthropic", model, ("tools", "json", "vision"), known.context_tokens(model), serves_others=True)
    return [(provider_of("anthropic", api_key=key, base_url=environ.get("ANTHROPIC_BASE_URL", "")), [offer])]


def _ollama(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    url = ollama.url_of(environ.get("OLLAMA_HOST", ""))
    present = ollama.models_at(url)
    asked = environ.get("ROLECALL_MODEL", "")
    named = asked.removeprefix("ollama/") if asked.startswith("ollama/") else environ.get("ROLECALL_OLLAMA_MODEL")
    # A model that was named is offered even while Ollama is still starting.
    if not present and not (named and (asked.startswith("ollama/") or environ.get("OLLAMA_HOST"))):
        return []
    names = ([named] if named else []) + [name for name in present if name != named]
    return [(provider_of("ollama", base_url=url), [Offer("ollama", name, ("tools", "json")) for name in names])]


def _with_default(wanted: str, offers: list[Offer]) -> list[Offer]:
    """The offers with ROLECALL_MODEL's first; with nothing wanted, as they are."""
    if not wanted:
        return offers
    default = offered(wanted, offers)
    if default is None:
        names = ", ".join(offer.name for offer in offers)
        raise failed("NO_MODEL", f"ROLECALL_MODEL={wanted} is not available; available: {names}; set {_SETTINGS}")
    others = [offer for offer in offers if offer.name != default.name]
    return [msgspec.structs.replace(default, only_by_name=False), *others]
