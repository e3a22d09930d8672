"""Bundles into text: the same text for the same roles and documents."""

from collections.abc import Iterable

import msgspec

from services.bundles.records import BundleRole, Format
from services.definitions import yaml_writer
from services.definitions.document import Document
from services.definitions.layout import document_layout, role_layout
from services.json import Json, JsonObject


def text_of(roles: Iterable[BundleRole], documents: Iterable[Document], format: Format = "yaml") -> str:
    """A bundle of these, as YAML that people read or as JSON without white space, its keys sorted."""
    shown: JsonObject = {"rolecall": 1}
    if listed := [role_layout(role) for role in roles]:
        shown["roles"] = [*listed]
    if listed := [document_layout(document) for document in documents]:
        shown["orchestrations"] = [_without_format(document) for document in listed]
    return _text(shown, format)


def alone(thing: BundleRole | Document, format: Format = "yaml") -> str:
    """A role or a document as a file of its own."""
    if isinstance(thing, Document):
        return _text(document_layout(thing), format)
    return _text({"rolecall": 1, **role_layout(thing)}, format)


def _text(value: JsonObject, format: Format) -> str:
    if format == "yaml":
        return yaml_writer.write(value)
    return msgspec.json.encode(value, order="sorted").decode() + "\n"


def _without_format(document: JsonObject) -> Json:
    return {name: value for name, value in document.items() if name != "rolecall"}
