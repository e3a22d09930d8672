"""What an operator allows: machines that are not public all the same, and names that alone may be asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from services.errors import Invalid
from services.outbound.addresses import Address, Network

_ENTRY = re.compile(r"(?P<host>[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Places that are not public and may be asked all the same: networks, and hosts, on one port or on any."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int | None]] = frozenset()

    def names(self, host: str, port: int) -> bool:
        """Whether the host, as a URL writes it, is allowed by its name, wherever that leads."""
        return (host, None) in self.hosts or (host, port) in self.hosts

    def holds(self, address: Address) -> bool:
        """Whether the address lies in one of the networks."""
        return any(address in network for network in self.networks)


NOTHING = Allowed()


def allowed(entries: Iterable[str]) -> Allowed:
    """What these entries allow: each is a host, a host and its port, an address, or a network.

    >>> allowed(["wiki.internal", "localhost:11434", "10.0.0.0/8"]).names("localhost", 11434)
    True

    Raises:
        Invalid: an entry is none of these.
    """
    networks: list[Network] = []
    hosts: set[tuple[str, int | None]] = set()
    for entry in entries:
        if (network := _network(entry)) is not None:
            networks.append(network)
        elif found := _ENTRY.fullmatch(entry.lower()):
            hosts.add((_canonical(found["host"].strip("[]")), None if found["port"] is None else int(found["port"])))
        else:
            message = "an entry is a host, a host and its port, an address or a network, such as 'localhost:11434'"
            raise Invalid(f"ROLECALL_OUTBOUND_ALLOW has {entry!r}: {message}")
    return Allowed(tuple(networks), frozenset(hosts))


def patterns(entries: Iterable[str]) -> tuple[str, ...]:
    """The names that alone may be asked, such as `api.example.com` or `*.example.com`.

    Raises:
        Invalid: an entry is no name; a `*` stands for whole labels at the beginning and nothing else.
    """
    lowered = tuple(entry.lower() for entry in entries)
    for entry in lowered:
        if not _PATTERN.fullmatch(entry):
            message = "an entry is a host, or `*.` and the end of hosts, such as '*.example.com'"
            raise Invalid(f"ROLECALL_OUTBOUND_HOSTS has {entry!r}: {message}")
    return tuple(entry.strip("[]") for entry in lowered)


def is_meant(host: str, names: Iterable[str]) -> bool:
    """Whether one of the names or patterns means the host.

    >>> is_meant("api.example.com", ["*.example.com"]), is_meant("example.com", ["*.example.com"])
    (True, False)
    """
    return any(fnmatchcase(host, name) for name in names)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry)
    except ValueError:
        return None


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host
