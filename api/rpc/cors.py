"""What browsers of other origins are told they may do."""

from collections.abc import Collection, Mapping

_METHODS = "GET,POST,OPTIONS"
_HEADERS = "content-type,trpc-accept,authorization,last-event-id,x-request-id"
_EXPOSED = "x-request-id,retry-after"
# As long as the most patient browser remembers it.
_MAX_AGE_SECONDS = "7200"

ANY_ORIGIN = "*"


def cors_headers(allowed_origins: Collection[str], origin: str | None) -> Mapping[str, str]:
    """Headers of a response to `origin`. Only one that is allowed by name may send credentials of the browser's.

    >>> cors_headers(["https://a.example"], "https://a.example")["access-control-allow-credentials"]
    'true'
    >>> cors_headers(["https://a.example"], "https://b.example")
    {'vary': 'origin'}
    >>> cors_headers(["*"], "https://b.example")["access-control-allow-origin"]
    '*'
    """
    if not allowed_origins:
        return {}
    if origin is not None and origin in allowed_origins and origin != ANY_ORIGIN:
        granted = {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
    elif ANY_ORIGIN in allowed_origins:
        granted = {"access-control-allow-origin": ANY_ORIGIN}
    else:
        return {"vary": "origin"}
    return {**granted, "access-control-expose-headers": _EXPOSED, "vary": "origin"}


def preflight_headers(allowed_origins: Collection[str], origin: str | None) -> Mapping[str, str]:
    """What the answer to a preflight from `origin` says besides; nothing when it is not allowed."""
    if "access-control-allow-origin" not in cors_headers(allowed_origins, origin):
        return {}
    return {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": _HEADERS,
        "access-control-max-age": _MAX_AGE_SECONDS,
    }
