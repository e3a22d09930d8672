"""A page that shows people what an OpenAPI document shows programs, and asks nobody else for anything."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from api.rpc.describe.reference_calls import client_setup, curl, shell_setup, typescript_call
from api.rpc.describe.reference_types import Schema, expression, fields, prose, type_id

Document: TypeAlias = Mapping[str, Any]

_STYLE = Path(__file__).with_name("reference.css").read_text(encoding="utf-8")
_SCRIPT = Path(__file__).with_name("reference.js").read_text(encoding="utf-8")

# Stands in the texts for where the server is; the page's script puts in where the page came from.
_ORIGIN = "ORIGIN"
_NOTHING: Document = {}


@dataclass(frozen=True)
class Page:
    """HTML, and the policy that keeps a browser to what the page itself brings."""

    html: str
    content_security_policy: str


@dataclass(frozen=True)
class _Procedure:
    """An operation of the document, with what its path says of it."""

    path: str
    method: str
    operation: Document

    @cached_property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @cached_property
    def kind(self) -> str:
        return self.operation["x-kind"]

    @cached_property
    def media(self) -> Document:
        """What is sent, empty when nothing is."""
        places = [self.operation.get("requestBody"), *self.operation.get("parameters", ())]
        found = (place["content"]["application/json"] for place in places if place and "content" in place)
        return next(found, _NOTHING)

    @cached_property
    def answer(self) -> Document:
        """What comes back when all is well."""
        return next(iter(self.operation["responses"]["200"]["content"].values()))

    @cached_property
    def streams(self) -> bool:
        return "x-item" in self.answer or "x-events" in self.answer

    @cached_property
    def input(self) -> Schema | None:
        """The schema of the input, also where that travels in a batch."""
        schema: Schema | None = self.media.get("schema")
        is_batch = schema is not None and "x-item" in self.answer
        return schema["properties"]["0"] if schema is not None and is_batch else schema

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """Inputs to copy by what they do; one without a name when there is no example."""
        examples = self.media.get("examples", {}).values()
        is_batch = "x-item" in self.answer
        values = {example["summary"]: example["value"]["0"] if is_batch else example["value"] for example in examples}
        return values or {"": msgspec.UNSET}


def reference(document: Document, *, origin: str) -> Page:
    """The page; `origin` is where the server most likely is, for commands to be copied."""
    procedures = [
        _Procedure(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    body = (
        f'<a class="skip" href="#main">Skip to the procedures</a>{_header(info)}{_navigation(document, procedures)}'
        f'<main id="main" tabindex="-1">{_introduction(info, procedures, origin)}'
        f"{''.join(_groups(document, procedures))}{_types(document)}</main>"
    )
    return Page(_html(info["title"], body), _policy())


def _html(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}: reference</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>{body}<script>{_SCRIPT}</script></body></html>\n"
    )


def _policy() -> str:
    return (
        f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _header(info: Document) -> str:
    return (
        f"<header><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{prose(info.get('summary', ''))}</p></header>"
    )


def _navigation(document: Document, procedures: list[_Procedure]) -> str:
    groups = "".join(
        f"<ul>{''.join(_entry(procedure) for procedure in _of(tag, procedures))}</ul>" for tag in document["tags"]
    )
    search = '<div hidden><label for="search">Narrow</label><input id="search" type="search"></div>'
    types = '<ul><li data-text="types"><a href="#types">Types</a></li></ul>'
    return f'<nav aria-label="Procedures">{search}{groups}{types}</nav>'


def _entry(procedure: _Procedure) -> str:
    searched = escape(f"{procedure.name} {procedure.operation['summary']}".lower())
    return f'<li data-text="{searched}"><a href="#{escape(procedure.name)}">{escape(procedure.name)}</a></li>'


def _introduction(info: Document, procedures: list[_Procedure], origin: str) -> str:
    paragraphs = "".join(f"<p>{prose(text)}</p>" for text in info.get("description", "").split("\n\n"))
    here = f"<span data-origin>{escape(origin)}</span>"
    subscribes = any(procedure.kind == "subscription" for procedure in procedures)
    streams = any("x-item" in procedure.answer for procedure in procedures)
    shell = escape(shell_setup(_ORIGIN), quote=False).replace(_ORIGIN, here)
    client = escape(client_setup(_ORIGIN, streams=streams, subscribes=subscribes), quote=False).replace(_ORIGIN, here)
    return (
        f'<section aria-labelledby="about"><h2 id="about">How to call</h2>{paragraphs}'
        f'<p>The commands below are for a shell in which these are set:</p><pre id="shell-setup">{shell}</pre>'
        f'<p>The statements of TypeScript are for a module that begins so:</p><pre id="client-setup">{client}</pre>'
        f"</section>"
    )


def _groups(document: Document, procedures: list[_Procedure]) -> Iterator[str]:
    for tag in document["tags"]:
        name = escape(tag["name"])
        articles = "".join(_article(procedure) for procedure in _of(tag, procedures))
        yield (
            f'<section aria-labelledby="group-{name}"><h2 id="group-{name}">{name}</h2>'
            f"<p>{prose(tag.get('description', ''))}</p>{articles}</section>"
        )


def _of(tag: Document, procedures: list[_Procedure]) -> list[_Procedure]:
    return [procedure for procedure in procedures if tag["name"] in procedure.operation["tags"]]


def _article(procedure: _Procedure) -> str:
    operation, name = procedure.operation, escape(procedure.name)
    described = operation.get("description", operation["summary"])
    return (
        f'<article aria-labelledby="{name}"><h3 id="{name}"><a href="#{name}">{name}</a></h3>'
        f'<p class="facts">{procedure.kind} · {procedure.method.upper()} · {_who(operation)}</p>'
        f"<p>{prose(described)}</p>{_input(procedure)}{_output(procedure)}{_calls(procedure)}{_refusals(operation)}"
        f"</article>"
    )


def _who(operation: Document) -> str:
    if scopes := operation.get("x-required-scopes"):
        return f"needs {' and '.join(f'<code>{escape(scope)}</code>' for scope in scopes)}"
    return "needs a valid token" if operation["security"] else "for anybody"


def _input(procedure: _Procedure) -> str:
    return f"<h4>Input</h4>{'<p>None.</p>' if procedure.input is None else fields(procedure.input)}"


def _output(procedure: _Procedure) -> str:
    answer = procedure.answer
    if events := answer.get("x-events"):
        message = events["message"]
        tracked = " Each may have an id: who sends the last one as `lastEventId` goes on behind it."
        more = prose(tracked) if "id" in message else ""
        return f"<h4>Items</h4><p><code>{expression(message['data'])}</code>{more}</p>"
    if "x-item" in answer:
        return f"<h4>Items</h4><p><code>{expression(answer['x-item'])}</code></p>"
    returned: Schema = answer["schema"]["properties"]["result"]["properties"].get("data", {"const": None})
    return f"<h4>Output</h4><p><code>{expression(returned)}</code></p>"


def _calls(procedure: _Procedure) -> str:
    needs_caller = bool(procedure.operation["security"])
    shown: list[str] = []
    for summary, input in procedure.inputs.items():
        command = curl(procedure.path, procedure.kind, input, needs_caller=needs_caller, streams=procedure.streams)
        statement = typescript_call(procedure.name, procedure.kind, input, streams=procedure.streams)
        title = f"<p>{prose(summary)}</p>" if summary else ""
        shown.append(
            f'{title}<pre data-call="curl">{escape(command, quote=False)}</pre>'
            f'<pre data-call="typescript">{escape(statement, quote=False)}</pre>'
        )
    return f"<h4>Call it</h4>{''.join(shown)}"


def _refusals(operation: Document) -> str:
    responses = {status: response for status, response in operation["responses"].items() if status != "200"}
    rows = "".join(
        f"<tr><th scope=row>{status}</th><td><code>{response['$ref'].rpartition('/')[2]}</code></td>"
        f"<td>{prose(response['description'])}</td></tr>"
        for status, response in responses.items()
    )
    head = "<tr><th scope=col>status</th><th scope=col>code</th><th scope=col>when</th></tr>"
    table = f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    return (
        f'<details><summary>Refusals</summary>{table}<p><a href="#{type_id("RpcError")}">The envelope</a></p></details>'
    )


def _types(document: Document) -> str:
    shown = "".join(_type(name, schema) for name, schema in document["components"]["schemas"].items())
    return f'<section aria-labelledby="types"><h2 id="types">Types</h2>{shown}</section>'


def _type(name: str, schema: Schema) -> str:
    anchor = escape(type_id(name))
    description = f"<p>{prose(schema['description'])}</p>" if "description" in schema else ""
    return f'<h3 id="{anchor}"><a href="#{anchor}">{escape(name)}</a></h3>{description}{fields(schema)}'
