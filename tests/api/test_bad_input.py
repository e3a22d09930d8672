"""Bad input: always a clear refusal that says what would have been accepted, and never a row."""

from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio

from services.expressions import OPERATORS
from services.tools import registry
from tests.api.client import Api
from tests.api.documents import quoting, with_steps
from tests.api.inputs import SOME_UUID

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = "orchestration.create"
FIRST = ("name", "basePrompt", "description")
OTHERS = ("tools", "needsTools", "model", "parameters", "outputSchema", "isActive")
TOO_LARGE = "integers beyond ±9007199254740991 lose digits in JavaScript; send it as a string"


class Case(NamedTuple):
    """A call that is refused with this status, this code, a message that has this in it, and these problems."""

    procedure: str
    input: Any
    status: int
    code: str
    says: str
    problems: tuple[dict[str, Any], ...] = ()


# Stands for the tools and tags of the server, which depend on the machine.
THE_TOOLS = "the tools"


def problem(
    code: str, path: str, message: str, *allowed: str, suggestion: str | None = None, patch: Any = None
) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code, "path": path, "message": message}
    also = {"allowed": list(allowed), "suggestion": suggestion, "patch": patch}
    return found | {name: value for name, value in also.items() if value}


def replacing(path: str, value: str) -> list[dict[str, str]]:
    return [{"op": "replace", "path": path, "value": value}]


def bad_request(procedure: str, input: Any, says: str, *problems: dict[str, Any]) -> Case:
    return Case(procedure, input, 400, "BAD_REQUEST", says, problems)


def bad_document(document: Any, found: dict[str, Any]) -> Case:
    return bad_request(CREATE, {"document": document}, f"the orchestration has problems; {found['path']}: ", found)


def role(**fields: Any) -> dict[str, Any]:
    return {"name": "Wrong", "basePrompt": "x", **fields}


