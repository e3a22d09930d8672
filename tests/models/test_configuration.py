"""The environment and rows, made one configuration: what counts, and what a row of no use is refused for."""

import subprocess
import sys
from decimal import Decimal

import pytest

from services.models.catalog import Models
from services.models.configuration.configuration import Configuration
from services.models.configuration.making import made
from services.models.configuration.merging import merged
from services.models.configuration.rows import ModelRow, ProviderRow, Rows
from services.models.limits import Limits
from services.models.prices import Price
from services.models.selection import Offer
from services.outbound import Guard
from services.outbound.allowed import allowed
from services.secrets import Opened
from services.secrets.secret import Secret

BASE = Models.from_environment({"OPENAI_API_KEY": "k", "ROLECALL_OLLAMA_MODEL": "", "OLLAMA_HOST": "127.0.0.1:1"})
OFFLINE = Models.from_environment({"OLLAMA_HOST": "127.0.0.1:1"})
URL = "https://llm.example.com/v1"
GATEWAY = ProviderRow(name="gateway", preset="compatible", base_url=URL)
LARGE = ModelRow(provider="gateway", name="large", context_tokens=128_000)


def configured(
    *providers: ProviderRow,
    models: tuple[ModelRow, ...] = (LARGE,),
    base: Configuration = BASE.configuration,
    environ: dict[str, str] | None = None,
    opened: dict[str, Opened] | None = None,
    allow: tuple[str, ...] = (),
    default: str | None = None,
    prices: dict[str, Price] | None = None,
) -> Configuration:
    guard = Guard(allowed(allow))
    return merged(
        base,
        Rows(providers=providers, models=models, default=default, prices=prices or {}),
        opened=opened or {},
        environ=environ or {},
        guard=guard,
        make=lambda recipe: made(recipe, guard),
    )


def names(configuration: Configuration) -> list[str]:
    return [offer.name for offer in configuration.offers]


def told(configuration: Configuration) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in configuration.problems]


def test_a_provider_of_rows_stands_beside_those_of_the_environment() -> None:
    found = configured(GATEWAY)

    assert names(found) == ["openai/gpt-6-luna", "gateway/large", "offline/extractive"]
    assert (found.default, set(found.providers), told(found)) == (
        "openai/gpt-6-luna",
        {"openai", "gateway", "offline"},
        [],
    )
    assert found.offers[1] == Offer("gateway", "large", ("tools", "json", "streaming"), 128_000)


def test_with_nothing_in_the_environment_the_first_of_rows_is_the_default_unless_offline_was_wished_for() -> None:
    plain = configured(GATEWAY, base=OFFLINE.configuration)
    wished = configured(GATEWAY, base=OFFLINE.configuration, environ={"ROLECALL_MODEL": "offline"})
    by_name = configured(
        GATEWAY, base=OFFLINE.configuration, models=(ModelRow(provider="gateway", name="large", only_by_name=True),)
    )

    assert [it.default for it in (plain, wished, by_name)] == [
        "gateway/large",
        "offline/extractive",
        "offline/extractive",
    ]
    assert [it.offers[-1].only_by_name for it in (plain, by_name)] == [True, True]


