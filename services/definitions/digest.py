"""The canonical form of a document and its digest."""

import hashlib

import msgspec

from services.definitions.document import Document, as_json


def canonical(document: Document) -> bytes:
    """The document as JSON with sorted keys, without white space and without what has its default (after RFC 8785)."""
    return msgspec.json.encode(as_json(document), order="sorted")


def digest(document: Document) -> str:
    """`sha256:` and 64 hexadecimal digits; equal for documents that mean the same.

    >>> from services.definitions.document import Document
    >>> digest(Document(name="a", steps=())) == digest(Document(name="a", steps=(), description=""))
    True
    """
    return "sha256:" + hashlib.sha256(canonical(document)).hexdigest()
