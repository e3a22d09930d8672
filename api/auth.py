"""Who calls, by the token in the Authorization header."""

import re

from services import tokens
from services.caller import Caller
from services.errors import Unauthenticated

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


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
