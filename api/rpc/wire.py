"""tRPC's wire as pure functions: what a request asks for, and how its answers are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import msgspec

from api.rpc.codes import RpcError
from api.rpc.procedure import Kind, Procedure
from api.rpc.router import Router
from api.rpc.text import check_text, for_javascript

ConnectionParams: TypeAlias = dict[str, str]

JSON_HEADERS = {"content-type": "application/json", "vary": "trpc-accept, accept"}

_METHODS: Mapping[Kind, tuple[str, ...]] = {"query": ("GET",), "mutation": ("POST",), "subscription": ("GET",)}
_METHODS_WITH_OVERRIDE: Mapping[Kind, tuple[str, ...]] = {
    "query": ("GET", "POST"),
    "mutation": ("POST",),
    "subscription": ("GET", "POST"),
}
_UNREAD_MEDIA_TYPES = ("multipart/form-data", "application/octet-stream")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Request:
    """The parts of an HTTP request that say what is asked: `path` is what follows the prefix, still encoded."""

    method: str
    path: bytes
    query: bytes = b""
    content_type: str | None = None
    content_encoding: str | None = None


@dataclass(frozen=True)
class Call:
    """One call of a request; there is no procedure if nothing answers to the path."""

    index: int
    path: str
    procedure: Procedure[..., Any] | None


@dataclass(frozen=True)
class Plan:
    """What a request asks for. `query_input` is the `input` of the query string, used by GET."""

    method: str
    calls: tuple[Call, ...]
    batch: bool
    connection_params: ConnectionParams | None
    query_input: bytes | None


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


def plan(router: Router, request: Request, *, max_batch: int) -> Plan:
    """What `request` asks of `router`.

    Raises:
        RpcError: the request as a whole is at fault, whatever its calls are.
    """
    path = _decoded_path(request.path)
    _check_content_type(request)
    parameters = _parameters(request.query)
    batch = parameters.get(b"batch") == b"1"
    paths = path.split(",") if batch else [path]
    if len(paths) > max_batch:
        raise RpcError("BAD_REQUEST", "Batch call exceeds maximum size")
    calls = tuple(Call(index, path, router.get(path)) for index, path in enumerate(paths))
    _check_kinds(calls)
    connection_params = _connection_params(parameters.get(b"connectionParams"))
    return Plan(request.method, calls, batch, connection_params, parameters.get(b"input"))


def refusal(router: Router, call: Call, method: str, *, allow_method_override: bool) -> RpcError | None:
    """Why a call cannot be made at all: nothing answers to its path, or not with this method."""
    if call.procedure is None:
        near = router.nearest(call.path)
        data = {"suggestion": near} if near else {}
        return RpcError("NOT_FOUND", f'No procedure found on path "{call.path}"', data=data)
    kind = call.procedure.kind
    methods = (_METHODS_WITH_OVERRIDE if allow_method_override else _METHODS)[kind]
    if method not in methods:
        message = f'Unsupported {method}-request to {kind} procedure at path "{call.path}"'
        return RpcError("METHOD_NOT_SUPPORTED", message, headers={"allow": ", ".join(methods)})
    return None


def succeeded(output: object) -> Outcome:
    """The outcome of a call that returned; UNSET leaves `data` out, which JavaScript reads as `undefined`."""
    if output is msgspec.UNSET:
        return Outcome(200, b'{"result":{}}', {})
    data = for_javascript(msgspec.json.encode(output))
    return Outcome(200, b'{"result":{"data":' + data + b"}}", {})


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


def _decoded_path(raw: bytes) -> str:
    stripped = raw.removeprefix(b"/").removesuffix(b"/")
    refusal = RpcError("BAD_REQUEST", f'Invalid URL-encoding in path "{stripped.decode("utf-8", "replace")}"')
    if _BROKEN_ESCAPE.search(stripped):
        raise refusal
    try:
        return unquote_to_bytes(stripped).decode()
    except UnicodeDecodeError:
        raise refusal from None


def _check_content_type(request: Request) -> None:
    declared = request.content_type
    media_type = (declared or "").partition(";")[0].strip().lower()
    if request.method == "POST" and (request.content_encoding or "identity").strip().lower() != "identity":
        # Unpacked it could be of any size.
        message = f'Unsupported content-encoding "{request.content_encoding}"; send the body as it is'
        raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)
    if media_type == "application/json":
        return
    if media_type in _UNREAD_MEDIA_TYPES and request.method != "POST":
        raise RpcError("METHOD_NOT_SUPPORTED", f"Only POST requests are supported for {media_type} requests")
    if request.method == "GET":
        return
    # The missing quote is the official server's.
    message = "Missing content-type header" if declared is None else f'Unsupported content-type "{declared}'
    raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)


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
