"""Attribution: what a transaction changes is put down to who acts, for the audit that is written as it commits."""

from piccolo.engine.postgres import PostgresTransaction

from db.acting import acting

_PUT_DOWN = "SELECT set_config('rolecall.actor', $1, true), set_config('rolecall.channel', $2, true)"


class AttributedTransaction(PostgresTransaction):
    """A transaction over tables, whose changes are put down to who acts as it begins."""

    async def begin(self) -> None:
        try:
            await super().begin()
            if (who := acting()) is not None:
                await self.connection.fetch(_PUT_DOWN, who.actor, who.channel)
        except BaseException:
            # Nobody gives back a connection whose transaction has not begun, and how it stands is not known.
            self.connection.terminate()
            if self.engine.pool is not None:
                await self.engine.pool.release(self.connection)
            raise


def attributed(statement: str, values: int) -> str:
    """The statement, which gives back the rows that it has changed and takes that many values, and within the same
    round trip whom they are put down to: two more values, the actor and the channel.

    >>> print(attributed("UPDATE t SET a = $1 RETURNING a", 1))
    WITH written AS (UPDATE t SET a = $1 RETURNING a)
    SELECT written.* FROM written,
      (SELECT set_config('rolecall.actor', $2, true), set_config('rolecall.channel', $3, true)) AS acting
    """
    settings = f"set_config('rolecall.actor', ${values + 1}, true), set_config('rolecall.channel', ${values + 2}, true)"
    return f"WITH written AS ({statement})\nSELECT written.* FROM written,\n  (SELECT {settings}) AS acting"
