"""Headers: which of them somebody may give, which go along to another origin, and which of an answer are told."""

import re
from collections.abc import Mapping

from services.outbound.errors import Refused

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
# A tab apart, no control character: a line's end would begin a header, or a request, of somebody else's making.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
_MAX_HEADERS = 100

# Those that say how the message is carried; the client writes them.
_OF_THE_CLIENT = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "te",
        "trailer", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip
# Those that tell the machines on the way who asks for what: they would take it from us.
_OF_THE_WAY = ("proxy-", "sec-", "x-forwarded-", "x-original-", "x-rewrite-", "x-http-method")
# What holds no secret and says nothing that is meant for one origin alone.
_FOR_ANYBODY = frozenset({"accept", "accept-language", "content-language", "content-type", "user-agent"})
# What of an answer is for the machine that has asked, and would let a reader act in its place.
_NOT_TOLD = frozenset(
    {
        "authentication-info", "authorization", "cookie", "proxy-authenticate", "proxy-authentication-info",
        "proxy-authorization", "set-cookie", "set-cookie2", "www-authenticate", "x-api-key", "x-auth-token",
        "x-csrf-token", "x-xsrf-token",
    }
)  # fmt: skip


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """The headers that somebody gives, their names in lower case.

    Raises:
        Refused: one of them is none, or not for whoever asks to set; says which.
    """
    if len(given) > _MAX_HEADERS:
        raise Refused(f"a request has {len(given)} headers; up to {_MAX_HEADERS} are sent")
    headers: dict[str, str] = {}
    for name, value in given.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            raise Refused(f"{name[:100]!r} is no name of a header")
        if lower in _OF_THE_CLIENT or lower.startswith(_OF_THE_WAY):
            raise Refused(f"the header {lower} is not for whoever asks to set; leave it out")
        if not _VALUE.fullmatch(value):
            raise Refused(f"the value of the header {lower} holds a character that no header does, or is too long")
        if lower in headers:
            raise Refused(f"the header {lower} is given twice")
        headers[lower] = value
    return headers


def for_another_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """What of a request's headers goes along when an answer leads to another origin: nothing that could be a secret."""
    return {name: value for name, value in headers.items() if name in _FOR_ANYBODY}


def told(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer as they are told on, without cookies and credentials.

    >>> told({"content-type": "text/plain", "set-cookie": "id=1"})
    {'content-type': 'text/plain'}
    """
    return {name: value for name, value in headers.items() if name not in _NOT_TOLD}
