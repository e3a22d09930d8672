"""Who calls, by the token in the Authorization header or in the connection parameters."""

import re
from collections.abc import Mapping

from services import tokens
from services.caller import Caller
from services.errors import Unauthenticated

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


def authorization_of(headers: Mapping[str, str], connection_params: Mapping[str, str] | None) -> str | None:
    """What a request shows as its authorization: the header or, in a browser that cannot send one, a parameter.

    >>> authorization_of({}, {"token": "rc_1"}), authorization_of({}, {"authorization": "Bearer rc_1"})
    ('Bearer rc_1', 'Bearer rc_1')
    >>> authorization_of({"authorization": "Bearer rc_1"}, {"token": "rc_2"})
    'Bearer rc_1'
    """
    params = connection_params or {}
    if "authorization" in headers:
        return headers["authorization"]
    return f"Bearer {params['token']}" if "token" in params else params.get("authorization")


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
    return await tokens.authenticate(bearer[1])
