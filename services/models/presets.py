"""Providers we know: where they are, what they can do, and `provider_of`, which makes one.

| preset      | speaks    | held to a schema by | key               | besides                      |
| ----------- | --------- | ------------------- | ----------------- | ---------------------------- |
| openai      | responses | JSON Schema         | OPENAI_API_KEY    | vision, embeddings           |
| anthropic   | messages  | JSON Schema or tool | ANTHROPIC_API_KEY | vision                       |
| ollama      | chat      | JSON Schema         | none              | embeddings                   |
| gemini      | chat      | JSON Schema         | GEMINI_API_KEY    | vision, embeddings           |
| mistral     | chat      | JSON Schema         | MISTRAL_API_KEY   | vision, embeddings           |
| deepseek    | chat      | some JSON object    | DEEPSEEK_API_KEY  |                              |
| huggingface | chat      | JSON Schema         | HF_TOKEN          |                              |
| compatible  | chat      | JSON Schema         | if it wants one   | embeddings; needs a base URL |

A model is named "provider/name". What an endpoint does otherwise is said by overriding capabilities, not by a preset of
its own: `provider_of("compatible", base_url=…, capabilities={"structured": "object"})`.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from services.failure import failed
from services.models import anthropic, openai
from services.models.capabilities import Capabilities
from services.models.endpoint import IDLE_SECONDS, Endpoint
from services.models.provider import Provider, Variables
from services.outbound import Guard

Api: TypeAlias = Literal["responses", "chat", "messages"]
"""What an endpoint speaks: OpenAI's Responses, chat completions, or Anthropic's messages."""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A provider we know.

    `variables` names what it is set with in the environment. Without a `base_url` one has to be given. `contexts` has
    the context sizes of models, in tokens, by how their names begin.
    """

    name: str
    base_url: str = ""
    api: Api = "chat"
    variables: Variables
    needs_key: bool = True
    default_model: str = ""
    capabilities: Capabilities
    contexts: dict[str, int] = {}

    def context_tokens(self, model: str) -> int | None:
        """How much `model` takes in at once; None where we do not know.

        >>> PRESETS["anthropic"].context_tokens("claude-haiku-5-5"), PRESETS["ollama"].context_tokens("qwen3")
        (1000000, None)
        """
        known = [start for start in self.contexts if model.startswith(start)]
        return self.contexts[max(known, key=len)] if known else None


