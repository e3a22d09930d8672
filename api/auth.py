"""Who calls, by the token in the Authorization header; and who is asked to say so."""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from api.rpc import Procedure
from services import tokens
from services.caller import Caller
from services.errors import Unauthenticated

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Public:
    """The policy of a procedure that anybody may call. A procedure without it is for callers with a token."""


class Called(Protocol):
    """A context that knows its caller, or raises Unauthenticated."""

    @property
    def caller(self) -> Caller: ...


async def caller_of(authorization: str | None) -> Caller:
    """The caller that an Authorization header stands for.

    Raises:
        Unauthenticated: there is no such header, it is malformed, or its token is not valid.
    """
    if authorization is None:
        raise Unauthenticated("no token was sent; send the header `Authorization: Bearer <token>`")
    bearer = _BEARER.fullmatch(authorization.strip())
    if bearer is None:
        raise Unauthenticated("the Authorization header is malformed; it should read `Bearer <token>`")
    return Caller(await tokens.authenticate(bearer[1]))


def is_public(procedure: Procedure[..., Any]) -> bool:
    """Whether anybody may call the procedure, so that nobody has to be asked who calls."""
    return isinstance(procedure.meta, Public)


def guard(context: Called, procedure: Procedure[..., Any]) -> None:
    """Nothing, when the procedure is public or we know who calls; scopes are the services' to ask for.

    Raises:
        Unauthenticated: the procedure needs a caller, and there is none.
    """
    if not is_public(procedure):
        _ = context.caller
