"""The OpenAPI document of the toy router."""

from collections.abc import Iterator
from typing import Any

import msgspec

from api.rpc import openapi
from tests.rpc.toy import decoded, router

DOCUMENT = openapi(router, "Toys", "1.2.3")
COMPONENTS = DOCUMENT["components"]["schemas"]


def references(part: Any) -> Iterator[str]:
    """Every `$ref` and discriminator target below `part`."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        yield from part.get("discriminator", {}).get("mapping", {}).values()
        for member in part.values():
            yield from references(member)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def test_every_procedure_is_an_operation_of_its_method() -> None:
    operations = {
        operation["operationId"]: (path, method)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }

    methods = {"query": "get", "mutation": "post"}
    assert operations == {name: (f"/trpc/{name}", methods[procedure.kind]) for name, procedure in router}


def test_a_query_takes_its_input_from_the_query_string() -> None:
    operation = DOCUMENT["paths"]["/trpc/greet"]["get"]

    assert operation["parameters"] == [
        {
            "name": "input",
            "in": "query",
            "required": False,
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
    assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/RpcError"
    }


def test_an_answer_is_wrapped_as_on_the_wire() -> None:
    def result(name: str) -> Any:
        responses = DOCUMENT["paths"][f"/trpc/{name}"]["get"]["responses"]
        return responses["200"]["content"]["application/json"]["schema"]["properties"]["result"]

    assert result("nothing") == {"type": "object", "properties": {"data": {"type": "null"}}, "required": ["data"]}
    assert result("undefined") == {"type": "object", "properties": {}, "required": []}


def test_unknown_fields_stay_refused_and_unions_keep_their_discriminator() -> None:
    assert COMPONENTS["Box"]["additionalProperties"] is False
    (variants, _) = COMPONENTS["Box"]["properties"]["holds"]["items"]["anyOf"]
    assert variants["discriminator"]["propertyName"] == "kind"


def test_every_reference_leads_somewhere() -> None:
    targets = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}

    assert targets <= COMPONENTS.keys()
    assert {"Box", "Circle", "Colour", "Polygon", "Problem", "Receipt", "RpcError"} <= targets


def test_inputs_have_no_names_of_their_own() -> None:
    assert not [name for name in COMPONENTS if name.endswith("input")]


def test_the_document_is_json_and_the_same_each_time() -> None:
    again = openapi(router, "Toys", "1.2.3")

    assert decoded(msgspec.json.encode(DOCUMENT)) == again
