"""Providers are made from presets and what is given besides; what cannot be right is said, and never with the key."""

from typing import Any

import pytest

from services.failure import Failed
from services.models.capabilities import Capabilities
from services.models.presets import PRESETS, preset_at, provider_of
from tests.models.conversations import CREATE_ROLE, asking
from tests.models.images import PIXEL


def refusal(preset: str = "compatible", **given: Any) -> str:
    with pytest.raises(Failed) as caught:
        provider_of(preset, **{"base_url": "http://127.0.0.1:9/v1", **given})
    assert (caught.value.failure.code, caught.value.failure.retryable) == ("NO_MODEL", False)
    return caught.value.failure.message


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_is_made_of_a_key_and_where_it_is(name: str) -> None:
    provider = provider_of(name, name="mine", api_key="k", base_url=PRESETS[name].base_url or "http://127.0.0.1:1/v1")

    assert (provider.name, provider.capabilities) == ("mine", PRESETS[name].capabilities)


def test_single_capabilities_are_overridden() -> None:
    provider = provider_of("ollama", capabilities={"vision": True, "structured": "words"})

    assert provider.capabilities == Capabilities(vision=True, structured="words", embeddings=True)


@pytest.mark.parametrize("name", ["opnai", "OpenAI", ""])
def test_an_unknown_preset_is_told_those_that_there_are(name: str) -> None:
    assert "There are: openai, anthropic, ollama" in refusal(name)


def test_a_misspelt_preset_is_told_the_one_that_was_meant() -> None:
    assert "did you mean openai?" in refusal("opnai")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "models.example.com",
        "ftp://models.example.com",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://host:99999/v1",
        "http://host:0/v1",
        "http://user:sk-secret@host/v1",
        "http://host/v1\r\nX-Header: 1",
        "http://host/ v1",
        "http://hóst/v1",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    message = refusal(base_url=url)

    assert message.startswith("ROLECALL_COMPATIBLE_URL is no address; write one such as https://")
    assert "sk-secret" not in message


@pytest.mark.parametrize("key", ["sk-secret\n", " sk-secret", "sk secret", "sk-sécret", "sk-\x00secret"])
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    message = refusal("openai", api_key=key)

    assert message == "OPENAI_API_KEY holds a space, a line end or a letter that no key has; copy it again"


def test_a_key_that_is_missing_is_asked_for() -> None:
    assert refusal("mistral") == "mistral needs a key; set MISTRAL_API_KEY"


@pytest.mark.parametrize(
    "capabilities", [{"tools": "yes"}, {"tooling": True}, {"structured": "json"}, {"vision": None}, {"echo": 3}]
)
def test_a_capability_that_is_none_is_told_those_that_there_are(capabilities: dict[str, Any]) -> None:
    message = refusal(capabilities=capabilities)

    assert message.startswith("capabilities: ")
    assert "they are tools, parallelTools, structured, streaming, vision" in message


@pytest.mark.parametrize(
    ("preset", "api", "right"), [("anthropic", "chat", "messages"), ("openai", "messages", "chat")]
)
def test_nobody_speaks_what_he_has_not_learnt(preset: str, api: Any, right: str) -> None:
    assert f"does not speak {api!r}; it speaks {right}" in refusal(preset, api=api, api_key="k")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "openai"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini"),
        ("http://127.0.0.1:11434/v1", "ollama"),
        ("http://127.0.0.1:8000/v1", "compatible"),
        ("https://notopenai.com/v1", "compatible"),
    ],
)
def test_who_is_at_an_address_is_known_by_it(url: str, name: str) -> None:
    assert preset_at(url).name == name


async def test_what_a_model_cannot_do_is_not_asked_of_it() -> None:
    provider = provider_of("compatible", base_url="http://127.0.0.1:9/v1", capabilities={"tools": False})

    with pytest.raises(Failed) as tools:
        await provider.complete(asking(tools=(CREATE_ROLE,)))
    with pytest.raises(Failed) as images:
        await provider.complete(asking(images=(PIXEL,)))

    messages = [caught.value.failure.message for caught in (tools, images)]
    assert messages == [
        "compatible/small calls no tools; choose a model with the capability 'tools'",
        "compatible/small sees no images; choose a model with the capability 'vision', or leave them out",
    ]
    assert not tools.value.failure.retryable
