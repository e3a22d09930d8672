"""The OpenAPI document of the toy router, and of procedures that stream."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema_rs
import msgspec
import schemathesis

from api.rpc import About, Access, Example, Procedure, Router, Tracked, mutation, openapi, query, subscription
from tests.rpc.toy import Circle, Context, decoded, router

ABOUT = About(
    title="Toys",
    version="1.2.3",
    license="Apache-2.0",
    servers={"https://toys.example": "The shop."},
    tags={"box": "Things with things in them."},
)
DOCUMENT = openapi(router, ABOUT)
COMPONENTS = DOCUMENT["components"]["schemas"]
OF_EVERY_QUERY = {"200", "400", "405", "500", "503"}
OF_EVERY_MUTATION = {"200", "400", "408", "413", "415", "500", "503"}


@subscription(meta="watchers")
async def ticks(ctx: Context, *, count: int, last_event_id: str | None = None) -> AsyncIterator[Tracked[Circle]]:
    """Circles, until there are `count`. NOT_FOUND when there are none."""
    yield Tracked("1", Circle(radius=1.0))


@mutation(examples=[Example(summary="Three of them.", input={"count": 3})])
async def draw(ctx: Context, *, count: int) -> AsyncIterator[Circle]:
    """Circles, one after another."""
    yield Circle(radius=1.0)


@query(
    meta="watchers",
    examples=[Example(summary="The red one.", input={"name": "red"}, output={"radius": 1.0, "kind": "circle"})],
)
async def find(ctx: Context, *, name: str) -> Circle:
    """The circle of that name. NOT_FOUND when there is none; CONFLICT as `box.pack`, e.g. when there are two.

    FORBIDDEN stands where only readers of the source look.
    """
    return Circle(radius=1.0)


def access_of(procedure: Procedure[..., Any]) -> Access:
    """Watchers need to be known."""
    return Access(needs_caller=True, scopes=("circles.watch",)) if procedure.meta == "watchers" else Access()


CIRCLES = openapi(Router(ticks=ticks, circle=Router(draw=draw, find=find)), ABOUT, access_of=access_of)


def parts(document: Any, key: str) -> Iterator[Any]:
    """What stands under a key, wherever that is."""
    if isinstance(document, dict):
        if key in document:
            yield document[key]
        for member in document.values():
            yield from parts(member, key)
    elif isinstance(document, list):
        for item in document:
            yield from parts(item, key)


def references(document: Any) -> Iterator[str]:
    """Every `$ref` and discriminator target."""
    yield from parts(document, "$ref")
    for discriminator in parts(document, "discriminator"):
        yield from discriminator.get("mapping", {}).values()


def resolved(document: Any, reference: str) -> Any:
    """What a reference leads to; KeyError when that is nothing."""
    found = document
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def answer(document: Any, path: str, method: str = "get") -> Any:
    """How an operation answers when all is well: its one media type."""
    return document["paths"][f"/trpc/{path}"][method]["responses"]["200"]["content"]


def test_every_procedure_is_an_operation_of_its_method() -> None:
    operations = {
        operation["operationId"]: (path, method)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }

    methods = {"query": "get", "mutation": "post"}
    assert operations == {
        name.replace(".", "_"): (f"/trpc/{name}", methods[procedure.kind]) for name, procedure in router
    }


def test_it_is_what_the_standard_calls_openapi() -> None:
    for document in (DOCUMENT, CIRCLES):
        schemathesis.openapi.from_dict(document).validate()
        for schema in parts(document, "schema"):
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_it_says_what_the_whole_is() -> None:
    assert DOCUMENT["info"] == {
        "title": "Toys",
        "version": "1.2.3",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    assert DOCUMENT["servers"] == [{"url": "https://toys.example", "description": "The shop."}]
    assert {"name": "box", "description": "Things with things in them."} in DOCUMENT["tags"]
    assert {"name": "ping"} in DOCUMENT["tags"]


def test_a_query_takes_its_input_from_the_query_string() -> None:
    operation = DOCUMENT["paths"]["/trpc/greet"]["get"]

    assert operation["parameters"] == [
        {
            "name": "input",
            "in": "query",
            "required": False,
            "description": "The input: JSON, percent-encoded.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                            "from": {"type": "string", "default": "us"},
                            "loudVoice": {"type": "boolean", "default": False},
                        },
                        "required": [],
                        "additionalProperties": False,
                    }
                }
            },
        }
    ]


def test_a_mutation_takes_its_input_as_the_body() -> None:
    operation = DOCUMENT["paths"]["/trpc/box.pack"]["post"]

    body = operation["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"]["properties"]["box"] == {"$ref": "#/components/schemas/Box"}
    assert operation["summary"] == "A box, packed."


def test_an_answer_is_wrapped_as_on_the_wire() -> None:
    def result(name: str) -> Any:
        return answer(DOCUMENT, name)["application/json"]["schema"]["properties"]["result"]

    closed = {"type": "object", "additionalProperties": False}
    assert result("nothing") == {**closed, "properties": {"data": {"type": "null"}}, "required": ["data"]}
    assert result("undefined") == {**closed, "properties": {}, "required": []}


def test_the_refusals_of_a_procedure_are_told_by_their_status() -> None:
    find = CIRCLES["paths"]["/trpc/circle.find"]["get"]["responses"]

    assert find.keys() == OF_EVERY_QUERY | {"401", "403", "404", "409", "429"}
    assert find["404"] == {
        "$ref": "#/components/responses/NOT_FOUND",
        "description": "NOT_FOUND when there is none.",
    }
    assert find["409"]["description"] == "CONFLICT as `box.pack`, e.g. when there are two."
    assert DOCUMENT["paths"]["/trpc/health"]["get"]["responses"].keys() == OF_EVERY_QUERY
    assert DOCUMENT["paths"]["/trpc/ping"]["post"]["responses"].keys() == OF_EVERY_MUTATION


def test_the_example_of_a_refusal_is_one() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        content = response["content"]["application/json"]
        schema = {"components": DOCUMENT["components"], **content["schema"]}

        for example in content["examples"].values():
            jsonschema_rs.validate(schema, example["value"])


def test_who_may_call_is_told() -> None:
    find, draw = (
        CIRCLES["paths"][f"/trpc/circle.{name}"][method] for name, method in (("find", "get"), ("draw", "post"))
    )

    assert (find["security"], find["x-required-scopes"]) == ([{"bearer": []}], ["circles.watch"])
    assert (draw["security"], draw.get("x-required-scopes")) == ([], None)
    assert CIRCLES["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "securitySchemes" not in DOCUMENT["components"]


def test_examples_stand_beside_the_schemas() -> None:
    find = CIRCLES["paths"]["/trpc/circle.find"]["get"]

    asked = find["parameters"][0]["content"]["application/json"]["examples"]
    answered = answer(CIRCLES, "circle.find")["application/json"]["examples"]
    assert asked == {"the-red-one": {"summary": "The red one.", "value": {"name": "red"}}}
    assert answered["the-red-one"]["value"] == {"result": {"data": {"radius": 1.0, "kind": "circle"}}}


def test_a_subscription_is_a_stream_of_events() -> None:
    ticks = CIRCLES["paths"]["/trpc/ticks"]["get"]

    events = answer(CIRCLES, "ticks")["text/event-stream"]["x-events"]
    assert list(events) == ["connected", "message", "ping", "return", "serialized-error"]
    assert events["message"] == {
        "data": {"$ref": "#/components/schemas/Circle"},
        "id": {"type": "string", "minLength": 1},
    }
    assert events["serialized-error"]["x-codes"] == [
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "TOO_MANY_REQUESTS",
        "SERVICE_UNAVAILABLE",
    ]
    assert ticks["responses"].keys() == {"200", "400", "405", "500"}
    assert "lastEventId" in ticks["parameters"][0]["content"]["application/json"]["schema"]["properties"]


def test_what_streams_is_asked_for_in_a_batch() -> None:
    draw = CIRCLES["paths"]["/trpc/circle.draw"]["post"]

    body = draw["requestBody"]["content"]["application/json"]
    assert {parameter["name"]: parameter["schema"] for parameter in draw["parameters"]} == {
        "batch": {"const": 1},
        "trpc-accept": {"const": "application/jsonl"},
    }
    assert body["schema"]["required"] == ["0"]
    assert body["examples"]["three-of-them"]["value"] == {"0": {"count": 3}}
    assert answer(CIRCLES, "circle.draw", "post")["application/jsonl"]["x-item"] == {
        "$ref": "#/components/schemas/Circle"
    }


def test_unknown_fields_stay_refused_and_unions_keep_their_discriminator() -> None:
    assert COMPONENTS["Box"]["additionalProperties"] is False
    (variants, _) = COMPONENTS["Box"]["properties"]["holds"]["items"]["anyOf"]
    assert variants["discriminator"]["propertyName"] == "kind"


def test_every_reference_leads_somewhere() -> None:
    for document in (DOCUMENT, CIRCLES):
        for reference in references(document):
            assert resolved(document, reference)
    assert {"Box", "Circle", "Colour", "Polygon", "Problem", "Receipt", "RpcError"} <= COMPONENTS.keys()


def test_inputs_have_no_names_of_their_own() -> None:
    assert not [name for name in COMPONENTS if name.endswith("input")]


def test_the_document_is_json_and_the_same_each_time() -> None:
    again = openapi(router, ABOUT)

    assert decoded(msgspec.json.encode(DOCUMENT)) == again
