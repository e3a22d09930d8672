"""`execution.follow` and `execution.run` over HTTP: what is said, in which order, when it ends and who may hear it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from services import connections, credentials, executions, orchestrations, tokens
from services.caller import OPERATOR, Caller, Credential
from services.credential_watch import CredentialWatch
from tests.api.client import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAITING: Any = {"name": "waiting", "steps": [{"name": "Nap", "kind": "wait", "forMs": 3_600_000}]}
QUICK: Any = {
    "name": "quick",
    "steps": [{"name": "Say", "kind": "transform", "inputMapping": {"said": "<<input.word>>"}}],
}


class Event(msgspec.Struct, frozen=True):
    """An event as an EventSource takes it: of its type, with the last id that it was told."""

    type: str
    data: Any
    last_id: str


class Events:
    """What comes over one connection."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.last_id = ""

    async def __anext__(self) -> Event:
        """The next event that somebody listens for."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.last_id = fields.get("id", self.last_id)
                type_, data = fields.get("event", "message"), fields.get("data", "")
                if type_ not in ("ping", "restore-id"):
                    return Event(type_, msgspec.json.decode(data) if data else None, self.last_id)
                fields = {}
        raise StopAsyncIteration

    def __aiter__(self) -> "Events":
        return self


@asynccontextmanager
async def following(
    api: Api, *, token: str | None = None, last_event_id: str | None = None, **input: Any
) -> AsyncIterator[Events]:
    """The events of a subscription, over a connection of its own."""
    query = {"input": msgspec.json.encode(input).decode()}
    headers = {"authorization": f"Bearer {token or api.token}"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{api.url}/execution.follow", params=query, headers=headers) as response,
    ):
        yield Events(response)


async def started(api: Api, document: Any, **input: Any) -> str:
    """A new execution of a document."""
    document = {**document, "name": f"{document['name']} {uuid4()}"}
    await orchestrations.create(OPERATOR, document=document)
    return str((await executions.start(OPERATOR, orchestration=document["name"], input=input)).id)


async def seqs(events: Events) -> list[int]:
    """The numbers of the events that are recorded, to the end."""
    return [event.data["seq"] async for event in events if event.type == "message" and event.data["type"] == "recorded"]


async def test_a_finished_execution_is_told_to_its_end(api: Api) -> None:
    execution = await started(api, QUICK, word="hi")
    await api.finished(execution)

    async with following(api, execution=execution) as events:
        first, *items, last = [event async for event in events]

    assert first == Event("connected", {"reconnectAfterInactivityMs": 30_000}, "")
    assert [(event.last_id, event.data["kind"]) for event in items] == [
        ("1", "execution_started"),
        ("2", "step_completed"),
        ("3", "execution_completed"),
    ]
    assert last == Event("return", None, "3")


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        ({"after": 1}, {}),
        ({"lastEventId": "1"}, {}),
        ({}, {"last_event_id": "1"}),
        ({"after": 3}, {"last_event_id": "1"}),
        ({"lastEventId": "3"}, {"last_event_id": "1"}),
    ],
)
async def test_it_goes_on_behind_what_the_client_has(api: Api, sent: dict[str, Any], given: dict[str, str]) -> None:
    execution = await started(api, QUICK, word="hi")
    await api.finished(execution)

    async with following(api, execution=execution, **sent, **given) as events:
        assert await seqs(events) == [2, 3]


async def test_behind_the_end_it_returns_at_once(api: Api) -> None:
    execution = await started(api, QUICK, word="hi")
    await api.finished(execution)

    async with following(api, execution=execution, last_event_id="3") as events:
        assert [event.type async for event in events] == ["connected", "return"]


async def test_progress_does_not_move_the_id_that_a_client_goes_on_behind(api: Api) -> None:
    document = {"name": "said", "steps": [{"name": "Wait", "kind": "wait", "forMs": 50}]}
    execution = await started(api, document)

    async with following(api, execution=execution) as events:
        seen = [event async for event in events if event.type == "message"]

    for event in seen:
        is_recorded = event.data["type"] == "recorded"
        assert event.last_id == (str(event.data["seq"]) if is_recorded else "")
    assert [event.data["seq"] for event in seen if event.last_id] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("input", "code", "message"),
    [
        ({"execution": str(uuid4())}, "NOT_FOUND", "there is no execution"),
        ({"execution": "x"}, "BAD_REQUEST", "/execution: Invalid UUID"),
        ({"execution": str(uuid4()), "after": -1}, "BAD_REQUEST", "/after: Expected `integer` >= 0"),
        ({"execution": str(uuid4()), "lastEventId": "x"}, "BAD_REQUEST", "/lastEventId: Expected `str` matching"),
        ({"execution": str(uuid4()), "lastEventId": "9" * 16}, "BAD_REQUEST", "/lastEventId: Expected `str` matching"),
    ],
)
async def test_what_cannot_be_followed_is_said(api: Api, input: dict[str, Any], code: str, message: str) -> None:
    async with following(api, **input) as events:
        _, refusal = [event async for event in events]

    assert (events.response.status_code, refusal.type, refusal.data["data"]["code"]) == (200, "serialized-error", code)
    assert refusal.data["message"].startswith(message)


async def test_a_number_that_the_journal_has_not_reached_is_a_conflict(api: Api) -> None:
    execution = await started(api, QUICK, word="hi")
    await api.finished(execution)

    reply = await api.call("execution.follow", {"execution": execution, "after": 4})

    assert reply.refusal[:2] == (409, "CONFLICT")


@pytest.fixture
async def impatient(api: Api) -> AsyncIterator[None]:
    """Tokens are looked at again almost at once."""
    watch = CredentialWatch(credentials.still_valid, interval_seconds=0.02)
    process, before = connections._process, connections._process.credential_watch
    process.credential_watch = watch
    yield
    process.credential_watch = before


async def a_token(name: str, *, days: int | None = None) -> str:
    made = await tokens.create(OPERATOR, name=name, scopes=("executions.read", "executions.run"), expires_in_days=days)
    return made.token


SOMEBODY = Caller(OPERATOR.principal, Credential("token", uuid4()))
REVOKED = "UPDATE token SET revoked_at = now() WHERE name = $1"
EXPIRED = "UPDATE token SET expires_at = created_at + interval '1 microsecond' WHERE name = $1"
DELETED = "DELETE FROM token WHERE name = $1"
WEAKENED = "UPDATE token SET scopes = '{executions.run}' WHERE name = $1"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("change", "code"),
    [(REVOKED, "UNAUTHORIZED"), (EXPIRED, "UNAUTHORIZED"), (DELETED, "UNAUTHORIZED"), (WEAKENED, "FORBIDDEN")],
)
async def test_a_follower_whose_token_is_of_no_use_any_more_is_dismissed(api: Api, change: str, code: str) -> None:
    name = f"follower {uuid4()}"
    token, execution = await a_token(name), await started(api, WAITING)

    async with following(api, token=token, execution=execution) as events, following(api, execution=execution) as other:
        while (await anext(events)).data.get("kind") != "step_waiting":
            pass
        await api.runtime.database.pool.execute(change, name)
        *_, last = [event async for event in events]
        await executions.cancel(OPERATOR, execution=UUID(execution))
        kept = [event.type async for event in other]

    assert (last.type, last.data["data"]["code"]) == ("serialized-error", code)
    assert kept[-1] == "return"


@pytest.mark.usefixtures("impatient")
async def test_whoever_runs_is_dismissed_as_well_and_the_execution_goes_on(api: Api) -> None:
    name = f"runner {uuid4()}"
    token = await a_token(name)
    document = {**WAITING, "name": name}
    await orchestrations.create(OPERATOR, document=document)

    async with running(api, token=token, orchestration=name) as lines:
        item = await anext(lines)
        await api.runtime.database.pool.execute(REVOKED, name)
        *_, last = [line async for line in lines]

    assert (last[1], last[2]["data"]["code"]) == (2, "UNAUTHORIZED")
    execution = item[2][0][0]["event"]["execution"]
    assert (await api.call("execution.get", {"execution": execution})).data["status"] in (
        "queued",
        "running",
        "waiting",
    )


async def test_a_database_that_is_away_dismisses_nobody() -> None:
    dismissed: list[Exception] = []
    asked = asyncio.Event()

    async def away(_: Any) -> Any:
        if asked_before := asked.is_set():
            again.set()
        asked.set()
        raise OSError("away", asked_before)

    again = asyncio.Event()
    with CredentialWatch(away, interval_seconds=0.001).watching(SOMEBODY, "executions.read", dismissed.append):
        await asyncio.wait_for(again.wait(), 10)

    assert dismissed == []


@asynccontextmanager
async def running(api: Api, *, token: str | None = None, **input: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """The lines with the items of `execution.run`, in a streamed batch of one."""
    headers = {"authorization": f"Bearer {token or api.token}", "trpc-accept": "application/jsonl"}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{api.url}/execution.run?batch=1", json={"0": input}, headers=headers) as response,
    ):
        lines = response.aiter_lines()

        async def items() -> AsyncIterator[Any]:
            async for line in lines:
                decoded = msgspec.json.decode(line)
                if isinstance(decoded, list) and decoded[0] == 2:
                    yield decoded

        yield items()


async def test_to_run_again_with_the_same_key_is_to_attach(api: Api) -> None:
    document = {**WAITING, "name": f"attached {uuid4()}"}
    await orchestrations.create(OPERATOR, document=document)
    input = {"orchestration": document["name"], "idempotencyKey": str(uuid4())}

    async with running(api, **input) as first, running(api, **input) as second:
        begun = [await anext(first), await anext(second)]
        (execution,) = {line[2][0][0]["event"]["execution"] for line in begun}
        await api.call("execution.cancel", {"execution": execution})
        ends = [[line async for line in lines][-2:] for lines in (first, second)]

    for last, end in ends:
        assert last[2][0][0]["kind"] == "execution_cancelled"
        assert end == [2, 0, [[]]]


async def test_a_client_that_leaves_does_not_stop_what_it_runs(api: Api) -> None:
    document = {**WAITING, "name": f"left {uuid4()}"}
    document["steps"] = [{"name": "Nap", "kind": "wait", "forMs": 300}]
    await orchestrations.create(OPERATOR, document=document)

    async with running(api, orchestration=document["name"]) as lines:
        item = await anext(lines)

    finished = await api.finished(item[2][0][0]["event"]["execution"])
    assert finished["status"] == "completed"


async def test_without_the_right_to_read_nothing_is_started(api: Api) -> None:
    made = await tokens.create(OPERATOR, name=f"blind {uuid4()}", scopes=("executions.run",))
    document = {**QUICK, "name": f"unseen {uuid4()}"}
    await orchestrations.create(OPERATOR, document=document)
    before = await api.rows()

    headers = {"authorization": f"Bearer {made.token}", "trpc-accept": "application/jsonl"}
    async with httpx.AsyncClient(timeout=30) as client:
        input = {"0": {"orchestration": document["name"]}}
        reply = await client.post(f"{api.url}/execution.run?batch=1", json=input, headers=headers)

    *_, last = map(msgspec.json.decode, reply.text.splitlines())
    assert last[2][0][0]["error"]["data"]["code"] == "FORBIDDEN"
    assert await api.rows() == before


async def test_run_needs_a_link_that_can_stream(api: Api) -> None:
    reply = await api.call("execution.run", {"orchestration": "brief"})

    assert reply.refusal[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_nobody_is_left_behind_when_followers_go(api: Api) -> None:
    execution = await started(api, WAITING)
    async with following(api, execution=execution) as events:
        await anext(events)
        await anext(events)

    feed, watch = connections.feed(), connections.credential_watch()
    async with asyncio.timeout(10):
        while feed._followers or watch._watched:  # noqa: ASYNC110  # nothing tells of it but the thing itself
            await asyncio.sleep(0)
    assert (feed._task, watch._task) == (None, None)
