"""The one client for requests to places that somebody else has chosen: a model, an author of definitions, a row.

An HTTP client comes with the first request, and not before: most processes make none.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from services.outbound.errors import Unanswered
from services.outbound.guard import Guard

if TYPE_CHECKING:
    from services.outbound.asking import Asking

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

DEFAULT_MAX_BYTES = 1024 * 1024
DEFAULT_SECONDS = 30.0
_PUBLIC = Guard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer: `url` is the one that gave it, after redirects; `headers` have lower-case names, joined by commas."""

    url: str
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Outbound:
    """Requests to the outside, each within the guard. `tls` judges certificates, by default as this machine does."""

    def __init__(self, guard: Guard = _PUBLIC, *, tls: ssl.SSLContext | None = None) -> None:
        self.guard = guard
        self._tls = tls
        self._asking: Asking | None = None

    async def request(
        self,
        method: Method,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout_seconds: float = DEFAULT_SECONDS,
        follow: int = 0,
    ) -> Response:
        """The answer, whatever its status; up to `follow` redirects are gone after, without telling others' secrets.

        The time is for all of it, from the look-up of the name to the last byte.

        Raises:
            Refused: this is no URL that is asked, its host is not public and not allowed, or a header is not to be set.
            Unanswered: nobody answers, not in time, or not in HTTP.
            TooLarge: the body has more than `max_bytes`, unpacked.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._asker().answer(method, url, headers or {}, body, max_bytes=max_bytes, follow=follow)
        except TimeoutError:
            raise Unanswered(f"there was no whole answer within {timeout_seconds:g} seconds") from None

    async def close(self) -> None:
        """Close the connections that are kept for later requests."""
        if self._asking is not None:
            await self._asking.close()
            self._asking = None

    def _asker(self) -> "Asking":
        if self._asking is None:
            from services.outbound.asking import Asking

            self._asking = Asking(self.guard, self._tls)
        return self._asking
