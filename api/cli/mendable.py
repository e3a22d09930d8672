"""What a person at a terminal can mend, in words."""

import asyncpg

from db.connection import CannotOpen
from db.embedded import EmbeddedError
from services.errors import Invalid, ServiceError
from services.failure import Failed
from services.problem import Problem

_SHOWN_ALLOWED = 8


class Unusable(Exception):
    """Something that was given on the command line cannot be used; the message says what and why."""


def lines_about(error: BaseException) -> list[str]:
    """What to tell the user about `error`; nothing when it is a fault of ours."""
    match error:
        case Invalid(message=message, problems=problems) if problems:
            return [f"rolecall: {message}:", *(f"  {line_about(problem)}" for problem in problems)]
        case ServiceError() | CannotOpen() | EmbeddedError() | Unusable() | Failed():
            return [f"rolecall: {error}"]
        case asyncpg.PostgresConnectionError() | asyncpg.InterfaceError() | ConnectionError():
            return [f"rolecall: the database is away: {error}; started executions continue with the next worker"]
        case BaseExceptionGroup(exceptions=inner):
            found = [lines_about(one) for one in inner]
            return found[0] if all(found) else []
        case _:
            return []


def line_about(problem: Problem) -> str:
    """A problem on one line.

    >>> line_about(Problem(code="UNKNOWN_ROLE", path="/steps/0/roleName", message="there is no role 'Reeder'",
    ...     allowed=("Reader", "Editor"), suggestion="Reader"))
    "/steps/0/roleName: there is no role 'Reeder'; did you mean Reader? (UNKNOWN_ROLE)"
    """
    hint = ""
    if problem.suggestion:
        hint = f"; did you mean {problem.suggestion}?"
    elif problem.allowed and problem.code != "REQUIRED":
        more = ", …" if len(problem.allowed) > _SHOWN_ALLOWED else ""
        hint = f"; there are: {', '.join(problem.allowed[:_SHOWN_ALLOWED])}{more}"
    return f"{problem}{hint} ({problem.code})"
