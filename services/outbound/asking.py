"""One request after the other over guarded connections, until an answer leads nowhere else."""

import ssl
from collections.abc import Mapping
from importlib.metadata import version

import httpx2

from services.outbound import bodies, headers
from services.outbound.client import Response
from services.outbound.errors import Refused, Unanswered
from services.outbound.guard import Guard
from services.outbound.redirects import Asked, following
from services.outbound.transport import GuardedTransport
from services.outbound.urls import target_of

_OURS = {"user-agent": f"rolecall/{version('rolecall')}", "accept": "*/*", "accept-encoding": "gzip"}
# The time for all of it is bounded by whoever asks; these free a connection whose other end has gone silent.
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0).as_dict()


class Asking:
    """Asks over connections that it keeps for a while. No cookie, proxy or password of this machine takes part."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext | None) -> None:
        self._guard = guard
        self._transport = GuardedTransport(guard, tls=tls)

    async def answer(
        self, method: str, url: str, given: Mapping[str, str], body: bytes, *, max_bytes: int, follow: int
    ) -> Response:
        """As `Outbound.request`, without its end in time."""
        asked = Asked(method=method, target=target_of(url), headers=headers.checked(given), body=body)
        for _ in range(follow + 1):
            self._guard.check_host(asked.target.host, asked.target.port)
            found = await self._asked(asked, max_bytes, is_followed=follow > 0)
            if isinstance(found, Response):
                return found
            asked = found
        raise Refused(f"there were more than {follow} redirects, the last to {asked.target.host}")

    async def close(self) -> None:
        """Close what is kept open."""
        await self._transport.aclose()

    async def _asked(self, asked: Asked, max_bytes: int, *, is_followed: bool) -> Response | Asked:
        """The answer to one request, or what is to be asked next."""
        request = httpx2.Request(
            asked.method,
            asked.target.url,
            headers={**_OURS, **asked.headers},
            content=asked.body or None,
            extensions={"timeout": _TIMEOUT},
        )
        try:
            response = await self._transport.handle_async_request(request)
            try:
                location = response.headers.get("location") if is_followed else None
                onward = following(asked, response.status_code, location)
                return onward if onward is not None else await _read(asked, response, max_bytes)
            finally:
                await response.aclose()
        except httpx2.TransportError as error:
            raise Unanswered(f"{asked.target.host} {_said(error)}") from None


async def _read(asked: Asked, response: httpx2.Response, max_bytes: int) -> Response:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    return Response(
        url=str(asked.target.url),
        status=response.status_code,
        reason=response.reason_phrase,
        headers={name: ", ".join(response.headers.get_list(name)) for name in response.headers},
        body=await bodies.read(response.aiter_raw(), encoding, max_bytes),
    )


def _said(error: httpx2.TransportError) -> str:
    """What went wrong, without the addresses that the errors themselves name."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return "cannot be connected to"
        case httpx2.TimeoutException():
            return "has fallen silent"
        case httpx2.ProtocolError():
            return "does not answer in HTTP"
        case _:
            return "has broken the connection off"
