"""A procedure as an operation of an OpenAPI document: its input, its answer, its refusals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from api.rpc.codes import CODES, Code
from api.rpc.describe.refusals import Access, codes_of, is_posted, when
from api.rpc.procedure import Example, Procedure
from api.rpc.uploads import FORM

Document: TypeAlias = dict[str, Any]
SchemaOf: TypeAlias = Callable[[Any], Document]

SCHEMAS = "#/components/schemas/"
RESPONSES = "#/components/responses/"

JSON = "application/json"
_INPUT = "The input: JSON, percent-encoded."
_BATCH = "The inputs by the number of their call; this is a batch of one."
_EVENTS = """\
A stream of server-sent events, of which `x-events` says what each carries. `connected` comes first; then, as they \
happen, the items, with an id where a client can go on behind one; `return` ends it. Refusals come as \
`serialized-error`, with status 200."""
_LINES = """\
Lines of JSON as `httpBatchStreamLink` of `@trpc/client` reads them: first what is to come, then each item as it \
comes, of the type `x-item`. Refusals come in a line too, with status 200."""


def operation(name: str, procedure: Procedure[..., Any], access: Access, schema_of: SchemaOf) -> Document:
    """The one operation of the procedure's path, by its method."""
    summary, _, more = procedure.description.partition(". ")
    described: Document = {
        "operationId": name.replace(".", "_"),
        "tags": [name.partition(".")[0]],
        "summary": summary.removesuffix(".") + ".",
        **({"description": procedure.description} if more else {}),
        "x-kind": procedure.kind,
        **({"x-required-scopes": list(access.scopes)} if access.scopes else {}),
        "security": [{"bearer": []}] if access.needs_caller else [],
        **_asked(procedure, schema_of),
        "responses": _responses(procedure, access, schema_of),
    }
    return {"post" if is_posted(procedure) else "get": described}


def response(description: str, schema: Document, **more: Any) -> Document:
    """A response of JSON."""
    return {"description": description, "content": {JSON: {"schema": schema, **more}}}


def object_of(properties: Document, *, required: list[str] | None = None, open: bool = False) -> Document:
    """The schema of an object with these properties, all of them required unless it is said which are."""
    schema: Document = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return schema if open else {**schema, "additionalProperties": False}


def _asked(procedure: Procedure[..., Any], schema_of: SchemaOf) -> Document:
    if procedure.kind != "subscription" and procedure.streams:
        return _asked_in_a_batch(procedure, schema_of)
    if procedure.upload is not None:
        body = {"type": "object"} if procedure.media_type == FORM else {"type": "string", "format": "binary"}
        return {"requestBody": {"required": True, "content": {procedure.media_type: {"schema": body}}}}
    if procedure.input_type is None:
        return {}
    content = {JSON: {"schema": schema_of(procedure.input_type), **_examples(procedure.examples)}}
    if is_posted(procedure):
        return {"requestBody": {"description": "The input.", "required": procedure.needs_input, "content": content}}
    return {"parameters": [_input_parameter(_INPUT, content, required=procedure.needs_input)]}


def _asked_in_a_batch(procedure: Procedure[..., Any], schema_of: SchemaOf) -> Document:
    batch = {"name": "batch", "in": "query", "required": True, "schema": {"const": 1}, "description": "Always 1."}
    accept = {"name": "trpc-accept", "in": "header", "required": True, "schema": {"const": "application/jsonl"}}
    asked: Document = {"parameters": [batch, accept]}
    if procedure.input_type is None:
        return asked
    inputs = object_of(
        {"0": schema_of(procedure.input_type)}, required=["0"] if procedure.needs_input else [], open=True
    )
    content = {JSON: {"schema": inputs, **_examples(procedure.examples, in_a_batch=True)}}
    if is_posted(procedure):
        return {**asked, "requestBody": {"description": _BATCH, "required": procedure.needs_input, "content": content}}
    return {"parameters": [batch, accept, _input_parameter(_BATCH, content, required=procedure.needs_input)]}


def _input_parameter(description: str, content: Document, *, required: bool) -> Document:
    return {"name": "input", "in": "query", "required": required, "description": description, "content": content}


def _examples(examples: tuple[Example, ...], *, in_a_batch: bool = False) -> Document:
    return _named(
        (example, {"0": example.input} if in_a_batch else example.input)
        for example in examples
        if example.input is not msgspec.UNSET
    )


def _examples_of_answers(examples: tuple[Example, ...]) -> Document:
    return _named(
        (example, {"result": {"data": example.output}}) for example in examples if example.output is not msgspec.UNSET
    )


def _named(values: Iterable[tuple[Example, Any]]) -> Document:
    named = {example.name: {"summary": example.summary, "value": value} for example, value in values}
    return {"examples": named} if named else {}


def _responses(procedure: Procedure[..., Any], access: Access, schema_of: SchemaOf) -> Document:
    codes = codes_of(procedure, access)
    if procedure.streams:
        # Who reads a stream sees no status: what is refused is told in the stream, but for what is no call at all.
        told: list[Code] = [code for code in codes if code not in _OF_REQUESTS]
        at_once: list[Code] = [code for code in codes if code in _OF_REQUESTS]
        return {"200": _stream(procedure, told, schema_of), **_refused(procedure, at_once)}
    output = procedure.output_type
    data: Document = {} if output is msgspec.UnsetType else {"data": schema_of(output)}
    returned = object_of({"result": object_of(data)})
    examples = _examples_of_answers(procedure.examples)
    return {"200": response("What the procedure returned.", returned, **examples), **_refused(procedure, codes)}


# Of the request, not of the call: these are told before anything is streamed.
_OF_REQUESTS: tuple[Code, ...] = (
    "BAD_REQUEST",
    "METHOD_NOT_SUPPORTED",
    "UNSUPPORTED_MEDIA_TYPE",
    "INTERNAL_SERVER_ERROR",
)


def _refused(procedure: Procedure[..., Any], codes: Sequence[Code]) -> Document:
    return {str(CODES[code].http): {"$ref": RESPONSES + code, "description": when(procedure, code)} for code in codes}


def _stream(procedure: Procedure[..., Any], refusals: Sequence[Code], schema_of: SchemaOf) -> Document:
    item = schema_of(procedure.item_type)
    if procedure.kind != "subscription":
        media: Document = {"schema": {"type": "array"}}
        return {"description": _LINES, "content": {"application/jsonl": {**media, "x-item": item, "x-codes": refusals}}}
    message = {"data": item, **({"id": {"type": "string", "minLength": 1}} if procedure.is_tracked else {})}
    events: Mapping[str, Document] = {
        "connected": {"data": {"type": "object"}},
        "message": message,
        "ping": {},
        "return": {},
        "serialized-error": {"data": {"$ref": SCHEMAS + "ErrorShape"}, "x-codes": refusals},
    }
    return {"description": _EVENTS, "content": {"text/event-stream": {"schema": _EVENT, "x-events": events}}}


_EVENT = object_of(
    {
        "event": {"type": "string", "description": "Its kind; a message when there is none."},
        "data": {"type": "string", "description": "JSON, or empty."},
        "id": {"type": "string"},
        "retry": {"type": "integer", "description": "Milliseconds until a client connects anew."},
    },
    required=[],
)
