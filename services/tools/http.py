"""`http.get` and `http.request`: one request to a public place, through the guarded client.

They are two, so that a role can be given the one without the other: to look something up is not to do something.
"""

import base64
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Meta

from services.json import Json
from services.outbound import Method, Outbound, OutboundError, Refused, Response, TooLarge
from services.outbound import headers as header_rules
from services.tools import texts
from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_BYTES = 512 * 1024
MAX_BODY_BYTES = 256 * 1024
_MAX_REDIRECTS = 5
_MAX_QUOTED = 500
# What may pass by itself: not now, too early, too often.
_PASSING = frozenset({408, 425, 429})

Url: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4_000, description="Begins with https:// or http://.")]
Headers: TypeAlias = Annotated[
    dict[str, str] | None, Meta(description='Headers to send, such as {"accept": "application/json"}.')
]
Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=120, description="For all of it, up to 120.")]
AnyStatus: TypeAlias = Annotated[bool, Meta(description="Give back the answer also when its status is 400 or more.")]
Changing: TypeAlias = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], Meta(description="What is done to the URL.")
]


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a server answers: as JSON where that is what it says and is, else as text, else as base64.

    `url` is the one that gave the answer, after redirects. Cookies and credentials are left out of the headers.
    """

    url: str
    status: int
    headers: dict[str, str]
    json: Json = None
    text: str | None = None
    base64: str | None = None


def tools(outbound: Outbound) -> tuple[Tool, ...]:
    """The tools that ask over HTTP, within the guard of `outbound`."""

    @tool("http.get", effect="read", security="medium")
    async def get(
        context: ToolContext,
        *,
        url: Url,
        headers: Headers = None,
        timeout_seconds: Seconds = 30.0,
        any_status: AnyStatus = False,
    ) -> HttpAnswer:
        """Get a URL on the public internet: its status, headers and `json`, `text` or `base64` of up to 512 KiB.
        Redirects are followed. A status of 400 or more is an error, unless `anyStatus` is set.
        """
        return await _asked(outbound, "GET", url, headers or {}, b"", timeout_seconds, any_status=any_status)

    @tool("http.request", effect="external", security="high")
    async def request(
        context: ToolContext,
        *,
        method: Changing,
        url: Url,
        headers: Headers = None,
        json: Annotated[Json, Meta(description="The body, as JSON. Not with `body`.")] = None,
        body: Annotated[str | None, Meta(description="The body, as text. Not with `json`.")] = None,
        timeout_seconds: Seconds = 30.0,
        any_status: AnyStatus = False,
    ) -> HttpAnswer:
        """Make a request that does something on the public internet, such as a POST of `json`; to look something up,
        use `http.get`. Gives back status, headers and `json`, `text` or `base64`. A status of 400 or more is an error,
        unless `anyStatus` is set.

        A repetition of the same call carries the same Idempotency-Key, which not every server heeds.
        """
        sent, content = _body(json, body)
        own = (
            {}
            if method in ("GET", "HEAD", "OPTIONS")
            else {"idempotency-key": quote(context.idempotency_key, safe="/[]")}
        )
        given = {name.lower(): value for name, value in (headers or {}).items()}
        return await _asked(outbound, method, url, own | content | given, sent, timeout_seconds, any_status=any_status)

    return (get, request)


async def _asked(
    outbound: Outbound,
    method: Method,
    url: str,
    headers: dict[str, str],
    body: bytes,
    timeout_seconds: float,
    *,
    any_status: bool,
) -> HttpAnswer:
    try:
        response = await outbound.request(
            method,
            url,
            headers,
            body,
            max_bytes=MAX_BYTES,
            timeout_seconds=timeout_seconds,
            follow=_MAX_REDIRECTS if method in ("GET", "HEAD") else 0,
        )
    except OutboundError as error:
        raise tool_error(error) from None
    if response.status >= 400 and not any_status:
        raise _status_error(method, response)
    return _answer(response)


def tool_error(error: OutboundError) -> ToolError:
    """The error as a tool tells it; what is refused or too large is so again."""
    return ToolError(str(error), is_final=isinstance(error, Refused | TooLarge))


def _status_error(method: Method, response: Response) -> ToolError:
    said = texts.decoded(response.body, response.headers.get("content-type", ""))
    quoted = f": {said[:_MAX_QUOTED]}" if said else ""
    is_final = response.status < 500 and response.status not in _PASSING
    message = f"{method} {response.url} is answered with {response.status} {response.reason}{quoted}"
    return ToolError(message, is_final=is_final)


def _answer(response: Response) -> HttpAnswer:
    kind = response.headers.get("content-type", "")
    text = texts.decoded(response.body, kind)
    answer = HttpAnswer(url=response.url, status=response.status, headers=header_rules.told(response.headers))
    if text is None:
        return msgspec.structs.replace(answer, base64=base64.b64encode(response.body).decode())
    if texts.is_json(kind):
        try:
            return msgspec.structs.replace(answer, json=msgspec.json.decode(text))
        except (msgspec.DecodeError, RecursionError):
            pass  # it says that it is JSON, and is not
    return msgspec.structs.replace(answer, text=text)


def _body(json: Json, body: str | None) -> tuple[bytes, dict[str, str]]:
    """The body with the header that says what it is.

    Raises:
        ToolError: there are two, or it is too large.
    """
    if json is not None and body is not None:
        raise ToolError("a request has one body: either `json` or `body`", is_final=True)
    sent = msgspec.json.encode(json) if json is not None else (body or "").encode()
    if len(sent) > MAX_BODY_BYTES:
        raise ToolError(f"the body has {len(sent):,} bytes; up to {MAX_BODY_BYTES:,} are sent", is_final=True)
    if json is not None:
        return sent, {"content-type": "application/json"}
    return sent, {"content-type": "text/plain; charset=utf-8"} if sent else {}
