"""Request ids: taken from the request or made, given back with the answer, and written into our log."""

import re
import uuid
from typing import Any

from litestar.types import Message, Scope

HEADER = b"x-request-id"

_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_STATE = "request_id"


def request_id_of(scope: Scope) -> str:
    """The id of a request: the one that it came with, if that is sane, or a new one."""
    state: dict[str, Any] = scope.setdefault("state", {})
    if _STATE not in state:
        sent = next((value for name, value in scope["headers"] if name.lower() == HEADER), b"")
        state[_STATE] = sent.decode() if _SANE.fullmatch(sent) else uuid.uuid4().hex
    return state[_STATE]


async def give_back(message: Message, scope: Scope) -> None:
    """Put the request's id on the head of its answer; the RPC endpoint has ids of its own."""
    if message["type"] == "http.response.start" and not scope["path"].startswith("/trpc"):
        message["headers"] = [*message["headers"], (HEADER, request_id_of(scope).encode())]
