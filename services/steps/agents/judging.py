"""What an answer is worth: the output of the step, calls to be made, or something to be said about it."""

from collections import Counter

import msgspec

from services.json import Json, JsonObject, Unreadable, holds_nul, read
from services.models.messages import Answer, ToolCall
from services.problem import Problem
from services.schema import problems_of_value

MAX_CALLS_PER_ANSWER = 64
_SHOWN_PROBLEMS = 20
_WHOLE_JSON = "Answer again with the whole JSON value, and nothing else."


class Unusable(Exception):
    """The answer cannot be used; `why` is for people, `said` for the model, which may do better.

    `text` is what it had answered, unless there is nothing that could be shown to it again.
    """

    def __init__(self, why: str, ask: str, text: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.said = f"Your answer cannot be used: {why}\n\n{ask}"
        self.text = None if text is None or not text.strip() or "\0" in text else text


def output_of(answer: Answer, schema: JsonObject | None) -> Json:
    """What a last answer gives: its text, or the JSON that the schema asks for.

    Raises:
        Unusable: there is no text, or it is not what the schema asks for.
    """
    if not answer.text.strip():
        raise Unusable("it is empty", "Answer now.")
    value = answer.text if schema is None else _json(answer.text)
    if holds_nul(msgspec.json.encode((value, answer.text))):
        raise Unusable("it holds the character U+0000, which cannot be kept", "Answer again, without it.")
    if schema is not None and (problems := problems_of_value(schema, value)):
        raise Unusable(f"it does not fit the schema: {_listed(problems)}", _WHOLE_JSON, answer.text)
    return value


def calls_of(answer: Answer) -> tuple[ToolCall, ...]:
    """The tool calls that an answer asks for, each with an id of its own.

    Raises:
        Unusable: they cannot be kept, or are too many.
    """
    calls = answer.tool_calls
    if len(calls) > MAX_CALLS_PER_ANSWER:
        why = f"it asks for {len(calls)} tool calls at once"
        raise Unusable(why, f"Ask for up to {MAX_CALLS_PER_ANSWER} at a time.", answer.text)
    if holds_nul(msgspec.json.encode((answer.text, calls))):
        raise Unusable("its tool calls hold the character U+0000, which cannot be kept", "Make them again, without it.")
    times = Counter(call.id for call in calls)
    return tuple(
        call if times[call.id] == 1 and call.id else msgspec.structs.replace(call, id=f"{call.id or 'call'}_{place}")
        for place, call in enumerate(calls, 1)
    )


def _json(text: str) -> Json:
    try:
        return read(text)
    except Unreadable as error:
        raise Unusable(f"it is no JSON: {error}", _WHOLE_JSON, text) from None


def _listed(problems: list[Problem]) -> str:
    """Each place that is wrong, and what would be right there."""
    more = len(problems) - _SHOWN_PROBLEMS
    lines = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
    return "; ".join([*lines, f"and {more} more"] if more > 0 else lines)
