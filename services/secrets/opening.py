"""The values of secrets, for the parts of this process that send them somewhere."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from asyncpg import Record

from services import connections
from services.secrets.hosts import may_go_to
from services.secrets.keeping import bound_to, keyring
from services.secrets.keyring import Unreadable
from services.secrets.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A secret with where it may be sent; or why it cannot be read."""

    value: Secret | None
    hosts: tuple[str, ...]
    problem: str | None = None

    def for_url(self, url: str) -> Secret:
        """The value, to be sent to `url`.

        Raises:
            Unreadable: it cannot be read, or may not be sent there; says where it may.
        """
        if self.value is None:
            raise Unreadable(self.problem or "it cannot be read")
        if not may_go_to(url, self.hosts):
            raise Unreadable(f"it may be sent to {', '.join(self.hosts) or 'no host'}, and not to {url}")
        return self.value


async def opened(names: Collection[str]) -> Mapping[str, Opened]:
    """The secrets of these names, as far as there are any."""
    query = "SELECT id, name, value, hosts FROM secret WHERE name = ANY($1)"
    return {row["name"]: _opened(row) for row in await connections.database().fetch(query, list(names))}


def _opened(row: Record) -> Opened:
    hosts = tuple(row["hosts"])
    try:
        return Opened(value=keyring().open(row["value"], bound_to(row["id"], hosts)), hosts=hosts)
    except Unreadable as error:
        return Opened(value=None, hosts=hosts, problem=str(error))
