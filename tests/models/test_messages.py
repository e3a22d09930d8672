"""Conversations survive the journal, names survive the wire, prices are known or not claimed."""

import subprocess
import sys
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.models.messages import (
    Answer,
    AssistantMessage,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    ToolSpec,
    Usage,
    UserMessage,
)
from services.models.prices import PRICES, cost_usd
from services.models.wire import ToolNames

texts = st.text(max_size=20)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, json, max_size=3)
calls = st.builds(ToolCall, id=texts, name=texts, arguments=objects)
messages = st.one_of(
    st.builds(UserMessage, text=texts),
    st.builds(AssistantMessage, text=texts, tool_calls=st.lists(calls, max_size=3).map(tuple)),
    st.builds(ToolMessage, call_id=texts, name=texts, text=texts, is_error=st.booleans()),
)
requests = st.builds(
    Request,
    model=texts,
    system=texts,
    messages=st.lists(messages, max_size=4).map(tuple),
    tools=st.lists(st.builds(ToolSpec, name=texts, description=texts, input_schema=objects), max_size=2).map(tuple),
    output_schema=st.none() | objects,
    temperature=st.none() | st.floats(0, 2),
)
costs = st.none() | st.decimals(0, 100, places=6)
usages = st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9), costs)
answers = st.builds(Answer, text=texts, tool_calls=st.lists(calls, max_size=2).map(tuple), usage=usages, model=texts)


@given(requests)
def test_a_request_survives_the_journal(request: Request) -> None:
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request


@given(answers)
def test_an_answer_survives_the_journal(answer: Answer) -> None:
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


def test_the_journal_is_camel_case_and_names_the_role() -> None:
    said: Message = AssistantMessage("", (ToolCall("call_1", "files.read", {"path": "a.md"}),))

    assert msgspec.to_builtins(said) == {
        "role": "assistant",
        "text": "",
        "toolCalls": ({"id": "call_1", "name": "files.read", "arguments": {"path": "a.md"}},),
    }


@given(st.lists(st.text(min_size=1, max_size=90), max_size=8))
def test_tool_names_come_back_from_what_providers_accept(names: list[str]) -> None:
    mapping = ToolNames(names)

    outside = [mapping.outside(name) for name in names]

    assert [mapping.inside(name) for name in outside] == names
    assert all(1 <= len(name) <= 64 and name.replace("-", "_").isascii() for name in outside)
    assert all(character.isalnum() or character in "_-" for name in outside for character in name)


def test_long_requests_cost_the_long_price_throughout() -> None:
    at_limit = cost_usd("anthropic/claude-haiku-5-5", input_tokens=100_000, output_tokens=1_000)
    above = cost_usd("anthropic/claude-haiku-5-5", input_tokens=100_001, output_tokens=1_000)

    assert (at_limit, above) == (Decimal("0.0105"), Decimal("0.0525005"))


def test_a_model_that_is_not_listed_has_no_price_however_similar_its_name() -> None:
    similar = [f"{name}-plus" for name in PRICES]

    assert [cost_usd(name, input_tokens=1, output_tokens=1) for name in similar] == [None] * len(similar)


def test_importing_models_imports_no_sdk() -> None:
    program = (
        "import sys, services.models, services.models.catalog;print(sorted({'openai', 'anthropic'} & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert ran.stdout.strip() == "[]"
