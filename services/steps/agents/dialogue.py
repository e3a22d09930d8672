"""One attempt's part of a conversation: it goes on where its notes end, asks, and repairs what cannot be used."""

from functools import partial

import msgspec

from services.engine.core.events import ModelCall
from services.engine.performer import Attempt
from services.engine.progress import TurnStarted
from services.failure import Failed, failed
from services.json import Json
from services.models.catalog import Models
from services.models.messages import Answer, Message, Request, ToolSpec, about_request_tokens
from services.roles import RoleContent
from services.steps import conversation
from services.steps.agents import notes
from services.steps.agents.gauge import Gauge, room_of
from services.steps.agents.judging import Unusable, calls_of, output_of
from services.steps.agents.notes import Answered, AnyNote, Narrowed, Rejected
from services.steps.agents.summarising import summary_request
from services.steps.agents.transcript import Transcript
from services.steps.agents.window import seen, trimmed
from services.tools.tool import Tool

DEFAULT_MAX_TURNS = 8
DEFAULT_REPAIRS = 2
# What has to go makes room for some turns to come, so that not each of them has to be narrowed.
_SHARE_AFTER_TRIMMING = 0.75


class Output(msgspec.Struct, frozen=True):
    """What the step gives back."""

    value: Json


class Dialogue:
    """Asks a model for one attempt at a step, until there is an answer to be used.

    `tools` are those that the model is offered; None where it is not to call any.
    """

    def __init__(self, models: Models, attempt: Attempt, role: RoleContent, tools: dict[str, Tool] | None) -> None:
        kept = [notes.read(note) for note in attempt.notes]
        own = kept[attempt.accounted :]
        for note in own:
            for call in notes.calls_of(note):
                attempt.record(call)
        self.transcript = Transcript(conversation.opening(attempt), kept)
        self._models = models
        self._attempt = attempt
        self._role = role
        self._tools = tools
        self._schema = conversation.schema_of(role, attempt)
        self._repairs = sum(isinstance(note, Rejected) for note in own)
        self._noted = len(attempt.calls)

    async def keep(self, note: AnyNote) -> None:
        """Return when the note is committed, and part of the conversation."""
        await self._attempt.keep(notes.written(note))
        self.transcript.add(note)
        self._noted += len(notes.calls_of(note))

    async def next(self) -> Output | None:
        """What the step gives back, or None when the answer asks for tools: their calls are then in the transcript.

        Raises:
            Failed: OUTPUT_INVALID when no answer could be used, STEP_LIMIT when there are no turns left,
                CONTEXT_TOO_LARGE when the conversation does not fit; or what the provider says.
        """
        while True:
            try:
                return await self._usable(await self._ask())
            except Unusable as error:
                await self._reject(error)

    async def _ask(self) -> tuple[Answer, int]:
        """The model's next answer, and about how many tokens its request has."""
        request = await self._fitting()
        begin = partial(self._show_turn, len(self.transcript.turns) + 1)
        begin()
        try:
            answer = await conversation.ask(self._models, self._attempt, self._role, request, anew=begin)
        except Failed as error:
            if error.failure.code == "OUTPUT_INVALID" and error.failure.retryable:
                raise Unusable(error.failure.message, "Answer again.") from None
            raise
        return answer, about_request_tokens(request)

    def _show_turn(self, turn: int) -> None:
        self._attempt.show(TurnStarted(path=self._attempt.path, attempt=self._attempt.number, turn=turn))

    async def _usable(self, asked: tuple[Answer, int]) -> Output | None:
        answer, about_tokens = asked
        if not answer.tool_calls:
            return Output(output_of(answer, self._schema))
        if self._tools is None:
            raise Unusable("it calls tools, and this step has none", "Answer without them.", answer.text)
        calls = calls_of(answer)
        max_turns = self._attempt.step.max_turns or DEFAULT_MAX_TURNS
        if self.transcript.answers_with_calls + 1 >= max_turns:
            message = f"the agent was not done after {max_turns} model calls; raise maxTurns or narrow its task"
            raise failed("STEP_LIMIT", message)
        await self.keep(
            Answered(text=answer.text, tool_calls=calls, calls=self._new_calls(), about_tokens=about_tokens)
        )
        return None

    async def _reject(self, error: Unusable) -> None:
        repairs = self._role.parameters.repairs
        if self._repairs >= (DEFAULT_REPAIRS if repairs is None else repairs):
            tries = f", the last of {self._repairs + 1}," if self._repairs else ""
            raise failed("OUTPUT_INVALID", f"the answer of {self._model()}{tries} cannot be used: {error.why}")
        self._repairs += 1
        await self.keep(Rejected(text=error.text, said=error.said, calls=self._new_calls()))

    def _new_calls(self) -> tuple[ModelCall, ...]:
        """The model calls that no note tells of yet."""
        return self._attempt.calls[self._noted :]

    def _model(self) -> str:
        return self._attempt.calls[-1].model if self._attempt.calls else "the model"

    async def _fitting(self) -> Request:
        """The next request, narrowed as far as the model's context asks for."""
        request, tokens = self._request(), self._tokens()
        constraints = conversation.constraints_of(self._role, request)
        room = room_of(self._models, constraints, self._role.parameters.max_output_tokens)
        if room is None or tokens <= room:
            return request
        policy = self._attempt.step.context_policy or self._role.parameters.context_policy or "trim"
        if policy == "summarise" and len(self.transcript.turns) - 1 > self.transcript.narrowed.turns:
            await self._summarise(tokens, room)
        if policy != "fail" and self._tokens() > room:
            await self._trim(tokens, room)
        if self._tokens() > room:
            raise failed("CONTEXT_TOO_LARGE", self._too_large(policy, room))
        return self._request()

    async def _trim(self, tokens: int, room: int) -> None:
        for limit in (int(room * _SHARE_AFTER_TRIMMING), room):
            narrowed = trimmed(
                self.transcript.opening,
                self.transcript.turns,
                self.transcript.narrowed,
                lambda messages, limit=limit: self._tokens(messages) <= limit,
            )
            if narrowed is not None:
                await self.keep(msgspec.structs.replace(narrowed, tokens=tokens, limit=room, calls=()))
                return

    async def _summarise(self, tokens: int, room: int) -> None:
        """Put a summary in the place of all turns but the last."""
        before, turns = self.transcript.narrowed, self.transcript.turns
        request = summary_request(
            self.transcript.opening,
            turns[before.turns : -1],
            before.summary,
            limit=room,
            timeout_seconds=self._attempt.timeout_ms / 1000,
        )
        answer = await conversation.ask_aside(self._models, self._attempt, self._role, request)
        gone, summary = len(turns) - 1, answer.text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        calls = self._new_calls()
        await self.keep(Narrowed(turns=gone, results=gone, summary=summary, tokens=tokens, limit=room, calls=calls))

    def _request(self, messages: tuple[Message, ...] | None = None) -> Request:
        if messages is None:
            messages = seen(self.transcript.opening, self.transcript.turns, self.transcript.narrowed)
        specs = (ToolSpec(tool.name, tool.description, tool.input_schema) for tool in (self._tools or {}).values())
        return conversation.request(self._role, self._attempt, messages, tuple(specs))

    def _tokens(self, messages: tuple[Message, ...] | None = None) -> int:
        return Gauge.by(self.transcript.measured).tokens(self._request(messages))

    def _too_large(self, policy: str, room: int) -> str:
        said = (
            f"the conversation has about {self._tokens():,} tokens, and {room:,} are left for it in the model's context"
        )
        if policy == "fail":
            return f"{said}; the contextPolicy trim or summarise leaves out what is oldest"
        return f"{said}, though all has gone that may go; choose a model with more, or give the step less to work on"
