"""What JSON can hold."""

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    # msgspec reads annotations at run time and has no recursive aliases; what it decodes is JSON in any case.
    Json = Any

JsonObject: TypeAlias = dict[str, Json]


class Unreadable(ValueError):
    """A text that is no JSON, or whose JSON Python cannot hold: too many digits, or too deep."""


def read(text: str | bytes) -> Json:
    """The value that `text` spells; what a row holds may have been written by anybody.

    >>> read('{"topic": "tea"}')
    {'topic': 'tea'}

    Raises:
        Unreadable: it spells none.
    """
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None


# Escaped, but not an escaped backslash before the letters u0000.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def holds_nul(encoded: bytes) -> bool:
    r"""Whether some text in a JSON value holds U+0000, which Postgres cannot keep.

    >>> holds_nul(rb'["\\u0000"]'), holds_nul(rb'["\u0000"]')
    (False, True)
    """
    return _NUL.search(encoded) is not None


def without_nul(encoded: bytes) -> bytes:
    r"""The JSON value with U+FFFD wherever a text holds U+0000.

    >>> without_nul(rb'["a\u0000", "\\u0000"]').decode()
    '["a\\ufffd", "\\\\u0000"]'
    """
    return _NUL.sub(rb"\1\\ufffd", encoded)
