"""Anchoring: the head of the audit, told to a file and a webhook whenever it has moved, once a minute at most.

One row of the database says what was anchored last and who is at it, for all processes: whoever takes a turn holds no
lock while it writes and posts, and one that dies leaves the turn to the next. So the same head may be told twice.
"""

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services import connections
from services.audit.anchors import Anchor, anchor_of, private_key
from services.audit.entries import Head, shown
from services.errors import Unavailable
from services.models.wire import is_loopback
from services.settings import Settings

_POST_SECONDS = 10.0
# Whoever has slept until the next turn may be a moment early by the database's clock.
_EARLY = 0.9

_TAKE_TURN = """
INSERT INTO audit_anchor AS last (taken_at) VALUES (clock_timestamp())
ON CONFLICT (is_only) DO UPDATE SET taken_at = clock_timestamp()
  WHERE last.taken_at <= clock_timestamp() - make_interval(secs => $1)
RETURNING hash, taken_at
"""
_HEAD = """
SELECT seq, hash, at, (SELECT hash FROM audit ORDER BY seq LIMIT 1) AS chain FROM audit ORDER BY seq DESC LIMIT 1
"""
_DONE = "UPDATE audit_anchor SET seq = $1, hash = $2, problem = NULL"
_FAILED = "UPDATE audit_anchor SET problem = $1"

_log = logging.getLogger(__name__)


class _NotKept(Exception):
    """An anchor could not be put where it should be kept; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """Where the head is told, signed with the key."""

    key: Ed25519PrivateKey
    file: Path | None
    url: str | None
    seconds: float

    async def run(self) -> None:
        """Tell the head whenever it has moved, until cancelled."""
        while True:
            try:
                await self.take_turn()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable, OSError, TimeoutError) as error:
                _log.warning("the head of the audit is anchored later: %r", error)
            await asyncio.sleep(self.seconds)

    async def take_turn(self) -> Anchor | None:
        """Tell the head, if it has moved and nobody else has told one lately; what was told then.

        What cannot be kept is said in the log and by `system.health`, and told again in the next turn.
        """
        pool = connections.pool()
        turn = await pool.fetchrow(_TAKE_TURN, self.seconds * _EARLY)
        row = None if turn is None else await pool.fetchrow(_HEAD)
        if turn is None or row is None or row["hash"] == turn["hash"]:
            return None
        anchor = self._signed(row, turn["taken_at"])
        try:
            await self._keep(anchor)
        except _NotKept as problem:
            _log.warning("the head of the audit is not anchored: %s", problem)
            await pool.execute(_FAILED, str(problem))
            return None
        await pool.execute(_DONE, row["seq"], row["hash"])
        return anchor

    def _signed(self, row: asyncpg.Record, at: datetime) -> Anchor:
        head = Head(seq=row["seq"], hash=shown(row["hash"]), at=row["at"])
        return anchor_of(head, chain=shown(row["chain"]), at=at, key=self.key)

    async def _keep(self, anchor: Anchor) -> None:
        if self.file is not None:
            await asyncio.to_thread(_append, self.file, anchor.line() + b"\n")
        if self.url is not None:
            await _post(self.url, anchor.line())


def anchoring_of(settings: Settings, *, key_file: Path) -> Anchoring:
    """How a process with these settings anchors, with the key in that file.

    Raises:
        Invalid: the key cannot be used.
    """
    return Anchoring(
        key=private_key(key_file),
        file=None if settings.audit_anchor_file is None else Path(settings.audit_anchor_file),
        url=settings.audit_anchor_url,
        seconds=settings.audit_anchor_seconds,
    )


def _append(file: Path, line: bytes) -> None:
    """Put the line at the end of the file, on the disk itself.

    Raises:
        _NotKept: it cannot be written; nothing of it is left there.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)
                raise _NotKept("there is no room for the file")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _NotKept(f"the file cannot be written: {error.strerror}") from None


async def _post(url: str, line: bytes) -> None:
    """Post the line.

    Raises:
        _NotKept: nobody takes it.
    """
    # No proxy has a say in what stays on this machine.
    uses_proxy = not is_loopback(url)
    try:
        async with (
            asyncio.timeout(_POST_SECONDS),
            httpx2.AsyncClient(timeout=_POST_SECONDS, trust_env=uses_proxy) as client,
            # The head of the answer says all there is to know.
            client.stream("POST", url, content=line, headers={"content-type": "application/json"}) as answer,
        ):
            status = answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
        raise _NotKept(f"the webhook does not answer: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise _NotKept(f"the webhook answers {status}")
