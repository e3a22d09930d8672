"""What browsers of other origins are told they may do."""

from collections.abc import Collection, Mapping

_METHODS = "GET,POST,OPTIONS"
_HEADERS = "content-type,trpc-accept,authorization,last-event-id"


def cors_headers(allowed_origins: Collection[str], origin: str | None) -> Mapping[str, str]:
    """Headers of a response to `origin`; none when it is not allowed.

    >>> cors_headers(["https://a.example"], "https://b.example")
    {}
    >>> cors_headers(["https://a.example"], "https://a.example")
    {'access-control-allow-origin': 'https://a.example'}
    """
    return {"access-control-allow-origin": origin} if origin is not None and origin in allowed_origins else {}


def preflight_headers(allowed_origins: Collection[str], origin: str | None) -> Mapping[str, str]:
    """Headers of the answer to a preflight from `origin`; none when it is not allowed."""
    allowed = cors_headers(allowed_origins, origin)
    if not allowed:
        return {}
    return {**allowed, "access-control-allow-methods": _METHODS, "access-control-allow-headers": _HEADERS}
