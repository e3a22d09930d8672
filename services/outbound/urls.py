"""URLs that may be asked at all, before it is known where their hosts are."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import httpx2

from services.outbound.addresses import Address
from services.outbound.errors import Refused

MAX_URL = 4_000

# Spaces, control characters and backslashes mean one thing to one parser and another to the next.
_PLAIN = re.compile(r"[^\x00-\x20\x7f-\x9f\\]+")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
# Other readers take a last part like this for a number, and the whole for an address (0x7f.1, 017700000001, 127.1).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: its host in lower case, as ASCII and without a last dot; `address` where it is one already."""

    url: httpx2.URL
    host: str
    port: int
    address: Address | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what credentials are for."""
        return self.url.scheme, self.host, self.port


def target_of(text: str) -> Target:
    """Where the URL leads.

    Raises:
        Refused: it is none that is asked; says what one looks like.
    """
    if len(text) > MAX_URL:
        raise Refused(f"the URL has {len(text):,} characters; up to {MAX_URL:,} are taken")
    if not _PLAIN.fullmatch(text):
        raise Refused(f"{_shown(text)} holds a space, a backslash or a control character; write them as %20, %5C …")
    try:
        url = httpx2.URL(text)
        host, port = url.raw_host.decode("ascii"), url.port
    except (httpx2.InvalidURL, ValueError) as error:
        raise Refused(f"{_shown(text)} is no URL: {error}") from None
    if url.scheme not in _DEFAULT_PORTS or not host:
        raise Refused(f"{_shown(text)} is nothing to ask: a URL begins with https:// or http:// and names a host")
    if "@" in text.partition("//")[2].partition("/")[0] or url.userinfo:
        raise Refused("a URL holds no user and no password: the part before `@` is refused")
    port = _DEFAULT_PORTS[url.scheme] if port is None else port
    if not 0 < port < 65_536:
        raise Refused(f"{_shown(text)} names the port {port}; one is from 1 to 65535")
    return _target(url, host.lower(), port, text)


def _target(url: httpx2.URL, host: str, port: int, text: str) -> Target:
    if ":" in host:
        if "%" in host:
            raise Refused(f"{_shown(text)} names an interface of this machine; leave out what follows the %")
        return Target(url, host, port, IPv6Address(host))
    name = host.removesuffix(".")
    if not _HOST.fullmatch(name):
        raise Refused(f"{_shown(text)} names a host that cannot be one")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            address = IPv4Address(name)
        except ValueError:
            raise Refused(f"{_shown(text)} writes an address in another way than 192.0.2.1") from None
        return Target(url.copy_with(host=name), name, port, address)
    return Target(url.copy_with(host=name), name, port, None)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")