# What the wire refuses comes as bytes: no encoder would write it.
CASES = {
    "a malformed body": bad_request("role.create", b"{bad", "the input is not JSON: "),
    "an empty body": bad_request(
        "role.get", b"", "`role` is missing", problem("REQUIRED", "", "`role` is missing", "role")
    ),
    "null instead of an object": bad_request(
        "role.get", b"null", "Expected `object`", problem("WRONG_VALUE", "", "Expected `object`, got `null`", "object")
    ),
    "bytes that are not UTF-8": bad_request("role.create", b'{"name": "\xff"}', "the input is not UTF-8: byte 10"),
    "an unknown procedure": Case("role.craete", {}, 404, "NOT_FOUND", 'No procedure found on path "role.craete"'),
    "an unknown field": bad_request(
        "role.create",
        role(colour="red"),
        "/colour: there is no field `colour` here",
        problem("UNKNOWN_FIELD", "/colour", "there is no field `colour` here", *FIRST, *OTHERS, "idempotencyKey"),
    ),
    "a mistyped field": bad_request(
        "role.update",
        {"role": "Wrong", "changes": {"base_prompt": "x"}},
        "did you mean `basePrompt`?",
        problem(
            "UNKNOWN_FIELD",
            "/changes/base_prompt",
            "there is no field `base_prompt` here",
            "name",
            "description",
            "basePrompt",
            *OTHERS,
            suggestion="basePrompt",
        ),
    ),
    "a value of the wrong type": bad_request(
        "role.create",
        role(name=1),
        "/name: Expected `string`, got `integer`",
        problem("WRONG_VALUE", "/name", "Expected `string`, got `integer`", "string"),
    ),
    "a status that does not exist": bad_request(
        "execution.list",
        {"status": "cancel"},
        "accepted: queued, running, waiting, paused, cancelling, completed, failed, timed_out, cancelled",
        problem(
            "WRONG_VALUE",
            "/status",
            "Invalid enum value 'cancel'",
            *["queued", "running", "waiting", "paused", "cancelling", "completed", "failed", "timed_out", "cancelled"],
            suggestion="cancelled",
        ),
    ),
    "a limit out of range": bad_request(
        "role.list",
        {"limit": 501},
        "/limit: Expected `integer` <= 500",
        problem("WRONG_VALUE", "/limit", "Expected `integer` <= 500", "integer <= 500"),
    ),
    "an order that a list does not have": bad_request(
        "role.list",
        {"sort": {"by": "colour"}},
        "accepted: name, createdAt, updatedAt",
        problem("WRONG_VALUE", "/sort/by", "Invalid enum value 'colour'", "name", "createdAt", "updatedAt"),
    ),
    "a page backwards": bad_request(
        "execution.list",
        {"direction": "backward"},
        "accepted: forward",
        problem("WRONG_VALUE", "/direction", "Invalid enum value 'backward'", "forward"),
    ),
    "a cursor of nothing": bad_request(
        "orchestration.list",
        {"cursor": "bm90aGluZw"},
        "the cursor cannot be used; /cursor: it is broken; send `nextCursor` as the page before gave it",
        problem("BAD_CURSOR", "/cursor", "it is broken; send `nextCursor` as the page before gave it"),
    ),
    "a version that is not one": bad_request(
        "orchestration.publish",
        {"orchestration": "Quoting", "number": 0},
        "/number: Expected `integer` >= 1",
        problem("WRONG_VALUE", "/number", "Expected `integer` >= 1", "integer >= 1"),
    ),
    "a version that is not there": Case(
        "orchestration.activate",
        {"orchestration": "Quoting", "number": 7},
        404,
        "NOT_FOUND",
        "there is no version 7; `orchestration.versions` shows those there are",
    ),
    "a change of something that has changed": Case(
        "orchestration.update",
        {"orchestration": "Quoting", "ifVersion": 7, "changes": {"description": "x"}},
        409,
        "CONFLICT",
        "orchestration 'Quoting' is at version 1; this needs version 7 to be active; read it again",
    ),
    "a wrong UUID": bad_request(
        "execution.get",
        {"execution": "12"},
        "/execution: Invalid UUID",
        problem("WRONG_VALUE", "/execution", "Invalid UUID"),
    ),
    "a UUID of nothing": Case(
        "execution.steps", {"execution": SOME_UUID}, 404, "NOT_FOUND", "`execution.list` shows those there are"
    ),
    "a role that is not there": Case(
        "role.delete",
        {"role": "Nobody"},
        404,
        "NOT_FOUND",
        "there is no role 'Nobody'; `role.list` shows those there are",
    ),
    "a signal to nothing": Case(
        "execution.signal", {"execution": SOME_UUID, "event": "paid"}, 404, "NOT_FOUND", "there is no execution"
    ),
    "an orchestration that is not there": Case(
        "execution.start", {"orchestration": "Nothing"}, 404, "NOT_FOUND", "there is no orchestration 'Nothing'"
    ),
    "a body of two mebibytes": Case(
        "role.create", b'{"name":"' + b"x" * 2 * 1024 * 1024 + b'"}', 413, "PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE"
    ),
    "JSON nested two thousand deep": bad_request(
        CREATE, b'{"document":' + b"[" * 2_000 + b"]" * 2_000 + b"}", "the input is nested more than 64 levels deep"
    ),
    "a NUL": bad_request(
        "role.create",
        role(basePrompt="a\0b"),
        "/basePrompt: text cannot hold the NUL character",
        problem("WRONG_VALUE", "/basePrompt", "text cannot hold the NUL character"),
    ),
    "a NUL deep in a document": bad_request(
        CREATE,
        {"document": quoting("Wrong", input={"title": "a\0b"})},
        "/document/input/title: text cannot hold the NUL character",
        problem("WRONG_VALUE", "/document/input/title", "text cannot hold the NUL character"),
    ),
    "a lone surrogate": bad_request(
        "role.create", rb'{"name":"Wrong","basePrompt":"\ud800"}', "the input is not JSON: "
    ),
    "an integer that JavaScript would round": bad_request(
        "execution.start",
        {"orchestration": "Quoting", "input": {"topic": 2**60}},
        "/input/topic: " + TOO_LARGE,
        problem("WRONG_VALUE", "/input/topic", TOO_LARGE),
    ),
    "an integer of four hundred digits": bad_request(
        "role.create",
        b'{"name":"Wrong","basePrompt":"x","outputSchema":{"minimum":' + b"9" * 400 + b"}}",
        "/outputSchema/minimum: " + TOO_LARGE,
        problem("WRONG_VALUE", "/outputSchema/minimum", TOO_LARGE),
    ),
    "a float beyond all floats": bad_request(
        "role.create", b'{"name":"Wrong","basePrompt":"x","parameters":{"temperature":1e999}}', "Number out of range"
    ),
    "a tool that does not exist": bad_request(
        "role.create",
        role(tools=["files.reed"]),
        "the role cannot be saved; /tools/0: ",
        problem(
            "UNKNOWN_TOOL",
            "/tools/0",
            "no tool, pattern or tag 'files.reed' grants anything",
            THE_TOOLS,
            suggestion="files.read",
        ),
    ),
    "a document that is no object": bad_request(
        CREATE,
        {"document": 7},
        "a document is an object with `name` and `steps`",
        problem("WRONG_VALUE", "", "a document is an object with `name` and `steps`"),
    ),
    "steps that are no list": bad_document(
        quoting("Wrong", steps=7), problem("WRONG_VALUE", "/steps", "`steps` is a list of steps")
    ),
    "a template that names nothing": bad_document(
        with_steps({"name": "Quote", "inputMapping": {"said": "<<context.topik>>"}}),
        problem(
            "UNKNOWN_REFERENCE",
            "/steps/0/inputMapping",
            "context.topik: nothing writes 'topik'",
            "input",
            patch=replacing("/steps/0/inputMapping/said", "<<context.topik?>>"),
        ),
    ),
    "a field that the input cannot have": bad_document(
        with_steps({"name": "Quote", "inputMapping": {"said": "<<input.topik>>"}}),
        problem(
            "UNKNOWN_REFERENCE",
            "/steps/0/inputMapping",
            "input.topik: the input schema declares no 'topik' and allows nothing else",
            "topic",
            suggestion="topic",
            patch=replacing("/steps/0/inputMapping/said", "<<input.topic>>"),
        ),
    ),
    "an unknown operator": bad_document(
        with_steps({"name": "Quote", "condition": {"field": "input.topic", "operator": "starts", "value": "a"}}),
        problem(
            "OPERATOR_UNKNOWN",
            "/steps/0/condition/operator",
            "there is no operator 'starts'",
            *OPERATORS,
            suggestion="starts_with",
            patch=replacing("/steps/0/condition/operator", "starts_with"),
        ),
    ),
    "two steps of one name": bad_document(
        with_steps({"name": "Quote"}, {"name": "Quote"}),
        problem(
            "DUPLICATE_NAME",
            "/steps/1/name",
            "the name 'Quote' is taken by /steps/0; names are context keys, so each is unique",
            suggestion="Quote 2",
            patch=replacing("/steps/1/name", "Quote 2"),
        ),
    ),
    "a step whose role does not exist": bad_document(
        with_steps({"name": "Judge", "kind": "llm", "roleName": "Critik", "inputMapping": None}),
        problem(
            "UNKNOWN_ROLE",
            "/steps/0/roleName",
            "there is no role 'Critik'",
            "Critic",
            suggestion="Critic",
            patch=replacing("/steps/0/roleName", "Critic"),
        ),
    ),
    "an input that does not fit": bad_request(
        "execution.start",
        {"orchestration": "Quoting", "input": {}},
        "the input does not fit the orchestration's input schema; /input: ",
        problem("SCHEMA_MISMATCH", "/input", '"topic" is a required property'),
    ),
    "an inactive orchestration": Case(
        "execution.start",
        {"orchestration": "Asleep", "input": {"topic": "tea"}},
        409,
        "CONFLICT",
        "orchestration 'Asleep' is inactive; this needs an active one; update it with isActive: true",
    ),
    "a key that was used with another input": Case(
        "execution.start",
        {"orchestration": "Quoting", "input": {"topic": "coffee"}, "idempotencyKey": "morning"},
        409,
        "CONFLICT",
        "idempotency key 'morning' was used for another request; this needs a new key",
    ),
    "a key that is too long": bad_request(
        "execution.start",
        {"orchestration": "Quoting", "input": {"topic": "tea"}, "idempotencyKey": "k" * 201},
        "/idempotencyKey: Expected `string` of length <= 200",
        problem("WRONG_VALUE", "/idempotencyKey", "Expected `string` of length <= 200", "string of length <= 200"),
    ),
    "a name that is taken": Case(
        "role.create",
        role(name="Critic"),
        409,
        "CONFLICT",
        "role 'Critic' exists already; this needs another name, or an update",
    ),
    "deleting what was executed": Case(
        "orchestration.delete", {"orchestration": "Quoting"}, 409, "CONFLICT", "orchestration 'Quoting' was executed"
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(api: Api) -> Api:
    """A role, an orchestration that has run under the key `morning`, and one that is switched off."""
    start = {"orchestration": "Quoting", "input": {"topic": "tea"}, "idempotencyKey": "morning"}
    replies = [
        await api.call("role.create", {"name": "Critic", "basePrompt": "Judge."}),
        await api.call("orchestration.create", {"document": quoting("Quoting")}),
        await api.call("orchestration.create", {"document": quoting("Asleep")}),
        await api.call("orchestration.update", {"orchestration": "Asleep", "isActive": False}),
        started := await api.call("execution.start", start),
    ]
    assert [reply.status for reply in replies] == [200] * 5
    await api.finished(started.data["id"])
    return api


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_it_is_refused_and_nothing_is_written(world: Api, case: Case) -> None:
    before = await world.rows()

    body = case.input if isinstance(case.input, bytes) else msgspec.json.encode(case.input)
    reply = await world.post(case.procedure, body)

    status, code, message = reply.refusal
    assert (status, code) == (case.status, case.code)
    assert case.says in message
    assert tuple(reply.error["data"].get("problems", ())) == tuple(map(_in_full, case.problems))
    assert reply.error["data"]["path"] == case.procedure
    assert await world.rows() == before


def _in_full(problem: dict[str, Any]) -> dict[str, Any]:
    if problem.get("allowed") != [THE_TOOLS]:
        return problem
    return problem | {"allowed": sorted({*registry.for_steps(), *registry.by_tag()})}


async def test_a_document_with_many_problems_is_told_all_of_them(world: Api) -> None:
    document = with_steps({"name": "Quote"}, {"name": "Quote", "condition": {"field": "x", "operator": "~"}})

    created = await world.call(CREATE, {"document": document})
    validated = await world.call("orchestration.validate", {"document": document})

    assert [found["code"] for found in created.error["data"]["problems"]] == ["DUPLICATE_NAME", "OPERATOR_UNKNOWN"]
    assert validated.data["problems"] == created.error["data"]["problems"]


async def test_the_same_key_and_input_start_nothing_new(world: Api) -> None:
    start = {"orchestration": "Quoting", "input": {"topic": "tea"}, "idempotencyKey": "morning"}
    before = await world.rows()

    replies = [await world.call("execution.start", start) for _ in range(2)]

    assert replies[0].data == replies[1].data
    assert await world.rows() == before
