"""Laws of what is left out of a conversation: what is left is one, it fits where it can, and nothing comes back."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.models.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from services.steps.agents.notes import Narrowed
from services.steps.agents.transcript import Turn
from services.steps.agents.window import seen, trimmed

TEXTS = st.integers(0, 3_000).map("x".__mul__)
OPENING = UserMessage("count")


@st.composite
def with_calls(draw: Callable[[st.SearchStrategy[str]], str]) -> Turn:
    number = draw(st.integers(1, 4))  # type: ignore[arg-type]
    # Ids come again in every answer, as from some endpoints.
    calls = tuple(ToolCall(f"call_{n}", "look", {"at": draw(TEXTS)}) for n in range(int(number)))
    results = (ToolMessage(call.id, call.name, draw(TEXTS)) for call in calls)
    return (AssistantMessage(draw(TEXTS), calls), *results)


REJECTED = st.one_of(
    st.builds(lambda text: (AssistantMessage(text), UserMessage("again")), TEXTS),
    st.just((UserMessage("again"),)),
)
TURNS = st.lists(st.one_of(with_calls(), REJECTED), max_size=12)


def size(messages: tuple[Message, ...]) -> int:
    return len(msgspec.json.encode(messages))


def is_conversation(messages: tuple[Message, ...]) -> bool:
    """Whether every result answers a call of the answer just before it, and every call has its result."""
    open_calls: list[str] = []
    for message in messages:
        match message:
            case ToolMessage(call_id=call):
                if not open_calls or open_calls.pop(0) != call:
                    return False
            case AssistantMessage(tool_calls=calls):
                if open_calls:
                    return False
                open_calls = [call.id for call in calls]
            case UserMessage():
                if open_calls:
                    return False
    return not open_calls


@given(TURNS, st.integers(50, 20_000))
def test_what_is_left_is_a_conversation_that_begins_with_its_opening(turns: list[Turn], limit: int) -> None:
    narrowed = trimmed(OPENING, turns, Narrowed(), lambda messages: size(messages) <= limit)

    if narrowed is not None:
        left = seen(OPENING, turns, narrowed)
        assert size(left) <= limit
        assert is_conversation(left)
        assert isinstance(left[0], UserMessage)
        assert left[0].text.startswith(OPENING.text)
        pairs = pairwise(left)
        assert not any(isinstance(one, UserMessage) and isinstance(other, UserMessage) for one, other in pairs)


@given(TURNS, st.integers(50, 20_000))
def test_it_fits_whenever_the_opening_and_the_last_turn_can(turns: list[Turn], limit: int) -> None:
    narrowed = trimmed(OPENING, turns, Narrowed(), lambda messages: size(messages) <= limit)

    least = Narrowed(turns=max(0, len(turns) - 1), results=max(0, len(turns) - 1), max_characters=200)
    can = size(seen(OPENING, turns, least)) <= limit
    assert narrowed is not None or not can


@given(TURNS, TURNS, st.integers(500, 20_000))
def test_what_has_gone_stays_away_while_the_conversation_goes_on(
    turns: list[Turn], more: list[Turn], limit: int
) -> None:
    first = trimmed(OPENING, turns, Narrowed(), lambda messages: size(messages) <= limit)
    if first is None:
        return
    longer = turns + more
    second = trimmed(OPENING, longer, first, lambda messages: size(messages) <= limit)

    if second is not None:
        assert second.turns >= first.turns
        assert second.results >= first.results
        assert is_conversation(seen(OPENING, longer, second))


def test_results_go_before_turns_and_the_oldest_before_the_newest() -> None:
    call = ToolCall("call_0", "look", {})
    turns: list[Turn] = [
        (AssistantMessage(f"turn {n}", (call,)), ToolMessage("call_0", "look", "x" * 1_000)) for n in range(4)
    ]
    steps = [
        trimmed(OPENING, turns, Narrowed(), lambda messages, limit=limit: size(messages) <= limit)
        for limit in (4_000, 3_000, 2_000, 1_720, 1_400, 700)
    ]

    assert [(it.results, it.turns, it.max_characters) for it in steps if it is not None] == [
        (1, 0, None),
        (2, 0, None),
        (3, 0, None),
        (3, 1, None),
        (3, 3, None),
        (3, 3, 200),
    ]