def test_of_the_same_name_the_row_counts_also_when_it_is_off_or_of_no_use() -> None:
    limited = ProviderRow(name="openai", preset="openai", limits=Limits(max_concurrent=5))
    on = configured(limited, models=(), environ={"OPENAI_API_KEY": "k"})
    off = configured(ProviderRow(name="openai", preset="openai", is_active=False), models=())
    keyless = configured(limited, models=())

    assert (names(on)[0], on.limits["openai"].max_concurrent) == ("openai/gpt-6-luna", 5)
    assert names(off) == names(keyless) == ["offline/extractive"]
    assert (told(off), told(keyless)) == ([], [("NO_KEY", "/provider/openai")])


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        (ProviderRow(name="a", preset="opnai"), "UNKNOWN_PRESET", "there is no preset 'opnai'; there are openai,"),
        (ProviderRow(name="a", preset="compatible"), "NO_ADDRESS", "needs a baseUrl"),
        (ProviderRow(name="a", preset="openai"), "NO_KEY", "or OPENAI_API_KEY in the servers' environment"),
        (ProviderRow(name="a", preset="openai", base_url=URL), "NO_KEY", "set its secret or keyVariable"),
        (ProviderRow(name="a", preset="anthropic", api="chat", secret="K"), "UNKNOWN_SECRET", "there is no secret 'K'"),
        (
            ProviderRow(name="a", preset="compatible", base_url="https://evil.example/v1", secret="Key"),
            "NO_KEY",
            "the secret 'Key' cannot be its key: it may be sent to llm.example.com, and not to https://evil.example/v1",
        ),
        (ProviderRow(name="a", preset="compatible", base_url=URL, secret="Broken"), "NO_KEY", "set it again"),
        (
            ProviderRow(name="a", preset="compatible", base_url=URL, key_variable="ROLECALL_KEY_B"),
            "NO_KEY",
            "ROLECALL_KEY_B is not set in the environment of this server",
        ),
        (
            ProviderRow(name="a", preset="compatible", base_url=URL, key_variable="ROLECALL_KEY_A"),
            "NO_KEY",
            "ROLECALL_KEY_A may be sent to other.example, and not to",
        ),
        (ProviderRow(name="a", preset="anthropic", api="chat"), "NO_KEY", "ANTHROPIC_API_KEY"),
        *[
            (
                ProviderRow(name="a", preset="compatible", base_url=f"http://{host}/v1"),
                "REFUSED_ADDRESS",
                "ROLECALL_OUTBOUND_ALLOW of the servers names what may be",
            )
            for host in (
                "169.254.169.254",
                "127.0.0.1:8000",
                "10.0.0.7",
                "[::1]:8000",
                "[::ffff:169.254.169.254]",
                "[64:ff9b::a9fe:a9fe]",
                "0x7f.1",
                "2130706433",
                "llm.example.com:22",
            )
        ],
    ],
)
def test_a_row_of_no_use_says_why_and_disables_only_itself(row: ProviderRow, code: str, said: str) -> None:
    keys = {
        "Key": Opened(value=Secret("sk"), hosts=("llm.example.com",)),
        "Broken": Opened(value=None, hosts=("llm.example.com",), problem="it was changed; set it again"),
    }
    environ = {"ROLECALL_KEY_A": "sk", "ROLECALL_KEY_A_HOSTS": "other.example"}

    found = configured(GATEWAY, row, opened=keys, environ=environ)

    assert told(found) == [(code, "/provider/a")]
    assert said in found.problems[0].message
    assert "gateway/large" in names(found) and "a" not in found.providers


def test_the_key_of_the_environment_goes_to_no_address_of_a_row() -> None:
    elsewhere = ProviderRow(name="openai", preset="openai", base_url="https://evil.example/v1")

    assert told(configured(elsewhere, environ={"OPENAI_API_KEY": "k"})) == [("NO_KEY", "/provider/openai")]


@pytest.mark.parametrize("place", ["127.0.0.1:8000", "127.0.0.0/8"])
def test_an_address_that_the_operator_allows_is_asked(place: str) -> None:
    local = ProviderRow(name="gateway", preset="compatible", base_url="http://127.0.0.1:8000/v1")

    assert told(configured(local, allow=(place,))) == []


def test_the_model_that_was_switched_to_is_the_default_while_somebody_offers_it() -> None:
    switched = configured(GATEWAY, default="gateway/large")
    gone = configured(default="gateway/large", models=())

    assert (switched.default, told(switched)) == ("gateway/large", [])
    assert (gone.default, told(gone)) == ("openai/gpt-6-luna", [("UNKNOWN_MODEL", "/defaultModel")])


def test_a_provider_without_models_says_so() -> None:
    assert told(configured(GATEWAY, models=())) == [("NO_MODELS", "/provider/gateway")]


def test_prices_of_rows_win() -> None:
    price = Price(Decimal(1), Decimal(2), version="row:7")
    found = configured(prices={"openai/gpt-6-luna": price})

    assert found.prices.of("openai/gpt-6-luna") is price
    assert found.prices.of("openai/gpt-6-luna-2026-12-01") is price
    assert found.prices.of("gateway/large") is None


def test_where_nothing_is_offered_nothing_breaks() -> None:
    nothing = Models({}, []).configuration

    assert (configured(base=nothing, models=()).default, configured(base=nothing, models=(), default="a/b").offers) == (
        "",
        (),
    )


def test_making_providers_imports_no_sdk() -> None:
    program = (
        "import sys; from tests.models.test_configuration import configured, GATEWAY; configured(GATEWAY); "
        "print({'openai', 'anthropic', 'cryptography', 'mcp', 'langchain_core', 'pydantic_monty'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("set()\n", "")
