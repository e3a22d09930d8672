"""tRPC's error codes, and the one exception that carries them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Code: TypeAlias = Literal[
    "PARSE_ERROR",
    "BAD_REQUEST",
    "INTERNAL_SERVER_ERROR",
    "NOT_IMPLEMENTED",
    "BAD_GATEWAY",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
    "UNAUTHORIZED",
    "PAYMENT_REQUIRED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_SUPPORTED",
    "TIMEOUT",
    "CONFLICT",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "UNPROCESSABLE_CONTENT",
    "PRECONDITION_REQUIRED",
    "TOO_MANY_REQUESTS",
    "CLIENT_CLOSED_REQUEST",
]


class Numbers(NamedTuple):
    """What a code is called in JSON-RPC and in HTTP."""

    json_rpc: int
    http: int


CODES: Mapping[Code, Numbers] = {
    "PARSE_ERROR": Numbers(-32700, 400),
    "BAD_REQUEST": Numbers(-32600, 400),
    "INTERNAL_SERVER_ERROR": Numbers(-32603, 500),
    "NOT_IMPLEMENTED": Numbers(-32603, 501),
    "BAD_GATEWAY": Numbers(-32603, 502),
    "SERVICE_UNAVAILABLE": Numbers(-32603, 503),
    "GATEWAY_TIMEOUT": Numbers(-32603, 504),
    "UNAUTHORIZED": Numbers(-32001, 401),
    "PAYMENT_REQUIRED": Numbers(-32002, 402),
    "FORBIDDEN": Numbers(-32003, 403),
    "NOT_FOUND": Numbers(-32004, 404),
    "METHOD_NOT_SUPPORTED": Numbers(-32005, 405),
    "TIMEOUT": Numbers(-32008, 408),
    "CONFLICT": Numbers(-32009, 409),
    "PRECONDITION_FAILED": Numbers(-32012, 412),
    "PAYLOAD_TOO_LARGE": Numbers(-32013, 413),
    "UNSUPPORTED_MEDIA_TYPE": Numbers(-32015, 415),
    "UNPROCESSABLE_CONTENT": Numbers(-32022, 422),
    "PRECONDITION_REQUIRED": Numbers(-32028, 428),
    "TOO_MANY_REQUESTS": Numbers(-32029, 429),
    "CLIENT_CLOSED_REQUEST": Numbers(-32099, 499),
}


class RpcError(Exception):
    """A refusal the client may read: code and message, fields added to the envelope's `data`, response headers.

    >>> error = RpcError("TOO_MANY_REQUESTS", "ten a second", headers={"retry-after": "3"})
    >>> error.code, error.numbers.http, error.message, error.headers
    ('TOO_MANY_REQUESTS', 429, 'ten a second', {'retry-after': '3'})
    >>> RpcError("CONFLICT").message
    'CONFLICT'
    """

    def __init__(
        self,
        code: Code,
        message: str | None = None,
        *,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code: Code = code
        self.message = message or code
        self.data = dict(data or {})
        self.headers = dict(headers or {})

    @property
    def numbers(self) -> Numbers:
        """The code's JSON-RPC number and HTTP status."""
        return CODES[self.code]
