"""The guard: where a request may go, found out before anything is sent and held to while it is.

A name is looked up once, for the connection itself; each of its addresses has to be allowed, because a name that leads
to the world and to this machine at once is one that tries.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from services.outbound.addresses import Address, not_public, unwrapped
from services.outbound.allowed import NOTHING, Allowed, is_meant
from services.outbound.errors import Refused, Unanswered
from services.outbound.ports import speaks_http

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

# Names that nobody answers for hold up one another, and nothing else that this process does in threads.
_LOOK_UPS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="look up")


async def by_the_system(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as this machine looks them up.

    Raises:
        OSError: it has none, or nobody says.
    """
    found = await asyncio.get_running_loop().run_in_executor(
        _LOOK_UPS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return [str(address[0]) for *_, address in found]


def is_of_this_machine(address: Address) -> bool:
    """Whether packets to the address stay on this machine: those come from the address that they go to.

    Nothing is sent to find out.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((str(address), 9))
        except OSError:
            return False  # there is no way there at all
        return ip_address(asked.getsockname()[0].partition("%")[0]) == address


@dataclass(frozen=True, slots=True)
class Guard:
    """Where requests may go: to public addresses and to what is `allowed`; with `hosts`, to no other names than these.

    `resolve` looks a name up.
    """

    allowed: Allowed = NOTHING
    hosts: tuple[str, ...] = ()
    resolve: Resolve = by_the_system

    def check_host(self, host: str, port: int) -> None:
        """Nothing, when the host may be asked as far as its name tells.

        Raises:
            Refused: it is not among those that may be, or the port is known for another protocol.
        """
        if self.hosts and not is_meant(host, self.hosts):
            raise Refused(f"{host} is not among the hosts that may be asked: {', '.join(self.hosts)}")
        if not speaks_http(port) and not self.allowed.names(host, port):
            raise Refused(f"port {port} is known for another protocol than HTTP")

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host; every one of them may be connected to.

        Raises:
            Refused: one of them is not public, and not allowed.
            Unanswered: there are none.
        """
        self.check_host(host, port)
        found = await self._found(host, port)
        if not self.allowed.names(host, port):
            for address in found:
                what = not_public(address) or ("this machine" if is_of_this_machine(address) else None)
                if what is not None and not self.allowed.holds(unwrapped(address)):
                    # Where exactly it leads would tell whoever asks how the network within looks.
                    raise Refused(f"{host} leads to {what} and not to the public internet")
        return found

    async def _found(self, host: str, port: int) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            # An interface at the end of a link-local address says nothing about where it leads.
            found = [ip_address(text.partition("%")[0]) for text in await self.resolve(host, port)]
        except (OSError, ValueError):
            found = []
        if not found:
            raise Unanswered(f"there is no host {host}, as far as can be looked up")
        return list(dict.fromkeys(found))
