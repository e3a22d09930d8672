"""What the database says when it refuses a statement, as a value."""

from dataclasses import dataclass

import asyncpg

# How triggers refuse a change that the present state does not allow; a value that is never right is a 23514.
WRONG_STATE = "55000"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A refused statement. `rule` is the name of the constraint or of the trigger's rule, if it was one of those."""

    rule: str | None
    table: str | None
    sqlstate: str
    message: str
    hint: str | None


def refusal_of(error: asyncpg.PostgresError) -> Refusal:
    """What `error` says, so that a service can answer by rule.

    >>> error = asyncpg.CheckViolationError("no such kind")
    >>> error.constraint_name = "token__kind"
    >>> refusal_of(error).rule
    'token__kind'
    """
    return Refusal(
        rule=getattr(error, "constraint_name", None),
        table=getattr(error, "table_name", None),
        sqlstate=getattr(error, "sqlstate", None) or "",
        message=getattr(error, "message", None) or str(error),
        hint=getattr(error, "hint", None),
    )
