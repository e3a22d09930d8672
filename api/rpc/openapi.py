"""An OpenAPI 3.1 document of a router, for tools that do not speak tRPC."""

from collections.abc import Mapping
from typing import Any, TypeAlias, get_args

import msgspec

from api.rpc.codes import CODES, Code
from api.rpc.problems import Problem
from api.rpc.procedure import Procedure
from api.rpc.router import Router

Document: TypeAlias = dict[str, Any]

_REF = "#/components/schemas/"


def openapi(router: Router, title: str, version: str, *, prefix: str = "/trpc") -> Document:
    """The document: a query is a GET with its input in the query string, a mutation a POST with it as the body.

    Fields that nothing reads are refused, and the schemas say so. The document is the same for the same router.
    """
    inputs = list(dict.fromkeys(procedure.input_type for _, procedure in router if procedure.input_type))
    outputs = [output for _, procedure in router if (output := _output(procedure))]
    schemas, components = msgspec.json.schema_components([*inputs, *outputs, Problem], ref_template=_REF + "{name}")
    by_type = {id(type_): schema for type_, schema in zip([*inputs, *outputs], schemas, strict=False)}
    for input_type in inputs:
        by_type[id(input_type)] = _taken_out(by_type[id(input_type)], components)
    problem = schemas[-1]
    paths = {f"{prefix}/{name}": _path(name, procedure, by_type) for name, procedure in router}
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items())) | {"RpcError": _error_schema(problem)}},
    }
    # Defaults may be tuples; what is returned is what a reader of the written file gets.
    return msgspec.json.decode(msgspec.json.encode(document))


def _output(procedure: Procedure[..., Any]) -> Any:
    """The type of what is sent, or None where nothing is."""
    output: Any = procedure.item_type
    return None if output is msgspec.UnsetType else output


def _taken_out(reference: Document, components: dict[str, Document]) -> Document:
    # Nothing else refers to an input, so it stands where it is used rather than under a name of its own.
    schema = dict(components.pop(reference["$ref"].removeprefix(_REF)))
    schema.pop("title", None)
    return schema


def _path(name: str, procedure: Procedure[..., Any], by_type: Mapping[int, Document]) -> Document:
    output = _output(procedure)
    schema = None if output is None else by_type[id(output)]
    answered = _streamed(procedure, schema or {}) if procedure.streams else _answered(schema)
    operation: Document = {
        "operationId": name,
        "tags": [name.partition(".")[0]],
        "summary": procedure.description,
        "responses": {
            "200": answered,
            "default": _json_response("Why the call was refused.", {"$ref": _REF + "RpcError"}),
        },
    }
    if procedure.input_type is not None:
        operation |= _asked(procedure, by_type[id(procedure.input_type)])
    if procedure.upload is not None:
        operation["requestBody"] = {"required": True, "content": {procedure.media_type: {}}}
    return {"post" if procedure.kind == "mutation" else "get": operation}


def _asked(procedure: Procedure[..., Any], input: Document) -> Document:
    content = {"application/json": {"schema": input}}
    if procedure.kind != "mutation":
        where = {"name": "input", "in": "query", "required": procedure.needs_input, "content": content}
        return {"parameters": [where]}
    return {"requestBody": {"required": procedure.needs_input, "content": content}}


def _answered(output: Document | None) -> Document:
    return _json_response("What the procedure returned.", _result(output))


def _streamed(procedure: Procedure[..., Any], item: Document) -> Document:
    if procedure.kind == "subscription":
        return {"description": "Its items, one after the other.", "content": {"text/event-stream": {"schema": item}}}
    return {"description": "Its items, in a streamed batch.", "content": {"application/jsonl": {"schema": item}}}


def _json_response(description: str, schema: Document) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _result(output: Document | None) -> Document:
    data: Document = {} if output is None else {"data": output}
    return _object({"result": _object(data, required=list(data))}, required=["result"])


def _error_schema(problem: Document) -> Document:
    data = _object(
        {
            "code": {"enum": list(get_args(Code))},
            "httpStatus": {"enum": sorted({numbers.http for numbers in CODES.values()})},
            "path": {"type": "string", "description": "The procedure; absent when the whole request was refused."},
            "problems": {"type": "array", "items": problem, "description": "What is wrong with the input, and where."},
            "suggestion": {"type": "string", "description": "The nearest procedure, when there is none of that name."},
            "requestId": {"type": "string", "description": "Finds an internal error in the server's log."},
        },
        required=["code", "httpStatus"],
    )
    numbers = sorted({numbers.json_rpc for numbers in CODES.values()})
    error = _object(
        {"message": {"type": "string"}, "code": {"enum": numbers}, "data": data}, required=["message", "code", "data"]
    )
    return _object({"error": error}, required=["error"])


def _object(properties: Document, *, required: list[str]) -> Document:
    return {"type": "object", "properties": properties, "required": required}
