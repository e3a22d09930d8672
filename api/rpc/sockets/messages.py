"""The messages of a WebSocket as pure functions: which calls a text asks for, and how their answers are written."""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast

import msgspec

from api.rpc.codes import RpcError
from api.rpc.json import is_array, is_object
from api.rpc.procedure import Kind
from api.rpc.text import for_javascript
from api.rpc.tracked import Tracked
from api.rpc.wire import ConnectionParams, error_shape

PING = "PING"
PONG = "PONG"
# Whoever gets it opens another socket, moves its subscriptions there, and closes this one.
RECONNECT = '{"id":null,"method":"reconnect"}'

Id: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True)
class Ref:
    """What an answer refers to: the id of a message, or None for none in particular, as the client wrote it."""

    id: Id | None
    is_json_rpc: bool = False


NOTHING = Ref(None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a message asks for. There is no `input` when it has none, which is not the same as `null`."""

    ref: Ref
    kind: Kind
    path: str
    input: bytes | None
    last_event_id: str | None


@dataclass(frozen=True, slots=True)
class Stop:
    """The wish that the subscription of that id ends."""

    id: Id


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that cannot be followed, though others that came with it can."""

    ref: Ref
    error: RpcError


Request: TypeAlias = Asked | Stop | Refused


def requests(text: str, *, max_batch: int) -> tuple[Request, ...]:
    """What a text frame asks for: one message, or an array of them.

    Raises:
        RpcError: PARSE_ERROR, it holds something else. Nothing of it is to be done then.
    """
    encoded = text.encode()
    try:
        return _requests(encoded, max_batch)
    except (msgspec.DecodeError, RecursionError) as error:
        found = () if isinstance(error, msgspec.ValidationError) else _requests_for_javascript(encoded, max_batch)
        if not found:
            raise RpcError("PARSE_ERROR", f"this is no message of tRPC: {error}") from None
        return found


def connection_params(text: str) -> ConnectionParams | None:
    """The connection parameters that the first text frame holds.

    Raises:
        RpcError: PARSE_ERROR, it holds something else.
    """
    try:
        message = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise RpcError("PARSE_ERROR", "Malformed TRPCConnectionParamsMessage") from None
    refusal = RpcError("PARSE_ERROR", "Invalid connection params shape")
    try:
        params = msgspec.json.decode(message.get("data", b""), type=ConnectionParams | None)
    except (msgspec.DecodeError, RecursionError):
        raise refusal from None
    if params is not None and any("\0" in text for pair in params.items() for text in pair):
        raise refusal
    return params


def answered(ref: Ref, output: object) -> str:
    """The answer of a query or a mutation; UNSET leaves `data` out, which JavaScript reads as `undefined`.

    >>> answered(Ref(1), {"ok": True})
    '{"id":1,"result":{"type":"data","data":{"ok":true}}}'
    """
    return _result(ref, '{"type":"data"}' if output is msgspec.UNSET else f'{{"type":"data","data":{_json(output)}}}')


def item(ref: Ref, item: object, resume_id: str | None) -> str:
    """An item of a subscription. One that is not tracked carries the id of the last that was, if there is one.

    The client goes on behind the id of the very last item that it got, and from the start when that had none.
    """
    if isinstance(item, Tracked):
        tracked = cast("Tracked[Any]", item)
        id = _json(tracked.id)
        return _result(ref, f'{{"type":"data","data":{{"id":{id},"data":{_json(tracked.data)}}},"id":{id}}}')
    if resume_id is None:
        return answered(ref, item)
    data = "" if item is msgspec.UNSET else f'"data":{_json(item)},'
    return _result(ref, f'{{"type":"data",{data}"id":{_json(resume_id)}}}')


def started(ref: Ref) -> str:
    """The first answer of a subscription."""
    return _result(ref, '{"type":"started"}')


def stopped(ref: Ref) -> str:
    """The last answer of a subscription; from then on its id is free."""
    return _result(ref, '{"type":"stopped"}')


def failed(ref: Ref, error: RpcError, path: str | None = None) -> str:
    """The answer to a call that was refused, or what else went wrong."""
    return f'{_head(ref)},"error":{_json(error_shape(error, path))}}}'


class _Message(msgspec.Struct):
    id: Id | None
    method: Literal["query", "mutation", "subscription", "subscription.stop"]
    params: msgspec.Raw = msgspec.Raw()
    jsonrpc: Literal["2.0"] | msgspec.UnsetType = msgspec.UNSET


class _Params(msgspec.Struct, rename="camel"):
    path: str
    input: msgspec.Raw = msgspec.Raw()
    last_event_id: str | msgspec.UnsetType = msgspec.UNSET


_MESSAGE = msgspec.json.Decoder(_Message)
_MEMBERS = msgspec.json.Decoder(list[msgspec.Raw])
_PARAMS = msgspec.json.Decoder(_Params)


def _requests(text: bytes, max_batch: int) -> tuple[Request, ...]:
    members = [bytes(member) for member in _MEMBERS.decode(text)] if text.lstrip().startswith(b"[") else [text]
    if len(members) > max_batch:
        error = RpcError("BAD_REQUEST", "Batch call exceeds maximum size", data={"maxBatch": max_batch})
        messages = [_MESSAGE.decode(member) for member in members]
        return tuple(Refused(_ref(message), error) for message in messages if message.method != "subscription.stop")
    return tuple(_request(member) for member in members)


def _request(text: bytes) -> Request:
    message = _MESSAGE.decode(text)
    if message.id is None:
        return Refused(_ref(message), RpcError("PARSE_ERROR", "`id` is required"))
    if message.method == "subscription.stop":
        return Stop(message.id)
    params = _PARAMS.decode(message.params)
    last_event_id = None if isinstance(params.last_event_id, msgspec.UnsetType) else params.last_event_id
    return Asked(_ref(message), message.method, params.path, bytes(params.input) or None, last_event_id)


def _requests_for_javascript(text: bytes, max_batch: int) -> tuple[Request, ...]:
    """What a text asks for that JavaScript can read, but not our decoder: it holds half of a character.

    Nothing when it cannot be read this way either.
    """
    try:
        found = json.loads(text)
        members = found if is_array(found) else [found]
        return () if len(members) > max_batch else tuple(_request_beside_its_input(member) for member in members)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return ()


def _request_beside_its_input(member: Any) -> Request:
    # The input goes on as it is. Whoever reads it refuses it then, and the client learns which of its calls that was.
    params = member.get("params") if is_object(member) else None
    if not is_object(params) or "input" not in params:
        return _request(json.dumps(member).encode())
    request = _request(json.dumps({**member, "params": {**params, "input": None}}).encode())
    return replace(request, input=json.dumps(params["input"]).encode()) if isinstance(request, Asked) else request


def _ref(message: _Message) -> Ref:
    return Ref(message.id, is_json_rpc=message.jsonrpc == "2.0")


def _result(ref: Ref, result: str) -> str:
    return f'{_head(ref)},"result":{result}}}'


def _head(ref: Ref) -> str:
    id = msgspec.json.encode(ref.id).decode()
    return f'{{"id":{id},"jsonrpc":"2.0"' if ref.is_json_rpc else f'{{"id":{id}'


def _json(value: object) -> str:
    return for_javascript(msgspec.json.encode(value)).decode()
