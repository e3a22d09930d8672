"""Where a browser's request comes from: our own pages, others', or nowhere that it says.

Only a cookie is sent without the sender's doing, so only what comes with a cookie is asked for its origin.
"""

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from services.settings import LOOPBACK

Source: TypeAlias = Literal["own", "foreign", "unsaid"]


def source_of(headers: Mapping[str, str], allowed_origins: Collection[str]) -> Source:
    """Whose page has sent a request with these headers, named in lower case; those of `allowed_origins` count as own.

    Browsers let no page set `Sec-Fetch-Site`; the older ones, which do not send it, send `Origin` with all but GET.

    >>> source_of({"sec-fetch-site": "same-origin"}, ())
    'own'
    >>> source_of({"origin": "https://evil.example", "host": "rolecall.example"}, ())
    'foreign'
    >>> source_of({"host": "rolecall.example"}, ())
    'unsaid'
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin in allowed_origins:
        return "own"
    if site is not None:
        return "own" if site in ("same-origin", "none") else "foreign"
    if origin is not None:
        return "own" if origin == own_origin(headers) else "foreign"
    return "unsaid"


def own_origin(headers: Mapping[str, str]) -> str:
    """Our own origin as the sender sees it. Without TLS we only answer on this machine, as far as browsers go."""
    host = headers.get("host", "")
    return f"http://{host}" if is_on_loopback(headers) else f"https://{host}"


def is_on_loopback(headers: Mapping[str, str]) -> bool:
    """Whether the sender calls us by a name that this machine has for itself.

    >>> is_on_loopback({"host": "localhost:8787"}), is_on_loopback({"host": "localhost.evil.example"})
    (True, False)
    """
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname in LOOPBACK
    except ValueError:
        return False