_MILLION = 1_048_576
_ALL = (
    Preset(
        name="openai",
        base_url="https://api.openai.com/v1",
        api="responses",
        variables=Variables("OPENAI_API_KEY", "OPENAI_BASE_URL", "ROLECALL_OPENAI_MODEL"),
        default_model="gpt-6-luna",
        capabilities=Capabilities(vision=True, embeddings=True, max_completion_tokens=True),
        contexts={"gpt-6-luna": 1_050_000, "gpt-6-sol": 1_050_000, "gpt-5.6-luna": 1_050_000},
    ),
    Preset(
        name="anthropic",
        base_url="https://api.anthropic.com",
        api="messages",
        variables=Variables("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ROLECALL_ANTHROPIC_MODEL"),
        default_model="claude-haiku-5-5",
        capabilities=Capabilities(vision=True),
        contexts={
            "claude-fable-5": 1_000_000,
            "claude-haiku-5-5": 1_000_000,
            "claude-opus-5": 1_000_000,
            "claude-sonnet-5": 1_000_000,
        },
    ),
    Preset(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        variables=Variables("OLLAMA_HOST", "OLLAMA_HOST", "ROLECALL_OLLAMA_MODEL"),
        needs_key=False,
        capabilities=Capabilities(embeddings=True),
    ),
    Preset(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        variables=Variables("GEMINI_API_KEY", "GEMINI_BASE_URL", "ROLECALL_GEMINI_MODEL"),
        default_model="gemini-3.8-flash",
        capabilities=Capabilities(vision=True, embeddings=True, echo="extra_content"),
        contexts={"gemini-2.5": _MILLION, "gemini-3": _MILLION},
    ),
    Preset(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        variables=Variables("MISTRAL_API_KEY", "MISTRAL_BASE_URL", "ROLECALL_MISTRAL_MODEL"),
        default_model="mistral-small-latest",
        capabilities=Capabilities(vision=True, embeddings=True, stream_usage=False, short_call_ids=True),
    ),
    Preset(
        name="deepseek",
        base_url="https://api.deepseek.com",
        variables=Variables("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL", "ROLECALL_DEEPSEEK_MODEL"),
        default_model="deepseek-v4-flash",
        capabilities=Capabilities(structured="object", echo="reasoning_content"),
        contexts={"deepseek-v4": _MILLION},
    ),
    Preset(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",
        variables=Variables("HF_TOKEN", "HF_BASE_URL", "ROLECALL_HUGGINGFACE_MODEL"),
        capabilities=Capabilities(),
    ),
    Preset(
        name="compatible",
        variables=Variables("ROLECALL_COMPATIBLE_KEY", "ROLECALL_COMPATIBLE_URL", "ROLECALL_COMPATIBLE_MODEL"),
        needs_key=False,
        capabilities=Capabilities(embeddings=True),
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}


def provider_of(
    preset: str,
    *,
    api_key: str = "",
    name: str = "",
    base_url: str = "",
    api: Api | None = None,
    capabilities: Mapping[str, Any] | None = None,
    variables: Variables | None = None,
    timeout_seconds: float | None = None,
    idle_seconds: float = IDLE_SECONDS,
    guard: Guard | None = None,
) -> Provider:
    """The provider `name` as `preset` has it, but for what is given; nothing is sent and no SDK is imported yet.

    `capabilities` override single ones, in the names of the wire (`{"vision": false}`). `variables` say where this
    provider was set, for failures that name the setting to look at. A call takes no longer than `timeout_seconds`,
    whatever its request allows; an answer that comes in pieces may pause for `idle_seconds`. With a
    `guard` it is asked only where that lets it: for addresses that somebody else than the operator has chosen.

    Raises:
        Failed: NO_MODEL, saying what is wrong with what was given; never with the key in it.
    """
    known = preset_named(preset)
    set_with = variables or known.variables
    url = base_url or known.base_url
    _check_url(url, set_with)
    _check_key(api_key, known, set_with)
    can = _capabilities(known, capabilities or {})
    speaks = _api(known, api)
    sdk = anthropic if speaks == "messages" else openai
    endpoint = Endpoint(
        sdk.SDK,
        sdk.CLIENT,
        # The SDKs insist on a key.
        api_key=api_key or "none",
        base_url=url,
        variables=set_with,
        detail_of=sdk.detail_of,
        timeout_seconds=timeout_seconds,
        idle_seconds=idle_seconds,
        guard=guard,
    )
    kind = _KINDS[speaks]
    return kind(name or known.name, endpoint, can)


def preset_named(name: str) -> Preset:
    """The preset with that name.

    Raises:
        Failed: NO_MODEL, naming those that there are.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise failed("NO_MODEL", f"there is no preset {name!r}{meant} There are: {', '.join(PRESETS)}")


def preset_at(base_url: str) -> Preset:
    """The preset of whoever is at `base_url`; "compatible" for anybody we do not know.

    >>> preset_at("https://api.deepseek.com/v1").name, preset_at("http://127.0.0.1:8000/v1").name
    ('deepseek', 'compatible')
    """
    host = urlsplit(base_url).hostname or ""
    if host.endswith((".openai.com", ".azure.com")):
        return PRESETS["openai"]
    there = (
        preset for preset in _ALL if preset.base_url and urlsplit(preset.base_url).netloc == urlsplit(base_url).netloc
    )
    return next(there, PRESETS["compatible"])


_KINDS = {
    "responses": openai.ResponsesProvider,
    "chat": openai.ChatProvider,
    "messages": anthropic.AnthropicProvider,
}


def _api(preset: Preset, api: Api | None) -> Api:
    if api is None or api == preset.api:
        return preset.api
    if "messages" in (api, preset.api):
        right = "messages" if preset.api == "messages" else "chat or responses"
        raise failed("NO_MODEL", f"the preset {preset.name} does not speak {api!r}; it speaks {right}")
    return api


def _capabilities(preset: Preset, overrides: Mapping[str, Any]) -> Capabilities:
    try:
        return preset.capabilities.with_overrides(overrides)
    except msgspec.ValidationError as error:
        names = ", ".join(field.encode_name for field in msgspec.structs.fields(Capabilities))
        raise failed("NO_MODEL", f"capabilities: {error}; they are {names}") from None


def _check_url(url: str, variables: Variables) -> None:
    if not _is_address(url):
        message = f"{variables.url} is no address; write one such as https://models.example.com/v1, without a password"
        raise failed("NO_MODEL", message)


def _is_address(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        return False


def _check_key(key: str, preset: Preset, variables: Variables) -> None:
    if preset.needs_key and not key:
        raise failed("NO_MODEL", f"{preset.name} needs a key; set {variables.key}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise failed(
            "NO_MODEL", f"{variables.key} holds a space, a line end or a letter that no key has; copy it again"
        )
