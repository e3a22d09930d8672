"""tRPC's wire as pure functions: what a request asks for, and how its answers are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import msgspec

from api.rpc.codes import RpcError
from api.rpc.procedure import Kind, Procedure
from api.rpc.router import Router
from api.rpc.text import check_text, for_javascript
from api.rpc.tracked import is_event_id
from api.rpc.uploads import FORM, JSON, OCTETS

ConnectionParams: TypeAlias = dict[str, str]
# One JSON text, JSON lines, or server-sent events.
Manner: TypeAlias = Literal["whole", "lines", "events"]

LINES_HEADERS = {"content-type": "application/jsonl", "vary": "trpc-accept, accept"}
JSON_HEADERS = {"content-type": JSON, "vary": "trpc-accept, accept"}
EVENT_HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "vary": "trpc-accept, accept",
}

_METHODS: Mapping[Kind, tuple[str, ...]] = {"query": ("GET",), "mutation": ("POST",), "subscription": ("GET",)}
_METHODS_WITH_OVERRIDE: Mapping[Kind, tuple[str, ...]] = {
    "query": ("GET", "POST"),
    "mutation": ("POST",),
    "subscription": ("GET", "POST"),
}
_LINES = "application/jsonl"
_STREAM_IN_A_WHOLE = "Cannot use stream-like response in non-streaming request - use httpBatchStreamLink"
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Request:
    """The parts of an HTTP request that say what is asked: `path` is what follows the prefix, still encoded."""

    method: str
    path: bytes
    query: bytes = b""
    content_type: str | None = None
    accept: str = ""
    trpc_accept: str | None = None
    last_event_id: str = ""
    content_encoding: str | None = None


@dataclass(frozen=True)
class Call:
    """One call of a request; there is no procedure if nothing answers to the path."""

    index: int
    path: str
    procedure: Procedure[..., Any] | None


@dataclass(frozen=True)
class Plan:
    """What a request asks for.

    `query_input` is the `input` of the query string, used by GET. `media_type` is what the input is sent as, `manner`
    how the answer is written; `last_event_id` names the item that a subscription goes on behind.
    """

    method: str
    calls: tuple[Call, ...]
    batch: bool
    connection_params: ConnectionParams | None = None
    query_input: bytes | None = None
    media_type: str = JSON
    manner: Manner = "whole"
    last_event_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How one call ended: its own status, its envelope, and headers it wants on the response."""

    status: int
    envelope: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def plan(router: Router, request: Request, *, max_batch: int, max_url_bytes: int) -> Plan:
    """What `request` asks of `router`.

    Raises:
        RpcError: the request as a whole is at fault, whatever its calls are.
    """
    if len(request.path) + len(request.query) > max_url_bytes:
        raise RpcError("PAYLOAD_TOO_LARGE", _too_long(max_url_bytes), data={"maxUrlBytes": max_url_bytes})
    path = _decoded_path(request.path)
    media_type = _media_type(request)
    if media_type != JSON:
        # Such an input belongs to one call, whatever else the URL says.
        return Plan(request.method, (Call(0, path, router.get(path)),), batch=False, media_type=media_type)
    parameters = _parameters(request.query)
    batch = parameters.get(b"batch") == b"1"
    paths = path.split(",") if batch else [path]
    if len(paths) > max_batch:
        raise RpcError("BAD_REQUEST", "Batch call exceeds maximum size")
    calls = tuple(Call(index, path, router.get(path)) for index, path in enumerate(paths))
    _check_kinds(calls)
    return Plan(
        request.method,
        calls,
        batch,
        connection_params=_connection_params(parameters.get(b"connectionParams")),
        query_input=parameters.get(b"input"),
        manner=_manner(request, calls, batch=batch),
        last_event_id=_last_event_id(request, parameters),
    )


def refusal(
    router: Router, call: Call, method: str, *, allow_method_override: bool, batch: bool = False
) -> RpcError | None:
    """Why a call cannot be made at all: nothing answers to its path, or not with this method, or not in a batch."""
    if call.procedure is None:
        near = router.nearest(call.path)
        data = {"suggestion": near} if near else {}
        return RpcError("NOT_FOUND", f'No procedure found on path "{call.path}"', data=data)
    kind = call.procedure.kind
    methods = (_METHODS_WITH_OVERRIDE if allow_method_override else _METHODS)[kind]
    if method not in methods:
        message = f'Unsupported {method}-request to {kind} procedure at path "{call.path}"'
        return RpcError("METHOD_NOT_SUPPORTED", message, headers={"allow": ", ".join(methods)})
    if batch and kind == "subscription":
        return RpcError("BAD_REQUEST", "Cannot batch subscription calls")
    return None


def stream_in_a_whole() -> RpcError:
    """The refusal of a call that streams where the answer is one JSON text."""
    return RpcError("UNSUPPORTED_MEDIA_TYPE", _STREAM_IN_A_WHOLE)


def succeeded(output: object) -> Outcome:
    """The outcome of a call that returned; UNSET leaves `data` out, which JavaScript reads as `undefined`."""
    data = encoded(output)
    return Outcome(200, b'{"result":{}}' if data is None else b'{"result":{"data":' + data + b"}}", {})


def encoded(output: object) -> bytes | None:
    """The JSON text of what a procedure answered; None for UNSET, JavaScript's `undefined`."""
    return None if output is msgspec.UNSET else for_javascript(msgspec.json.encode(output))


