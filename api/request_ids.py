"""Request ids: taken from the request or made, given back with the answer, and written into our log."""

from typing import Any

from litestar.types import Message, Scope

from api.rpc import request_id_from

HEADER = b"x-request-id"

_STATE = "request_id"


def request_id_of(scope: Scope) -> str:
    """The id of a request: the one that it came with, if that is sane, or a new one."""
    state: dict[str, Any] = scope.setdefault("state", {})
    if _STATE not in state:
        sent = next((value for name, value in scope["headers"] if name.lower() == HEADER), b"")
        state[_STATE] = request_id_from(sent.decode("latin-1"))
    return state[_STATE]


async def give_back(message: Message, scope: Scope) -> None:
    """Put the request's id on the head of its answer; the RPC endpoint has ids of its own."""
    if message["type"] == "http.response.start" and not scope["path"].startswith("/trpc"):
        message["headers"] = [*message["headers"], (HEADER, request_id_of(scope).encode())]
