"""Which pages in a browser may open a socket: browsers ask nobody before they do, they only say whose page it is."""

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def is_foreign(origin: str | None, host: str | None, allowed_origins: Collection[str]) -> bool:
    """Whether `origin` is neither allowed nor that of the `host` that was asked. Programs have no origin and may.

    `*` allows all; a page of another origin has to show a token then, as for requests.

    >>> is_foreign("https://elsewhere.example", "rolecall.example", ["https://app.example"])
    True
    >>> is_foreign("https://rolecall.example", "rolecall.example:443", [])
    False
    >>> is_foreign("https://elsewhere.example", "rolecall.example", ["*"])
    False
    >>> is_foreign("null", "rolecall.example", []), is_foreign(None, "rolecall.example", [])
    (True, False)
    """
    if origin is None or origin in allowed_origins or "*" in allowed_origins:
        return False
    try:
        # Behind a proxy the scheme of the request is not the page's, so the page's port stands for it.
        default_port = _DEFAULT_PORTS.get(urlsplit(origin).scheme)
        page, asked = (_place(netloc, default_port) for netloc in (urlsplit(origin).netloc, host or ""))
    except ValueError:
        return True
    return page.hostname is None or page != asked


class _Place(NamedTuple):
    hostname: str | None
    port: int | None


def _place(netloc: str, default_port: int | None) -> _Place:
    parts = urlsplit(f"//{netloc}")
    return _Place(parts.hostname, parts.port or default_port)
