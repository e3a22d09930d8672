"""The calls of one request: each refused, answered once or streamed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.rpc import wire
from api.rpc.asgi import Incoming
from api.rpc.calls import Calls, RequestInfo
from api.rpc.codes import RpcError
from api.rpc.inputs import Inputs, read_input, resumed
from api.rpc.limits import Limits
from api.rpc.procedure import Input, Procedure
from api.rpc.uploads import JSON, OCTETS, Octets, read_form
from api.rpc.wire import Call, Outcome, Plan


class Given(NamedTuple):
    """What the calls of a request share: its context, or the RpcError that each is answered with, and its inputs."""

    context: Any
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What is asked, by whom and how; `refusals` are those of calls that cannot be made at all, by their index."""

    calls: Calls
    plan: Plan
    info: RequestInfo
    incoming: Incoming
    limits: Limits
    refusals: tuple[RpcError | None, ...]

    async def inputs(self) -> Inputs:
        """The inputs of the calls, once the request has been read."""
        return Inputs(await self._text(), batch=self.plan.batch, max_depth=self.limits.max_depth)

    async def given(self, inputs: Inputs) -> Given:
        """What the calls are given. Nobody is looked up for a request of which nothing can be called."""
        return Given(None if all(self.refusals) else await self.calls.context(self.info), inputs)

    def streams(self, call: Call) -> bool:
        """Whether the answer to the call is a stream."""
        return self.refusals[call.index] is None and call.procedure is not None and call.procedure.streams

    async def outcome(self, call: Call, given: Given) -> Outcome:
        """How a call ended that is answered once."""
        try:
            return wire.succeeded(await self._answer(call, given))
        except Exception as error:  # also of an output that cannot be written
            return wire.failed(self._error(call, error), call.path)

    def items(self, call: Call, given: Given) -> AsyncIterator[Any]:
        """The items of a call that streams. Nothing has run yet.

        Raises:
            RpcError: why the call was refused; while iterating: that it failed, or what it was refused by then.
        """
        procedure = self._procedure(call)
        return self.calls.stream(
            procedure, given.context, lambda: self._read(procedure, call, given), self.info.request_id
        )

    def shape(self, call: Call, error: Exception) -> dict[str, Any]:
        """What the client is told of an exception."""
        return wire.error_shape(self._error(call, error), call.path)

    async def _text(self) -> bytes | RpcError | None:
        if self.plan.method == "GET":
            return self.plan.query_input
        if self.plan.media_type != JSON:
            return None  # read when it is known who sends it
        try:
            async with asyncio.timeout(self.limits.max_body_seconds):
                return await self.incoming.body(self.limits.max_body_bytes)
        except RpcError as error:
            return error
        except TimeoutError:
            # Of the request: whatever else it sends is not waited for.
            raise _too_slow(self.limits.max_body_seconds) from None

    async def _answer(self, call: Call, given: Given) -> Any:
        procedure = self._procedure(call)
        request_id = self.info.request_id
        if procedure.streams:
            self.items(call, given)  # whoever may not call it is told that first
            raise wire.stream_in_a_whole()
        if procedure.upload is not None:
            return await self.calls.answer(procedure, given.context, lambda: self._uploaded(procedure), request_id)
        return await self.calls.answer(procedure, given.context, lambda: self._read(procedure, call, given), request_id)

    def _error(self, call: Call, error: Exception) -> RpcError:
        return self.calls.translated(error, self.info.request_id, call.path)

    def _procedure(self, call: Call) -> Procedure[..., Any]:
        refusal = self.refusals[call.index]
        if refusal is not None:
            raise refusal
        assert call.procedure is not None, "what is not there is refused"
        return call.procedure

    def _read(self, procedure: Procedure[..., Any], call: Call, given: Given) -> Input:
        self._check_media_type(procedure)
        text = given.inputs.of(call.index)
        if procedure.kind == "subscription":
            text = resumed(procedure, text, self.plan.last_event_id)
        return read_input(procedure, text)

    async def _uploaded(self, procedure: Procedure[..., Any]) -> Input:
        self._check_media_type(procedure)
        limit = self.limits.max_upload_bytes
        if procedure.media_type == OCTETS:
            return Octets(self.incoming.chunks(limit))
        content_type = self.info.headers["content-type"]
        return read_form(content_type, await self.incoming.body(limit), max_parts=self.limits.max_form_parts)

    def _check_media_type(self, procedure: Procedure[..., Any]) -> None:
        if procedure.media_type != self.plan.media_type:
            message = f"the input is to be {procedure.media_type}, not {self.plan.media_type}"
            raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)


def _too_slow(limit: float) -> RpcError:
    message = f"the body did not arrive within {limit:g} seconds"
    return RpcError("TIMEOUT", message, headers={"connection": "close"})
