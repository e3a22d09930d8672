"""Users of a test's own, who log in with what they are granted and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from db.connection import connect


@dataclass(frozen=True)
class Login:
    """Somebody who can log in."""

    name: str

    def at(self, url: str) -> str:
        """The URL of the same database for this user."""
        parts = urlsplit(url)
        address = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{self.name}:{self.name}@{address}").geturl()


@asynccontextmanager
async def login(server_url: str, *groups: str, attributes: str = "") -> AsyncIterator[Login]:
    """A user in these groups, gone at the end: whatever it has made has to be gone by then."""
    found = Login(f"tester_{uuid4().hex}")
    connection = await connect(server_url)
    await connection.execute(f"CREATE ROLE {found.name} LOGIN PASSWORD '{found.name}' {attributes}")
    try:
        for group in groups:
            await connection.execute(f"GRANT {group} TO {found.name}")
        yield found
    finally:
        await connection.execute(f"DROP ROLE {found.name}")
        await connection.close()
