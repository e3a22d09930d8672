"""The answers that all processes share: rows, each until its time is over. The database's clock decides."""

from dataclasses import dataclass

from services import connections

_AT_ONCE = 10_000
_GET = """
SELECT content, extract(epoch FROM clock_timestamp() - kept_at)::float8 AS age_seconds,
  extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_seconds
FROM answer
WHERE key = $1 AND expires_at > clock_timestamp() AND kept_at > clock_timestamp() - make_interval(secs => $2)
"""
_PUT = """
INSERT INTO answer (key, model, content, expires_at) VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
ON CONFLICT (key) DO UPDATE SET model = EXCLUDED.model, content = EXCLUDED.content, kept_at = EXCLUDED.kept_at,
  expires_at = EXCLUDED.expires_at
"""
_FORGET = """
WITH forgotten AS (
  DELETE FROM answer WHERE key IN (
    SELECT key FROM answer WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED
  ) RETURNING 1
) SELECT count(*) AS forgotten FROM forgotten
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer as JSON, how old it is and how long it is kept on."""

    content: bytes
    age_seconds: float
    left_seconds: float


async def get(key: str, *, ttl_seconds: float) -> Stored | None:
    """What was kept under the key for no longer than that, if there is such."""
    # By the server's own rights: what others were answered is nothing for agents to read.
    rows = await connections.database().statements.fetch(_GET, key, ttl_seconds)
    return Stored(rows[0]["content"].encode(), rows[0]["age_seconds"], rows[0]["left_seconds"]) if rows else None


async def put(key: str, model: str, content: bytes, *, ttl_seconds: float) -> None:
    """Keep an answer for so long, in the place of what was kept under its key."""
    await connections.database().statements.fetch(_PUT, key, model, content.decode(), ttl_seconds)


async def forget() -> None:
    """Let go of what is over."""
    while True:
        (row,) = await connections.database().statements.fetch(_FORGET, _AT_ONCE)
        if row["forgotten"] < _AT_ONCE:
            return
