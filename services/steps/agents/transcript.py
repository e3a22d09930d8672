"""A conversation as its notes have left it: what was said, which calls are open, what was narrowed."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import msgspec

from services.models.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from services.steps.agents.notes import Answered, AnyNote, CallBegan, CallEnded, Narrowed, Rejected
from services.tools.tool import ToolResult

Turn: TypeAlias = tuple[Message, ...]
"""A model's answer, unless that had no text, and what it was given back: results, or what was wrong with it."""


class Transcript:
    """The conversation of one instance of a step, which grows by notes.

    A tool call is known by its *place*: the number of the answer that asks for it, from 1, a dot, and its index there.
    Some endpoints use the same call ids in every answer. What a call calls itself has places below its own.
    """

    def __init__(self, opening: UserMessage, notes: Iterable[AnyNote] = ()) -> None:
        self.opening = opening
        self.narrowed = Narrowed()
        self.measured: Answered | None = None
        """The last answer whose request was counted by the provider."""
        self.results: dict[str, ToolResult] = {}
        """What calls have given, by place."""
        self._answers: list[Answered | Rejected] = []
        self.inner: dict[str, list[CallEnded]] = {}
        """What calls within another call have given, by the place of that one, in the order in which they ended."""
        self.began_at: dict[str, datetime] = {}
        """When calls that call others first began, by place."""
        self._begun: set[str] = set()
        for note in notes:
            self.add(note)

    def add(self, note: AnyNote) -> None:
        """What is so once the note is kept."""
        match note:
            case Answered():
                self._answers.append(note)
                self.measured = note if note.calls and note.calls[-1].input_tokens else self.measured
            case Rejected():
                self._answers.append(note)
            case CallBegan(call=place, at=None):
                self._begun.add(place)
            case CallBegan(call=place, at=datetime() as at):
                self.began_at[place] = at
            case CallEnded(call=place, result=result, tool=None):
                self.results[place] = result
            case CallEnded(call=place):
                self.inner.setdefault(place.rpartition(".")[0], []).append(note)
            case Narrowed():
                self.narrowed = note

    @property
    def answers_with_calls(self) -> int:
        """How many answers have asked for tools."""
        return sum(isinstance(answer, Answered) for answer in self._answers)

    @property
    def calls(self) -> list[tuple[str, ToolCall]]:
        """The calls that the last answer asks for, each with its place."""
        return self._calls(len(self._answers)) if self._answers else []

    def calls_made_before(self, place: str) -> int:
        """How many calls there are up to the one at `place`, that one and those that earlier ones made included."""
        before = sum(len(self._calls(number)) for number in range(1, len(self._answers)))
        index = int(place.rpartition(".")[2])
        return before + index + 1 + sum(len(inner) for outer, inner in self.inner.items() if outer != place)

    @property
    def turns(self) -> list[Turn]:
        """All of it but the opening, whether the model still sees it or not."""
        return [self._turn(number) for number in range(1, len(self._answers) + 1)]

    def has_begun(self, place: str) -> bool:
        """Whether that call was begun, also by a worker that died in it."""
        return place in self._begun

    def _calls(self, number: int) -> list[tuple[str, ToolCall]]:
        answer = self._answers[number - 1]
        calls = answer.tool_calls if isinstance(answer, Answered) else ()
        return [(f"{number}.{index}", call) for index, call in enumerate(calls)]

    def _turn(self, number: int) -> Turn:
        match self._answers[number - 1]:
            case Answered(text=text, tool_calls=calls):
                results = (_message(call, self.results[place]) for place, call in self._calls(number))
                return (AssistantMessage(text, calls), *results)
            case Rejected(text=None, said=said):
                return (UserMessage(said),)
            case Rejected(text=str(text), said=said):
                return (AssistantMessage(text), UserMessage(said))
            case _:
                raise AssertionError("a rejected answer has a text or none")


def _message(call: ToolCall, result: ToolResult) -> ToolMessage:
    if result.error is not None:
        return ToolMessage(call.id, call.name, result.error, is_error=True)
    value = result.value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ToolMessage(call.id, call.name, text)
