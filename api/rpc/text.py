"""What JSON text may hold on its way in, and what JavaScript can read on its way out."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from api.rpc.codes import RpcError
from api.rpc.json import is_array, is_object
from api.rpc.problems import Problem, pointer, refused

MAX_DEPTH = 64
# JavaScript's Number.MAX_SAFE_INTEGER: from here on, neighbouring integers are read as the same number.
MAX_INTEGER = 2**53 - 1

_SHOWN = 100

_KEY_OR_TEXT = re.compile(rb'"((?:[^"\\]++|\\.)*+)"\s*+(:?)', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_AS_ZEROS = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_INTEGER = re.compile(rb"(?:^|[\[:,])-?\d{16,}(?:[,\]}]|$)")


def check_text(text: bytes, *, max_depth: int = MAX_DEPTH) -> None:
    """Refuse text that is not UTF-8, is nested too deeply or gives a key twice, before any decoder sees it.

    Raises:
        RpcError: BAD_REQUEST, saying which of the three.
    """
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise RpcError(
            "BAD_REQUEST", f"the input is not UTF-8: byte {error.start} is not part of a character"
        ) from None
    if _is_deeper_than(max_depth, text):
        raise RpcError("BAD_REQUEST", f"the input is nested more than {max_depth} levels deep")
    if (key := _key_given_twice(text)) is not None:
        raise RpcError("BAD_REQUEST", f"the key `{key[:_SHOWN]}` is given twice in one object; which one counts?")


def check_values(text: bytes, value: object) -> None:
    """Refuse, in what `text` was decoded to, strings with a NUL and integers JavaScript would round.

    Raises:
        RpcError: BAD_REQUEST with a problem per place.
    """
    # Nearly every text is cleared by these two look-ups; only the rest is walked.
    if rb"\u0000" not in text and not _has_long_number(text):
        return
    problems = [problem for path, part in _parts(msgspec.to_builtins(value)) if (problem := _unfit(path, part))]
    if problems:
        raise refused(problems)


def for_javascript(text: bytes) -> bytes:
    """The same JSON, with integers JavaScript would round sent as strings.

    >>> for_javascript(b'{"small":1,"large":9007199254740993}')
    b'{"small":1,"large":"9007199254740993"}'
    """
    if not _has_long_number(text) or not _INTEGER.search(text):
        return text
    return msgspec.json.encode(_with_strings(msgspec.json.decode(text)))


def _is_deeper_than(limit: int, text: bytes) -> bool:
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", text).translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > limit:
            return True
    return False


def _key_given_twice(text: bytes) -> str | None:
    # Readers of JSON differ in which of the two they take; that is how one of them lets in what another refused.
    keys = [key for key, colon in _KEY_OR_TEXT.findall(text) if colon]
    if len(set(keys)) == len(keys) and not any(b"\\" in key for key in keys):
        return None
    try:
        json.loads(text, object_pairs_hook=_object_of_pairs, parse_int=str, parse_float=str)
    except _GivenTwice as found:
        return found.key
    except ValueError:
        return None  # the decoder says what is wrong with it
    return None


class _GivenTwice(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _GivenTwice(key)
        seen.add(key)


def _has_long_number(text: bytes) -> bool:
    return b"0" * 16 in text.translate(_DIGITS_AS_ZEROS)


def _parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if is_object(value):
        for key, member in value.items():
            yield path, key
            yield from _parts(member, path + pointer(key))
    elif is_array(value):
        for index, item in enumerate(value):
            yield from _parts(item, path + pointer(index))


def _unfit(path: str, part: object) -> Problem | None:
    if isinstance(part, str) and "\0" in part:
        return Problem(code="WRONG_VALUE", path=path, message="text cannot hold the NUL character")
    if _is_rounded(part):
        message = f"integers beyond ±{MAX_INTEGER} lose digits in JavaScript; send it as a string"
        return Problem(code="WRONG_VALUE", path=path, message=message)
    return None


def _is_rounded(value: object) -> bool:
    return isinstance(value, int) and abs(value) > MAX_INTEGER


def _with_strings(value: Any) -> Any:
    if is_object(value):
        return {key: _with_strings(member) for key, member in value.items()}
    if is_array(value):
        return [_with_strings(item) for item in value]
    return str(value) if _is_rounded(value) else value
