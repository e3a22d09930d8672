"""An OpenAPI 3.1 document of a router, for tools that do not speak tRPC."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

import msgspec

from api.rpc.codes import CODES, Code
from api.rpc.describe.operations import SCHEMAS, Document, SchemaOf, object_of, operation, response
from api.rpc.describe.refusals import REFUSALS, Access, Refusal
from api.rpc.problems import Problem
from api.rpc.procedure import Procedure
from api.rpc.router import Router

AccessOf: TypeAlias = Callable[[Procedure[..., Any]], Access]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a document says of the whole: `license` is an SPDX identifier, `tags` says what each group of names is.

    `problem` is the type of what `error.data.problems` lists.
    """

    title: str
    version: str
    summary: str = ""
    description: str = ""
    license: str | None = None
    servers: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: Any = Problem


def anybody(_: Procedure[..., Any]) -> Access:
    """The access to procedures of an application that knows no callers."""
    return Access()


def openapi(router: Router, about: About, *, prefix: str = "/trpc", access_of: AccessOf = anybody) -> Document:
    """The document: a query is a GET with its input in the query string, a mutation a POST with it as the body.

    Fields that nothing reads are refused, and the schemas say so. The document is the same for the same router.
    """
    schema_of, components = _schemas(router, about.problem)
    accesses = {name: access_of(procedure) for name, procedure in router}
    paths = {f"{prefix}/{name}": operation(name, procedure, accesses[name], schema_of) for name, procedure in router}
    schemas = dict(sorted(components.items())) | _error_schemas(schema_of(about.problem))
    document = {
        "openapi": "3.1.0",
        "info": _info(about),
        "servers": [{"url": url, "description": text} for url, text in about.servers.items()] or [{"url": "/"}],
        "tags": _tags(router, about.tags),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {code: _refused(code, refusal) for code, refusal in REFUSALS.items()},
            **({"securitySchemes": _SECURITY} if any(access.needs_caller for access in accesses.values()) else {}),
        },
    }
    # Defaults may be tuples; what is returned is what a reader of the written file gets.
    return msgspec.json.decode(msgspec.json.encode(document))


_SECURITY: Document = {"bearer": {"type": "http", "scheme": "bearer", "description": "A token of this server's."}}


def _info(about: About) -> Document:
    info: Document = {"title": about.title, "version": about.version}
    info |= {"summary": about.summary} if about.summary else {}
    info |= {"description": about.description} if about.description else {}
    return info | ({"license": {"name": about.license, "identifier": about.license}} if about.license else {})


def _tags(router: Router, texts: Mapping[str, str]) -> list[Document]:
    names = dict.fromkeys(name.partition(".")[0] for name, _ in router)
    return [{"name": name, **({"description": texts[name]} if name in texts else {})} for name in names]


def _schemas(router: Router, problem: Any) -> tuple[SchemaOf, dict[str, Document]]:
    """What gives the schema of a type, and the schemas that these refer to."""
    inputs = list(dict.fromkeys(procedure.input_type for _, procedure in router if procedure.input_type))
    outputs = [procedure.item_type for _, procedure in router if procedure.item_type is not msgspec.UnsetType]
    types = [*inputs, *outputs, problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMAS + "{name}")
    by_type = {id(type_): schema for type_, schema in zip(types, schemas, strict=True)}
    for input_type in inputs:
        by_type[id(input_type)] = _taken_out(by_type[id(input_type)], components)
    return lambda type_: by_type[id(type_)], components


def _taken_out(reference: Document, components: dict[str, Document]) -> Document:
    # Nothing else refers to an input, so it stands where it is used rather than under a name of its own.
    schema = dict(components.pop(reference["$ref"].removeprefix(SCHEMAS)))
    schema.pop("title", None)
    return schema


def _refused(code: Code, refusal: Refusal) -> Document:
    numbers = CODES[code]
    data: Document = {"code": code, "httpStatus": numbers.http, "path": "role.create"}
    value = {"error": {"message": refusal.message, "code": numbers.json_rpc, "data": data}}
    return {
        **response(refusal.when, {"$ref": SCHEMAS + "RpcError"}, examples={"refusal": {"value": value}}),
        **_headers(code),
    }


def _headers(code: Code) -> Document:
    texts = {
        "UNAUTHORIZED": ("www-authenticate", "How to say who calls.", "string"),
        "TOO_MANY_REQUESTS": ("retry-after", "Seconds until the same call may work.", "string"),
        "SERVICE_UNAVAILABLE": ("retry-after", "Seconds until the same call may work.", "string"),
    }
    if code not in texts:
        return {}
    name, description, type_ = texts[code]
    return {"headers": {name: {"description": description, "schema": {"type": type_}}}}


def _error_schemas(problem: Document) -> dict[str, Document]:
    data = object_of(
        {
            "code": {"enum": list(get_args(Code)), "description": "What kind of refusal it is."},
            "httpStatus": {"enum": sorted({numbers.http for numbers in CODES.values()})},
            "path": {"type": "string", "description": "The procedure; absent when the whole request was refused."},
            "problems": {"type": "array", "items": problem, "description": "What is wrong with the input, and where."},
            "suggestion": {"type": "string", "description": "The nearest procedure, when there is none of that name."},
            "maxBytes": {"type": "integer", "description": "How large a body may be."},
            "requestId": {"type": "string", "description": "Finds an internal error in the server's log."},
        },
        required=["code", "httpStatus"],
        open=True,
    )
    numbers = sorted({numbers.json_rpc for numbers in CODES.values()})
    shape = object_of({"message": {"type": "string"}, "code": {"enum": numbers}, "data": data})
    return {
        "ErrorShape": {**shape, "description": "Why a call was refused, as the client's `TRPCClientError` has it."},
        "RpcError": object_of({"error": {"$ref": SCHEMAS + "ErrorShape"}}),
    }
