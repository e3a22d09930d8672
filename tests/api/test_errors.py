"""The table from refusals to codes, with errors as PostgreSQL really raises them."""

from uuid import UUID

import asyncpg
import msgspec
import pytest

from api.errors import refusal
from api.rpc import RpcError
from services.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    NotCompleted,
    NotFound,
    ServiceError,
    StillRunning,
    Unauthenticated,
    Unavailable,
)
from services.failure import Failure
from services.problem import Problem
from tests.api.client import Api

PROBLEM = Problem(code="REQUIRED", path="/steps", message="there are none", allowed=("steps",))
EXECUTION = UUID("01932b7e-0000-7000-8000-000000000001")
FAILURE = Failure(code="TOOL_FAILED", message="no such file", retryable=False)
AWAY = "the database does not answer right now; nothing is known to be wrong with the call, try it again"


def written(error: RpcError | None) -> tuple[object, ...]:
    assert error is not None
    return error.code, error.message, error.data, error.headers


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            Unauthenticated("who?"),
            ("UNAUTHORIZED", "who?", {}, {"www-authenticate": 'Bearer realm="rolecall"'}),
        ),
        (Forbidden("no"), ("FORBIDDEN", "no", {}, {})),
        (NotFound("role", "Critic"), ("NOT_FOUND", "there is no role 'Critic'", {}, {})),
        (
            Invalid("it cannot be", [PROBLEM]),
            ("BAD_REQUEST", "it cannot be; /steps: there are none", {"problems": (PROBLEM,)}, {}),
        ),
        (
            Conflict("role", "Critic", state="exists already", allowed="another name"),
            ("CONFLICT", "role 'Critic' exists already; this needs another name", {}, {}),
        ),
        (
            LimitExceeded("slower", retry_after_seconds=2.5),
            ("TOO_MANY_REQUESTS", "slower", {"retryAfterMs": 2500}, {"retry-after": "3"}),
        ),
        (LimitExceeded("too large"), ("TOO_MANY_REQUESTS", "too large", {}, {})),
        (
            NotCompleted("it failed", execution=EXECUTION, failure=FAILURE, step="Read"),
            (
                "UNPROCESSABLE_CONTENT",
                "it failed",
                {"executionId": str(EXECUTION), "failure": msgspec.to_builtins(FAILURE), "step": "Read"},
                {},
            ),
        ),
        (StillRunning("wait", execution=EXECUTION), ("TIMEOUT", "wait", {"executionId": str(EXECUTION)}, {})),
        (Unavailable("closed"), ("SERVICE_UNAVAILABLE", "closed", {}, {"retry-after": "1"})),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ServiceError) else "",
)
def test_each_service_error_has_one_code(error: ServiceError, expected: tuple[object, ...]) -> None:
    assert written(refusal(error)) == expected


def test_every_service_error_is_in_the_table() -> None:
    made = {
        Unauthenticated: Unauthenticated(""),
        Forbidden: Forbidden(""),
        NotFound: NotFound("", ""),
        Invalid: Invalid(""),
        Conflict: Conflict("", "", state="", allowed=""),
        LimitExceeded: LimitExceeded(""),
        Unavailable: Unavailable(""),
        NotCompleted: NotCompleted("", execution=EXECUTION, failure=None, step=None),
        StillRunning: StillRunning("", execution=EXECUTION),
    }

    assert set(ServiceError.__subclasses__()) == set(made)
    assert all(refusal(error) is not None for error in made.values())


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), ZeroDivisionError(), asyncpg.UndefinedTableError("x")]
)
def test_our_own_mistakes_are_not_blamed_on_the_caller(error: Exception) -> None:
    assert refusal(error) is None


@pytest.mark.parametrize(
    ("statement", "code", "problem"),
    [
        pytest.param(
            "INSERT INTO role (name, base_prompt, created_by) VALUES ('1', '', '')",
            "BAD_REQUEST",
            (
                "role__name_is_a_name",
                "this row of role breaks the rule role__name_is_a_name (A name begins with a letter and has up to 100"
                " letters, digits, spaces, dots, underscores and hyphens.)",
            ),
            id="check",
        ),
        pytest.param(
            "INSERT INTO role (name, created_by) VALUES ('A', '')",
            "BAD_REQUEST",
            ("CONSTRAINT", "base_prompt of role cannot be null (Give it a value.)"),
            id="not null",
        ),
        pytest.param(
            "INSERT INTO role (name, base_prompt, created_by) VALUES ('A', '', ''), ('A', '', '')",
            "CONFLICT",
            (
                "role__name",
                "another row of role has this name (Take another name, or edit the role that has this one: "
                "SELECT * FROM role WHERE name = ….)",
            ),
            id="unique",
        ),
        pytest.param(
            "TRUNCATE journal",
            "CONFLICT",
            (
                "journal__is_append_only",
                "journal_default TRUNCATE is refused: the journal is append-only"
                " (Old executions go with execution_prune.)",
            ),
            id="trigger on a state",
        ),
        pytest.param(
            "INSERT INTO role (name, base_prompt, created_by, version) VALUES ('A', '', '', 7)",
            "BAD_REQUEST",
            (
                "role__version_is_counted",
                'role "A" cannot be set to version 7: versions are counted by the database (Leave version out. If it'
                " was read earlier, somebody has changed the role since: read it again.)",
            ),
            id="trigger on a value",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_rule_of_the_database_is_told_with_its_name_and_its_hint(
    api: Api, statement: str, code: str, problem: tuple[str, str]
) -> None:
    error = await raised(api, statement)

    name, message = problem
    told = Problem(code=name, path="", message=message)
    assert written(refusal(error)) == (code, message, {"problems": (told,)}, {})


@pytest.mark.parametrize(
    ("statement", "arguments", "message"),
    [
        pytest.param(
            "SELECT $1::jsonb",
            [r'"\u0000"'],
            "a value cannot be stored: unsupported Unicode escape sequence",
            id="NUL in jsonb",
        ),
        pytest.param(
            "INSERT INTO token (prefix, hash, name, kind) VALUES (repeat('x', 17), '', '', '')",
            [],
            "a value cannot be stored: value too long for type character varying(16)",
            id="too long",
        ),
        pytest.param(
            "SELECT $1::int",
            [2**40],
            "a value cannot be stored: invalid input for query argument $1: 1099511627776 (value out of int32 range)",
            id="refused by the driver",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_value_that_cannot_be_stored_is_a_bad_request(
    api: Api, statement: str, arguments: list[object], message: str
) -> None:
    error = await raised(api, statement, *arguments)

    assert written(refusal(error)) == ("BAD_REQUEST", message, {}, {})


@pytest.mark.asyncio(loop_scope="module")
async def test_a_statement_that_takes_too_long_may_be_tried_again(api: Api) -> None:
    async with api.runtime.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(asyncpg.PostgresError) as held:
            await connection.execute("SELECT pg_sleep(5)")

    assert written(refusal(held.value)) == ("SERVICE_UNAVAILABLE", AWAY, {}, {"retry-after": "1"})


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.LockNotAvailableError("held"),
        asyncpg.AdminShutdownError("bye"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_with_the_database_may_be_tried_again(error: Exception) -> None:
    assert written(refusal(error)) == ("SERVICE_UNAVAILABLE", AWAY, {}, {"retry-after": "1"})


async def raised(api: Api, statement: str, *arguments: object) -> Exception:
    """What PostgreSQL, or the driver, says to a statement."""
    with pytest.raises(Exception) as caught:
        await api.runtime.database.pool.execute(statement, *arguments)
    assert isinstance(caught.value, Exception)
    return caught.value
