"""Ollama: where it is, and which models it has."""

import http.client
from urllib.parse import urlsplit

import msgspec

from services.failure import failed

_PORT = 11434
_PROBE_SECONDS = 0.5
_MAX_PROBE_BYTES = 1_000_000


def url_of(host: str) -> str:
    """The OpenAI-compatible address for an OLLAMA_HOST, which may be a URL, a host, a port or nothing.

    >>> url_of(""), url_of("0.0.0.0"), url_of("http://gpu.local:8080/")
    ('http://127.0.0.1:11434/v1', 'http://127.0.0.1:11434/v1', 'http://gpu.local:8080/v1')

    Raises:
        Failed: NO_MODEL when it is none of these.
    """
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        port = parts.port or ({"https": 443, "http": 80}[parts.scheme] if "://" in host else _PORT)
    except (ValueError, KeyError):
        message = f"OLLAMA_HOST is {host!r}; write a host, host:port or a URL such as http://127.0.0.1:{_PORT}"
        raise failed("NO_MODEL", message) from None
    name = parts.hostname or "127.0.0.1"
    # What a server listens on is not an address a client can call.
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else f"[{name}]" if ":" in name else name  # noqa: S104
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}/v1"


def models_at(url: str) -> list[str]:
    """The models an Ollama at `url` has, in its order; none when nobody answers there."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/models")
        response = connection.getresponse()
        body = response.read(_MAX_PROBE_BYTES)
        return [entry.id for entry in msgspec.json.decode(body, type=_Listing).data or []]
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    finally:
        connection.close()


class _Listed(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    data: list[_Listed] | None = None