def failed(error: RpcError, path: str | None = None) -> Outcome:
    """The outcome of a call that was refused; without a path it is the request that was."""
    envelope = {"error": error_shape(error, path)}
    return Outcome(error.numbers.http, msgspec.json.encode(envelope), error.headers)


def error_shape(error: RpcError, path: str | None) -> dict[str, Any]:
    """An error as the client's `TRPCClientError` takes it.

    >>> error_shape(RpcError("FORBIDDEN", "nope"), "fail")["data"]
    {'code': 'FORBIDDEN', 'httpStatus': 403, 'path': 'fail'}
    """
    own: dict[str, Any] = {"code": error.code, "httpStatus": error.numbers.http}
    if path is not None:
        own["path"] = path
    extra = {key: value for key, value in error.data.items() if key not in own}
    return {"message": error.message, "code": error.numbers.json_rpc, "data": own | extra}


def answer(outcomes: Sequence[Outcome], *, batch: bool) -> Answer:
    """The response that carries these outcomes: one envelope, or an array of them for a batch."""
    statuses = {outcome.status for outcome in outcomes}
    headers = dict(JSON_HEADERS)
    for outcome in outcomes:
        headers |= outcome.headers
    envelopes = b",".join(outcome.envelope for outcome in outcomes)
    body = b"[" + envelopes + b"]" if batch else envelopes
    return Answer(statuses.pop() if len(statuses) == 1 else 207, headers, body)


def path_below(prefix: str, raw_path: bytes | None, path: str, root_path: str) -> bytes:
    """What follows the mount prefix in a URL path, still percent-encoded.

    >>> path_below("/trpc", b"/trpc/a%2Cb", "/trpc/a,b", "")
    b'/a%2Cb'
    >>> path_below("/trpc", None, "/app/trpc/health", "/app")
    b'/health'
    """
    # Some servers and test clients leave the query string on.
    left = quote(path).encode() if raw_path is None else raw_path.partition(b"?")[0]
    # A framework that mounts us may or may not have taken its part off, and may name it in root_path.
    for part in (root_path.rstrip("/").encode(), prefix.encode()):
        if part and (left == part or left.startswith(part + b"/")):
            left = left[len(part) :]
    return left


def _too_long(max_bytes: int) -> str:
    return (
        f"the URL is longer than {max_bytes} bytes; set `maxURLLength` on the batch link, or `methodOverride: 'POST'`"
    )


def _decoded_path(raw: bytes) -> str:
    stripped = raw.removeprefix(b"/").removesuffix(b"/")
    refusal = RpcError("BAD_REQUEST", f'Invalid URL-encoding in path "{stripped.decode("utf-8", "replace")}"')
    if _BROKEN_ESCAPE.search(stripped):
        raise refusal
    try:
        return unquote_to_bytes(stripped).decode()
    except UnicodeDecodeError:
        raise refusal from None


def _media_type(request: Request) -> str:
    declared = request.content_type
    media_type = (declared or "").partition(";")[0].strip().lower()
    if request.method == "POST" and (request.content_encoding or "identity").strip().lower() != "identity":
        # Unpacked it could be of any size.
        message = f'Unsupported content-encoding "{request.content_encoding}"; send the body as it is'
        raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)
    if media_type == JSON:
        return JSON
    if media_type in (FORM, OCTETS):
        if request.method != "POST":
            raise RpcError("METHOD_NOT_SUPPORTED", f"Only POST requests are supported for {media_type} requests")
        return media_type
    if request.method == "GET":
        return JSON
    # The missing quote is the official server's.
    message = "Missing content-type header" if declared is None else f'Unsupported content-type "{declared}'
    raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)


def _manner(request: Request, calls: tuple[Call, ...], *, batch: bool) -> Manner:
    accepted = (member.strip() for member in request.accept.split(","))
    if request.trpc_accept == _LINES or _LINES in accepted:
        if not batch:
            raise RpcError("BAD_REQUEST", "Streaming requests must be batched (you can do a batch of 1)")
        return "lines"
    procedure = calls[0].procedure
    return "events" if not batch and procedure is not None and procedure.kind == "subscription" else "whole"


def _last_event_id(request: Request, parameters: Mapping[bytes, bytes]) -> str | None:
    sent = parameters.get(b"lastEventId") or parameters.get(b"Last-Event-Id") or b""
    id = request.last_event_id or sent.decode("utf-8", "replace")
    return id if is_event_id(id) else None


def _parameters(query: bytes) -> dict[bytes, bytes]:
    parameters: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        # The first value of a repeated name counts.
        parameters.setdefault(unquote_to_bytes(name), unquote_to_bytes(value))
    return parameters


def _check_kinds(calls: tuple[Call, ...]) -> None:
    kinds = dict.fromkeys(call.procedure.kind for call in calls if call.procedure)
    if len(kinds) > 1:
        raise RpcError("BAD_REQUEST", f"Cannot mix procedure types in call: {', '.join(kinds)}")


def _connection_params(text: bytes | None) -> ConnectionParams | None:
    if text is None:
        return None
    try:
        check_text(text)
        params: ConnectionParams | None = msgspec.json.decode(text, type=ConnectionParams | None)
    except msgspec.ValidationError:
        raise RpcError("PARSE_ERROR", "Invalid connection params shape") from None
    except (msgspec.DecodeError, RecursionError, RpcError):
        raise RpcError("PARSE_ERROR", "Not JSON-parsable query params") from None
    texts: list[str] = [] if params is None else [*params.keys(), *params.values()]
    if any("\0" in text for text in texts):
        raise RpcError("PARSE_ERROR", "Invalid connection params shape")
    return params
