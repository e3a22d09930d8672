"""Patterns that texts match to their very end, for Python and for every other engine."""

from typing import Any

import msgspec

# To Python alone `$` also stands before a last line break, and only some of the others can look ahead.
_END = r"$(?!\n)"
_ESCAPED_END = msgspec.json.encode(_END)[1:-1]


def like(pattern: str, description: str | None = None) -> msgspec.Meta:
    """Texts that match `pattern`, with nothing behind it."""
    return msgspec.Meta(pattern=pattern + _END, description=description)


def portable(schema: Any) -> Any:
    """A JSON Schema that was made of types, with the ends of such patterns as every engine reads them.

    >>> portable({"pattern": like("^[A-Z]").pattern})
    {'pattern': '^[A-Z]$'}
    """
    return msgspec.json.decode(msgspec.json.encode(schema).replace(_ESCAPED_END, b"$"))
