"""The process's open database and what watches over it: set by the runtime, used by every service."""

from dataclasses import dataclass

import asyncpg

from db.connection import Database
from services.credential_watch import CredentialWatch
from services.engine.feed import Feed
from services.engine.notifier import Notifier
from services.errors import Unavailable


@dataclass(slots=True)
class _Process:
    database: Database | None = None
    notifier: Notifier | None = None
    feed: Feed | None = None
    credential_watch: CredentialWatch | None = None


_process = _Process()


def use(
    database: Database | None,
    notifier: Notifier | None,
    feed: Feed | None = None,
    credential_watch: CredentialWatch | None = None,
) -> None:
    """Let the services of this process use `database`; None when it is closed."""
    _process.database, _process.notifier = database, notifier
    _process.feed, _process.credential_watch = feed, credential_watch


def database() -> Database:
    """The open database.

    Raises:
        Unavailable: none is open.
    """
    if _process.database is None:
        raise Unavailable("the database is not open")
    return _process.database


def pool() -> asyncpg.Pool:
    """The pool for statements of our own, with the rights of whoever acts. jsonb is text both ways."""
    return database().acting_pool()


def notifier() -> Notifier | None:
    """What tells this process that something has come up; None when nothing does."""
    return _process.notifier


def hint() -> None:
    """Tell the workers, here and elsewhere, that there is something to do."""
    if _process.notifier is not None:
        _process.notifier.hint()


def feed() -> Feed:
    """The feed of those who follow.

    Raises:
        Unavailable: there is none.
    """
    if _process.feed is None:
        raise Unavailable("nothing can be followed here")
    return _process.feed


def credential_watch() -> CredentialWatch:
    """What looks again at the tokens of those who follow.

    Raises:
        Unavailable: there is none.
    """
    if _process.credential_watch is None:
        raise Unavailable("nobody with a token can follow here")
    return _process.credential_watch
