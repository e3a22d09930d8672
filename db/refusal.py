"""What the database says when it refuses a statement, as a value."""

from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A refused statement. `rule` is the name of the constraint or of the trigger's rule, if it was one of those."""

    rule: str | None
    message: str
    hint: str | None

    def __str__(self) -> str:
        """The message with its hint: ours name the thing, and what to do instead."""
        return self.message + (f" ({self.hint})" if self.hint else "")


def refusal_of(error: asyncpg.PostgresError) -> Refusal:
    """What `error` says, so that it can be told by rule.

    >>> error = asyncpg.CheckViolationError("no such kind")
    >>> error.constraint_name, error.message, error.hint = "token__kind", "no such kind", "There are three."
    >>> refusal_of(error).rule, str(refusal_of(error))
    ('token__kind', 'no such kind (There are three.)')
    """
    return Refusal(
        rule=getattr(error, "constraint_name", None),
        message=getattr(error, "message", None) or str(error),
        hint=getattr(error, "hint", None),
    )
