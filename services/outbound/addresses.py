"""Which addresses belong to the public internet, judged by the one that an address stands for in the end.

The table is ours: what `ipaddress` calls private or global differs from one Python to the next, and it follows no
address through a translation.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NOT_PUBLIC: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this machine"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a provider's inner network"),
        ("127.0.0.0/8", "this machine"),
        ("169.254.0.0/16", "this link, where clouds tell a machine its secrets"),
        # Azure's own service on every virtual machine, in the midst of public addresses.
        ("168.63.129.16/32", "this link, where clouds tell a machine its secrets"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "a protocol of its own"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "a protocol of its own"),
        ("192.52.193.0/24", "a protocol of its own"),
        ("192.88.99.0/24", "a translation that is no longer used"),
        ("192.168.0.0/16", "a private network"),
        ("192.175.48.0/24", "a protocol of its own"),
        ("198.18.0.0/15", "measurements"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "many receivers at once"),
        ("240.0.0.0/4", "nobody so far"),
        # Within what is routed at all, see _ROUTED.
        ("2001::/23", "a protocol of its own"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "a translation that is no longer used"),
        ("2620:4f:8000::/48", "a protocol of its own"),
        ("3fff::/20", "documentation"),
    )
)
# Nothing else of IPv6 is handed out: loopback, link-local, unique local, multicast and all that may come lie outside.
_ROUTED = IPv6Network("2000::/3")
# What translators of today put an IPv4 address into, as its last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")
# The last 64 bits of an address that carries an IPv4 address through a tunnel (ISATAP).
_TUNNELLED = (0x0000_5EFE, 0x0200_5EFE)
_LOW_32 = 0xFFFF_FFFF


def unwrapped(address: Address) -> Address:
    """The address that packets to `address` go to in the end: a translator's prefix is taken off.

    >>> unwrapped(IPv6Address("::ffff:127.0.0.1")), unwrapped(IPv6Address("64:ff9b::7f00:1"))
    (IPv4Address('127.0.0.1'), IPv4Address('127.0.0.1'))
    """
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & _LOW_32) if address in _NAT64 else address


def not_public(address: Address) -> str | None:
    """What `address` is for, when that is not the public internet.

    >>> not_public(IPv4Address("10.1.2.3")), not_public(IPv4Address("93.184.215.14"))
    ('a private network', None)
    """
    address = unwrapped(address)
    if isinstance(address, IPv6Address):
        if address not in _ROUTED:
            return "this machine or what is near it"
        if (int(address) >> 32) & _LOW_32 in _TUNNELLED:
            return "a tunnel"
    return next((what for network, what in _NOT_PUBLIC if address in network), None)
