"""The roles of an example, played by a test behind a model endpoint."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Barrier, Lock
from typing import Any, TypeAlias

from services.json import Json
from tests.meta_tools.agents import Messages, results, wants
from tests.models.peer import Reply, completion


@dataclass(frozen=True)
class Turn:
    """A model call: the role that is asked, its step's prompt and input, and what its tools have brought."""

    role: str
    prompt: str
    input: Any
    brought: tuple[str, ...]


Said: TypeAlias = Json | Reply
# What a role says: always the same, what a function makes of the turn, or one after another of a list.
Answer: TypeAlias = Said | Callable[[Turn], Said] | list[Any]


class Cast:
    """A model that answers as the roles of a bundle; it knows them by their prompts. `turns` are what it was asked."""

    def __init__(self, roles: list[dict[str, Any]], answers: Mapping[str, Answer]) -> None:
        self.turns: list[Turn] = []
        self._names = {role["basePrompt"]: role["name"] for role in roles}
        self._answers = {name: list(it) if isinstance(it, list) else it for name, it in answers.items()}
        self._lock = Lock()

    def __call__(self, messages: Messages) -> Reply:
        turn = self._turn(messages)
        with self._lock:
            self.turns.append(turn)
            answer = self._answers[turn.role]
            answer = answer.pop(0) if isinstance(answer, list) else answer
        said = answer(turn) if callable(answer) else answer
        if isinstance(said, Reply):
            return said
        return completion(said if isinstance(said, str) else json.dumps(said))

    def _turn(self, messages: Messages) -> Turn:
        system, opening = messages[0]["content"], messages[1]["content"]
        # The input comes last, as JSON, which has no empty line.
        prompt, _, data = opening.rpartition("\n\n")
        return Turn(self._names[system], prompt, json.loads(data), tuple(results(messages).values()))


def reading(answer: Callable[[Turn], Said]) -> Callable[[Turn], Said]:
    """Reads the document at the path of its input, then answers."""

    def read_then_answer(turn: Turn) -> Said:
        return answer(turn) if turn.brought else wants(read=("files.read", {"path": turn.input["path"]}))

    return read_then_answer


def together(number: int, answer: Callable[[Turn], Said]) -> Callable[[Turn], Said]:
    """Answers only once so many have been asked: they run beside each other, or the test fails."""
    all_asked = Barrier(number, timeout=20)

    def wait_then_answer(turn: Turn) -> Said:
        all_asked.wait()
        return answer(turn)

    return wait_then_answer


def refusal(message: str) -> Reply:
    """What an endpoint says to a request that it will never take."""
    return Reply(400, {"error": {"message": message}})
