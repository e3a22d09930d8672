"""Where a secret may be sent: hosts, each with its port where that is not the usual one."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

_HOST = re.compile(r"([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_USUAL = {"https": 443, "http": 80}


def is_host(text: str) -> bool:
    """Whether `text` names a host, in small letters.

    >>> [is_host(text) for text in ("api.openai.com", "10.0.0.7:8000", "[::1]:11434", "https://x", "*.com", "A.com")]
    [True, True, True, False, False, False]
    """
    return len(text) <= 100 and _HOST.fullmatch(text) is not None


def host_of(url: str) -> str:
    """The host that `url` leads to, as lists of hosts have it; empty when it leads to none.

    >>> [host_of(url) for url in ("https://API.openai.com/v1", "https://[::1]:8443/", "http://gpu:80", "gpu:80")]
    ['api.openai.com', '[::1]:8443', 'gpu', '']
    """
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not name or parts.scheme not in _USUAL:
        return ""
    shown = f"[{name}]" if ":" in name else name
    return shown if port in (None, _USUAL[parts.scheme]) else f"{shown}:{port}"


def may_go_to(url: str, hosts: Collection[str]) -> bool:
    """Whether what may be sent to `hosts` may be sent to `url`."""
    host = host_of(url)
    return bool(host) and host in hosts
