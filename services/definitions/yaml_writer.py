"""JSON values as text that `yaml12.read` reads back: YAML 1.2 core, the same text for the same value.

Objects and lists that are short and simple stand on one line, as people write them; texts of several lines are literal
blocks. A text has quotes when it would be read as something else without them.
"""

import re
from collections.abc import Iterator

from services.json import Json, JsonObject

_WIDTH = 110
# Of a key on its line; the reader takes up to 1,024 characters.
_MAX_KEY = 1_000

# What the core schema takes for null, a boolean or a number (§10.3.2).
_NO_TEXT = re.compile(
    r"(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))?"
)
# What stands in a text as it is; the rest is escaped. Other line breaks than \n are read as such, and so are lost.
_ESCAPED = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# What begins something else than a text: at its start, within it, and within what stands on one line.
_AT_START = re.compile(r"[,\[\]{}#&*!|>'\"%@`]|[-?:](?: |$)|(?:---|\.\.\.)(?: |$)| ")
_WITHIN = re.compile(r"[\t\n]|: |:$| #| $")
# PyYAML ends a text at any question mark there.
_IN_FLOW = re.compile(r"[,\[\]{}?]|^:")
_WOULD_BE_ESCAPED = re.compile(r"[\\\"]")
_NOT_IN_SINGLE_QUOTES = re.compile(r"['\t\n]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def write(value: Json) -> str:
    r"""The value as YAML, with a line break at the end. Keys keep their sequence.

    >>> print(write({"on": "no", "port": "0o17", "said": "One.\nTwo.\n", "tags": ["a", "b: c"]}), end="")
    on: no
    port: "0o17"
    said: |
      One.
      Two.
    tags: [a, "b: c"]
    """
    if isinstance(value, dict | list) and value:
        return "".join(line + "\n" for line in _block(value))
    return _flow(value) + "\n"


def _block(value: JsonObject | list[Json]) -> Iterator[str]:
    """The lines of an object or a list that holds something."""
    if isinstance(value, list):
        for item in value:
            yield from _led("-", item)
        return
    for key, item in value.items():
        written = _text(key)
        if len(written) > _MAX_KEY:
            yield f"? {written}"
            yield from _led(":", item)
        else:
            yield from _led(f"{written}:", item, is_key=True)


def _led(lead: str, value: Json, *, is_key: bool = False) -> Iterator[str]:
    """The lines of a value behind what leads to it: a key, on whose line no block begins, or a mark."""
    if isinstance(value, str) and (header := _header(value)) is not None:
        yield f"{lead} {header}"
        # A line break at the end is that of the last line; `|-` has none, and `|+` all of them.
        yield from _indented(value.removesuffix("\n").split("\n"))
    elif not isinstance(value, dict | list) or _is_short(value, len(lead) + 1):
        yield f"{lead} {_flow(value)}"
    elif is_key:
        yield lead
        yield from _indented(_block(value))
    else:
        first, *others = _block(value)
        yield f"{lead} {first}"
        yield from _indented(others)


def _indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (f"  {line}" if line else line for line in lines)


def _header(text: str) -> str | None:
    """How a literal block of this text begins; None where it is none."""
    if "\n" not in text or not text.strip(" \t\n") or _ESCAPED.search(text):
        return None
    # Where the first line begins with a blank, nobody could tell how far the block is indented.
    indent = "2" if text.lstrip("\n").startswith(" ") or text.split("\n", 1)[0].startswith(" ") else ""
    chomping = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    return f"|{indent}{chomping}"


def _is_short(value: JsonObject | list[Json], column: int) -> bool:
    """Whether an object or a list stands on the line that it begins on, as one that holds nothing always does."""
    if not value:
        return True
    if isinstance(value, list) and any(isinstance(item, dict) and item for item in value):
        return False
    return _height(value) <= 2 and column + len(_flow(value)) <= _WIDTH


def _height(value: Json) -> int:
    """How many objects and lists are in one another; what cannot stand on one line is as high as anything."""
    if isinstance(value, str):
        return 9 if "\n" in value else 0
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_height, members)) if members else 0


def _flow(value: Json) -> str:
    """The value on one line."""
    match value:
        case str():
            return _text(value, in_flow=True)
        case dict():
            return "{" + ", ".join(f"{_text(key, in_flow=True)}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return repr(value)


def _text(text: str, *, in_flow: bool = False) -> str:
    """A text on one line, in quotes if it needs them."""
    is_plain = not (
        _NO_TEXT.fullmatch(text)
        or _AT_START.match(text)
        or _WITHIN.search(text)
        or _ESCAPED.search(text)
        or (in_flow and _IN_FLOW.search(text))
    )
    if is_plain:
        return text
    if _WOULD_BE_ESCAPED.search(text) and not _NOT_IN_SINGLE_QUOTES.search(text) and not _ESCAPED.search(text):
        return f"'{text}'"
    escaped = re.sub(r'[\\"\n\t]', lambda found: _ESCAPES[found[0]], text)
    return '"' + _ESCAPED.sub(lambda found: _escape(found[0]), escaped) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
