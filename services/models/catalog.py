"""The models this installation can call: found in the environment, chosen, called and priced in one place."""

import http.client
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from services.failure import failed
from services.models.anthropic import ANTHROPIC_URL, AnthropicProvider
from services.models.messages import Answer, Request, Usage
from services.models.offline.provider import MODEL as OFFLINE_MODEL
from services.models.offline.provider import OfflineProvider
from services.models.openai import OPENAI_URL, OpenAIProvider
from services.models.prices import cost_usd
from services.models.provider import Provider, Settings
from services.models.selection import Choice, ModelConstraints, Offer, choose, offered

DEFAULT_OPENAI_MODEL = "gpt-6-luna"
DEFAULT_ANTHROPIC_MODEL = "claude-haiku-5-5"

_OLLAMA_PORT = 11434
_PROBE_SECONDS = 0.5
_MAX_PROBE_BYTES = 1_000_000
_MILLION_TOKENS = ("claude-fable-5", "claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5")
_SETTINGS = "OPENAI_API_KEY (openai), ANTHROPIC_API_KEY (anthropic) or a running Ollama (ollama)"


class Models:
    """Every provider that is configured, and which model stands for it.

    The first offer is the default. Offline is always there when asked for by name.
    """

    def __init__(self, providers: Mapping[str, Provider], offers: Sequence[Offer]) -> None:
        self._providers = dict(providers)
        self.offers = tuple(offers)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Models":
        """The models `environ` has settings for; asks Ollama what it has, and does not wait long.

        Raises:
            Failed: NO_MODEL when ROLECALL_MODEL names a model that is not configured, or OLLAMA_HOST is no address.
        """
        found = [*_openai(environ), *_anthropic(environ), *_ollama(environ)]
        providers: dict[str, Provider] = {provider.name: provider for provider, _ in found}
        providers["offline"] = OfflineProvider()
        offers = [offer for _, offered in found for offer in offered]
        offline = Offer("offline", OFFLINE_MODEL, ("tools", "json"), 100_000, only_by_name=bool(offers))
        return cls(providers, _with_default(environ.get("ROLECALL_MODEL", ""), [*offers, offline]))

    @property
    def default(self) -> str:
        """ "provider/model" of what is called when a role has no wishes."""
        return self.offers[0].name

    @property
    def is_offline(self) -> bool:
        """Whether the default is the offline model, so that nothing leaves this machine."""
        return self.offers[0].provider == "offline"

    def choose(self, constraints: ModelConstraints) -> Choice:
        """The model `complete` would call, and why."""
        return choose(constraints, self.offers)

    async def complete(self, constraints: ModelConstraints, request: Request) -> Answer:
        """The chosen model's answer, with its list price where that is known. `request.model` is replaced.

        Raises:
            Failed: NO_MODEL when nothing fits; otherwise what `Provider.complete` raises.
        """
        choice = self.choose(constraints)
        asked = msgspec.structs.replace(request, model=choice.model)
        return _priced(await self._providers[choice.provider].complete(asked))

    async def close(self) -> None:
        """Close every provider."""
        for provider in self._providers.values():
            await provider.close()


def _priced(answer: Answer) -> Answer:
    tokens = answer.usage
    cost = cost_usd(answer.model, input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens)
    return msgspec.structs.replace(answer, usage=Usage(tokens.input_tokens, tokens.output_tokens, cost))


def _openai(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    key = environ.get("OPENAI_API_KEY")
    if not key:
        return []
    url = environ.get("OPENAI_BASE_URL") or OPENAI_URL
    model = environ.get("ROLECALL_OPENAI_MODEL") or DEFAULT_OPENAI_MODEL
    context = 1_050_000 if model in ("gpt-6-luna", "gpt-6-sol", "gpt-5.6-luna") else None
    offer = Offer("openai", model, ("tools", "json", "vision"), context, serves_others=True)
    return [(OpenAIProvider(api_key=key, base_url=url), [offer])]


def _anthropic(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    key = environ.get("ANTHROPIC_API_KEY")
    if not key:
        return []
    url = environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_URL
    model = environ.get("ROLECALL_ANTHROPIC_MODEL") or DEFAULT_ANTHROPIC_MODEL
    context = 1_000_000 if model.startswith(_MILLION_TOKENS) else None
    offer = Offer("anthropic", model, ("tools", "json", "vision"), context, serves_others=True)
    return [(AnthropicProvider(api_key=key, base_url=url), [offer])]


def _ollama(environ: Mapping[str, str]) -> list[tuple[Provider, list[Offer]]]:
    url = ollama_url(environ.get("OLLAMA_HOST", ""))
    present = _ollama_models(url)
    asked = environ.get("ROLECALL_MODEL", "")
    named = asked.removeprefix("ollama/") if asked.startswith("ollama/") else environ.get("ROLECALL_OLLAMA_MODEL")
    # A model that was named is offered even while Ollama is still starting.
    if not present and not (named and (asked.startswith("ollama/") or environ.get("OLLAMA_HOST"))):
        return []
    names = ([named] if named else []) + [name for name in present if name != named]
    settings = Settings(key="OLLAMA_HOST", url="OLLAMA_HOST", model="ROLECALL_OLLAMA_MODEL")
    provider = OpenAIProvider(api_key="ollama", base_url=url, name="ollama", settings=settings)
    return [(provider, [Offer("ollama", name, ("tools", "json")) for name in names])]


def ollama_url(host: str) -> str:
    """Ollama's OpenAI-compatible address for an OLLAMA_HOST, which may be a URL, a host, a port or nothing.

    >>> ollama_url(""), ollama_url("0.0.0.0"), ollama_url("http://gpu.local:8080/")
    ('http://127.0.0.1:11434/v1', 'http://127.0.0.1:11434/v1', 'http://gpu.local:8080/v1')

    Raises:
        Failed: NO_MODEL when it is none of these.
    """
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        port = parts.port or ({"https": 443, "http": 80}[parts.scheme] if "://" in host else _OLLAMA_PORT)
    except (ValueError, KeyError):
        message = f"OLLAMA_HOST is {host!r}; write a host, host:port or a URL such as http://127.0.0.1:{_OLLAMA_PORT}"
        raise failed("NO_MODEL", message) from None
    name = parts.hostname or "127.0.0.1"
    # What a server listens on is not an address a client can call.
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else f"[{name}]" if ":" in name else name  # noqa: S104
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}/v1"


def _ollama_models(url: str) -> list[str]:
    """The models an Ollama at `url` has, in its order; none when nobody answers there."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/models")
        response = connection.getresponse()
        body = response.read(_MAX_PROBE_BYTES)
        return [entry.id for entry in msgspec.json.decode(body, type=_Listing).data or []]
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    finally:
        connection.close()


class _Listed(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    data: list[_Listed] | None = None


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
