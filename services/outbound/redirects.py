"""Redirects: what is asked next when an answer leads elsewhere. Each hop is judged as if somebody had typed its URL."""

from dataclasses import dataclass, replace

import httpx2

from services.outbound import headers
from services.outbound.errors import Refused
from services.outbound.urls import Target, target_of

_STATUSES = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})
# Names what the body is; a request without one has no use for it.
_OF_THE_BODY = ("content-type", "content-language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request on its way: the headers are those that whoever asks has given."""

    method: str
    target: Target
    headers: dict[str, str]
    body: bytes


def following(asked: Asked, status: int, location: str | None) -> Asked | None:
    """What to ask next; None when the answer leads nowhere.

    Another origin is told no secret: it gets neither headers that could hold one nor a body.

    Raises:
        Refused: it leads where nothing is asked, from https to http, or would take a body to another origin.
    """
    if status not in _STATUSES or location is None:
        return None
    try:
        target = target_of(str(asked.target.url.join(location)))
    except (httpx2.InvalidURL, ValueError):
        raise Refused(f"{asked.target.host} leads on to what is no URL") from None
    if asked.target.url.scheme == "https" and target.url.scheme == "http":
        raise Refused(f"{asked.target.host} leads on from https to http, which anybody on the way could read")
    onward = replace(asked, target=target)
    if asked.method not in _SAFE and (status == 303 or (status in (301, 302) and asked.method == "POST")):
        kept = {name: value for name, value in asked.headers.items() if name not in _OF_THE_BODY}
        onward = replace(onward, method="GET", body=b"", headers=kept)
    if target.origin == asked.target.origin:
        return onward
    if onward.method not in _SAFE:
        raise Refused(f"{asked.target.host} would have the {asked.method} made again at {target.host}; ask there")
    return replace(onward, headers=headers.for_another_origin(onward.headers), body=b"")
