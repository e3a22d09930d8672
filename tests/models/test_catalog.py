"""Which models an environment gives, which of them a role gets, and what a call through them costs."""

from collections.abc import Iterator
from decimal import Decimal
from socket import socket

import pytest

from services.failure import Failed
from services.models.catalog import Models
from services.models.messages import Usage
from services.models.presets import PRESETS
from services.models.selection import ModelConstraints
from tests.models.conversations import asking
from tests.models.peer import Reply, completion, peer_with

NO_WISH = ModelConstraints()


@pytest.fixture
def nobody() -> Iterator[dict[str, str]]:
    """An environment in which no Ollama answers."""
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield {"OLLAMA_HOST": f"127.0.0.1:{unused.getsockname()[1]}"}


def listing(*names: str) -> Reply:
    return Reply(body={"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def test_with_nothing_configured_the_default_is_offline(nobody: dict[str, str]) -> None:
    models = Models.from_environment(nobody)

    assert (models.default, models.is_offline) == ("offline/extractive", True)


@pytest.mark.parametrize("host", ["localhost:port", "localhost:65536", "unix:///run/ollama"])
def test_an_address_that_is_none_is_refused_by_the_name_of_its_variable(host: str) -> None:
    with pytest.raises(Failed, match=r"OLLAMA_HOST is '.*'; write a host"):
        Models.from_environment({"OLLAMA_HOST": host})


def test_a_key_makes_its_provider_the_default_and_offline_only_by_name(nobody: dict[str, str]) -> None:
    models = Models.from_environment({**nobody, "ANTHROPIC_API_KEY": "k"})

    assert (models.default, models.is_offline) == (f"anthropic/{PRESETS['anthropic'].default_model}", False)
    assert models.choose(ModelConstraints(preferred=("offline",))).name == "offline/extractive"


def test_rolecall_model_overrides_the_default_with_any_model_of_a_provider(nobody: dict[str, str]) -> None:
    environ = {**nobody, "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}

    defaults = [
        Models.from_environment({**environ, "ROLECALL_MODEL": wanted}).default
        for wanted in ("", "anthropic", "openai/gpt-4o-mini", "offline/extractive")
    ]

    assert defaults == [
        f"openai/{PRESETS['openai'].default_model}",
        f"anthropic/{PRESETS['anthropic'].default_model}",
        "openai/gpt-4o-mini",
        "offline/extractive",
    ]


def test_a_default_nobody_can_run_is_refused_and_says_what_is_there(nobody: dict[str, str]) -> None:
    with pytest.raises(Failed) as caught:
        Models.from_environment({**nobody, "ROLECALL_MODEL": "openai/gpt-4o-mini"})

    assert caught.value.failure.code == "NO_MODEL"
    assert "available: offline/extractive; set OPENAI_API_KEY" in caught.value.failure.message


async def test_an_ollama_that_answers_is_used_through_its_first_model() -> None:
    with peer_with(listing("qwen3:latest", "gemma"), completion("Hi.")) as peer:
        models = Models.from_environment({"OLLAMA_HOST": peer.url})

        answer = await models.complete(NO_WISH, asking())
        await models.close()

    assert (models.default, answer.text, answer.model) == ("ollama/qwen3:latest", "Hi.", "ollama/qwen3:latest")
    assert answer.usage == Usage(100, 20, None)
    assert [asked.path for asked in peer.asked] == ["/v1/models", "/v1/chat/completions"]
    assert models.choose(ModelConstraints(preferred=("ollama/qwen3",))).model == "qwen3:latest"


def test_a_named_ollama_model_comes_first_and_does_not_need_ollama_to_be_up(nobody: dict[str, str]) -> None:
    with peer_with(listing("qwen3", "gemma")) as peer:
        up = Models.from_environment({"OLLAMA_HOST": peer.url, "ROLECALL_OLLAMA_MODEL": "gemma"})
    down = Models.from_environment({**nobody, "ROLECALL_MODEL": "ollama/gemma"})

    assert (up.default, down.default) == ("ollama/gemma", "ollama/gemma")


@pytest.mark.parametrize("reply", [Reply(404, {"error": "no"}), Reply(body=b"<html>"), Reply(body={"data": None})])
def test_whoever_else_listens_there_is_not_taken_for_ollama(reply: Reply) -> None:
    with peer_with(reply) as peer:
        models = Models.from_environment({"OLLAMA_HOST": peer.url})

    assert models.default == "offline/extractive"


async def test_a_call_is_priced_by_the_chosen_model_not_the_requested_one(nobody: dict[str, str]) -> None:
    with peer_with(completion("Hi.")) as peer:
        environ = {**nobody, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{peer.url}/v1"}
        models = Models.from_environment({**environ, "ROLECALL_OPENAI_MODEL": "gpt-5.6-luna"})

        answer = await models.complete(NO_WISH, asking(model="ignored"))
        await models.close()

    assert peer.asked[0].body["model"] == "gpt-5.6-luna"
    assert (answer.model, answer.usage) == ("openai/gpt-5.6-luna", Usage(100, 20, Decimal("0.000044")))


async def test_the_offline_model_costs_nothing(nobody: dict[str, str]) -> None:
    models = Models.from_environment(nobody)

    answer = await models.complete(NO_WISH, asking())

    assert (answer.model, answer.usage.cost_usd) == ("offline/extractive", Decimal(0))
