"""Which providers and models a process has settings for."""

import threading
from collections.abc import Iterator, Mapping

import msgspec

from services import plugins
from services.failure import failed
from services.models import ollama
from services.models.capabilities import Capabilities
from services.models.offline.provider import MODEL as OFFLINE_MODEL
from services.models.offline.provider import OfflineProvider
from services.models.presets import PRESETS, Preset, preset_at, provider_of
from services.models.provider import Provider
from services.models.selection import Capability, Offer, offered

# In this order the first that is set is the default; Ollama comes last, because nobody has to set it.
_BY_KEY = ("openai", "anthropic", "gemini", "mistral", "deepseek", "huggingface")
_LISTING_SECONDS = 1.0


def found(environ: Mapping[str, str]) -> tuple[dict[str, Provider], list[Offer]]:
    """The providers by name, and what they offer, the default first; asks Ollama what it has, and does not wait long.

    Raises:
        Failed: NO_MODEL when ROLECALL_MODEL names a model that is not configured, or an address is none.
    """
    configured = [*_by_key(environ), *_compatible(environ), *_ollama(environ)]
    configured += plugins.providers(environ, taken={*PRESETS, OfflineProvider.name})
    providers: dict[str, Provider] = {provider.name: provider for provider, _ in configured}
    providers["offline"] = OfflineProvider()
    offers = [offer for _, offers in configured for offer in offers]
    offline = Offer("offline", OFFLINE_MODEL, ("tools", "json"), 100_000, only_by_name=bool(offers))
    return providers, _with_default(environ.get("ROLECALL_MODEL", ""), [*offers, offline])


def abilities(can: Capabilities) -> tuple[Capability, ...]:
    """What roles may ask of models that are reached so; JSON in words alone is no JSON that one can rely on.

    >>> abilities(PRESETS["openai"].capabilities), abilities(Capabilities(structured="words"))
    (('tools', 'json', 'vision', 'streaming'), ('tools', 'streaming'))
    """
    held = {"tools": can.tools, "json": can.structured != "words", "vision": can.vision, "streaming": can.streaming}
    names: tuple[Capability, ...] = ("tools", "json", "vision", "streaming")
    return tuple(name for name in names if held[name])


def _by_key(environ: Mapping[str, str]) -> Iterator[tuple[Provider, list[Offer]]]:
    for name in _BY_KEY:
        known = PRESETS[name]
        key, model = environ.get(known.variables.key), _model(known, environ)
        # Some have keys for other things than models; who names none does not mean this.
        if key and model:
            url = environ.get(known.variables.url) or known.base_url
            # Whoever else is there may not know what OpenAI's own endpoint does.
            spoken = preset_at(url).name if name == "openai" else name
            sees = {"vision": known.capabilities.vision}
            provider = provider_of(
                spoken, name=name, api_key=key, base_url=url, variables=known.variables, capabilities=sees
            )
            yield provider, [_offer(known, model)]


def _compatible(environ: Mapping[str, str]) -> Iterator[tuple[Provider, list[Offer]]]:
    known = PRESETS["compatible"]
    url, model = environ.get(known.variables.url), _model(known, environ)
    if url and not model:
        raise failed("NO_MODEL", f"{known.variables.url} is set; {known.variables.model} says which model to ask there")
    if url:
        provider = provider_of("compatible", api_key=environ.get(known.variables.key, ""), base_url=url)
        yield provider, [_offer(known, model)]


def _offer(known: Preset, model: str) -> Offer:
    can = abilities(known.capabilities)
    return Offer(known.name, model, can, known.context_tokens(model), serves_others=True)


def _model(known: Preset, environ: Mapping[str, str]) -> str:
    """The model of a preset that is meant; empty when none is."""
    wished = environ.get("ROLECALL_MODEL", "")
    by_wish = wished.removeprefix(f"{known.name}/") if wished.startswith(f"{known.name}/") else ""
    return environ.get(known.variables.model) or known.default_model or by_wish


def _ollama(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    url = ollama.url_of(environ.get("OLLAMA_HOST", ""))
    present = _present(url)
    asked = environ.get("ROLECALL_MODEL", "")
    named = asked.removeprefix("ollama/") if asked.startswith("ollama/") else environ.get("ROLECALL_OLLAMA_MODEL")
    # A model that was named is offered even while Ollama is still starting.
    if not present and not (named and (asked.startswith("ollama/") or environ.get("OLLAMA_HOST"))):
        return []
    names = ([named] if named else []) + [name for name in present if name != named]
    return [(provider_of("ollama", base_url=url), [Offer("ollama", name, ("tools", "json")) for name in names])]


def _present(url: str) -> list[str]:
    """What Ollama has, as far as it says so soon: to look up the name of a host that is away can take minutes."""
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.extend(ollama.models_at(url)), name="Ollama", daemon=True)
    asking.start()
    asking.join(_LISTING_SECONDS)
    return list(found)


def _with_default(wanted: str, offers: list[Offer]) -> list[Offer]:
    """The offers with ROLECALL_MODEL's first; with nothing wanted, as they are."""
    if not wanted:
        return offers
    default = offered(wanted, offers)
    if default is None:
        names = ", ".join(offer.name for offer in offers)
        keys = ", ".join(f"{PRESETS[name].variables.key} ({name})" for name in _BY_KEY)
        message = f"ROLECALL_MODEL={wanted} is not available; available: {names}; set {keys}, or start Ollama (ollama)"
        raise failed("NO_MODEL", message)
    others = [offer for offer in offers if offer.name != default.name]
    return [msgspec.structs.replace(default, only_by_name=False), *others]
