"""Bodies that nobody means well with, sent to every mutation: an envelope that refuses, and never a change."""

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from api.root import router
from tests.api.client import Api
from tests.api.inputs import smallest_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

MUTATIONS = [name for name, procedure in router if procedure.kind == "mutation"]
JSON = "application/json"
MEBIBYTE = 1024 * 1024
GZIP_BOMB = gzip.compress(bytes(64 * MEBIBYTE))


@dataclass(frozen=True)
class Attack:
    """A body as it goes over the wire, with what its headers claim, and the statuses that are an answer to it."""

    body: bytes
    statuses: tuple[int, ...] = (400,)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = JSON
    is_chunked: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back, to the last byte."""

    status: int
    headers: dict[str, str]
    body: bytes


# What stands for no input at all.
NO_INPUT = ("nothing", "blanks", "null")


def attacks(good: Any) -> Iterator[tuple[str, Attack]]:
    """Each by its name; `good` is an input that the procedure takes."""
    text = msgspec.json.encode(good)
    first = next(iter(good))
    yield from ((name, Attack(body)) for name, body in _broken(text).items())
    yield from ((name, Attack(msgspec.json.encode(value))) for name, value in _no_objects(good, first).items())
    yield from ((name, Attack(_with(good, first, value))) for name, value in _values().items())
    yield from _mislabelled(text)
    yield from _too_large(text)


def _broken(text: bytes) -> dict[str, bytes]:
    return {
        "a byte that is no UTF-8": text[:-1] + b',"\xff":1}',
        "an overlong encoding": text[:-1] + b',"\xc0\xaf":1}',
        "an encoded surrogate": text[:-1] + b',"\xed\xa0\x80":1}',
        "UTF-16": text.decode().encode("utf-16"),
        "UTF-32 without a mark": text.decode().encode("utf-32-le"),
        "a byte order mark": b"\xef\xbb\xbf" + text,
        "a NUL before it": b"\0" + text,
        "a NUL behind it": text + b"\0",
        "cut off at the end": text[:-1],
        "cut off in the middle": text[: len(text) // 2],
        "something behind it": text + b" x",
        "twice the same": text + text,
        "a comment": b"/* */" + text,
        "a comma too many": text[:-1] + b",}",
        "JavaScript's quotes": text.replace(b'"', b"'"),
        "nothing": b"",
        "blanks": b" \n\t ",
        "an array bomb": b"[" * 500_000,
        "an object bomb": b'{"a":' * 150_000,
        "a bomb behind what is meant": text[:-1] + b',"x":' + b"[" * 500_000,
        "a key given twice": text[:-1] + b"," + text[1:],
        "a key given twice, once in escapes": text[:-1] + b',"\\u' + f"{text[2]:04x}".encode() + text[3:],
        "a key of half a mebibyte": text[:-1] + b',"' + b"k" * (MEBIBYTE // 2) + b'":1}',
        "fifty thousand keys": text[:-1] + b"".join(b',"k%d":1' % number for number in range(50_000)) + b"}",
        "a packed body that nobody declares": gzip.compress(text),
    }


def _no_objects(good: Any, first: str) -> dict[str, Any]:
    return {
        "null": None,
        "true": True,
        "a number": 1,
        "a text": "text",
        "an array": [good],
        "it in an object": {"input": good},
        "JavaScript's prototype": {**good, "__proto__": {first: 1}},
        "the constructor": {**good, "constructor": {"prototype": {}}},
    }


def _values() -> dict[str, bytes]:
    return {
        "a number beyond all": b"1e400",
        "a long number": b"9" * 5_000,
        "a long fraction": b"0." + b"1" * 100_000 + b"e-400000",
        "a number in hexadecimal": b"0x10",
        "not a number": b"NaN",
        "infinity": b"-Infinity",
        "a text with a NUL": b'"a\\u0000b"',
        "a NUL in a text": b'"a\0b"',
        "half a surrogate": b'"\\ud800"',
        "a line break in a text": b'"a\nb"',
    }


def _with(good: Any, first: str, value: bytes) -> bytes:
    return msgspec.json.encode({**good, first: msgspec.Raw(value)})


def _mislabelled(text: bytes) -> Iterator[tuple[str, Attack]]:
    form = b'--b\r\ncontent-disposition: form-data; name="0"\r\n\r\n' + text + b"\r\n--b--\r\n"
    for declared, body in {
        "text/plain": text,
        "application/xml": text,
        "application/x-www-form-urlencoded": b"input=" + text,
        "multipart/form-data; boundary=b": form,
        "application/octet-stream": text,
        "application/json-patch+json": text,
        "application/jsonx": text,
        "json": text,
    }.items():
        yield f"declared as {declared}", Attack(body, (415,), content_type=declared)
    yield "declared as nothing", Attack(text, (415,), content_type=None)
    for encoding, body in {
        "gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "br": text,
        "x, gzip": text,
    }.items():
        yield f"encoded as {encoding}", Attack(body, (415,), {"content-encoding": encoding})
    yield "a bomb in a gzip", Attack(GZIP_BOMB, (415,), {"content-encoding": "gzip"})


def _too_large(text: bytes) -> Iterator[tuple[str, Attack]]:
    padded = b" " * (2 * MEBIBYTE) + text
    yield "more than there may be", Attack(padded, (413,))
    yield "more than there may be, in chunks", Attack(padded, (413,), is_chunked=True)
    yield "a length that nothing has", Attack(b"", (413,), {"content-length": str(10**15)})
    yield "broken, in chunks", Attack(text[:-1], is_chunked=True)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_it_is_refused_and_nothing_changes(api: Api, name: str) -> None:
    before = await api.rows()

    needed = smallest_input(router.procedures[name])
    # Where nothing has to be given, a member that nobody knows is as good, and nothing is an input.
    for attack, sent in attacks(needed or {"anything": 1}):
        if attack in NO_INPUT and not needed:
            continue
        answer = await answered(api, name, sent)

        assert answer is not None, attack
        data = msgspec.json.decode(answer.body)["error"]["data"]
        assert answer.status in sent.statuses, (attack, answer)
        assert answer.headers["content-type"] == JSON
        assert data["httpStatus"] == answer.status
    assert await api.rows() == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_body_that_never_ends_is_no_call(api: Api, name: str) -> None:
    text = msgspec.json.encode(smallest_input(router.procedures[name]))
    before = await api.rows()

    claimed = await answered(api, name, Attack(text, headers={"content-length": str(len(text) + 1)}), hang_up=True)

    assert claimed is None
    assert await api.rows() == before


async def answered(api: Api, name: str, attack: Attack, *, hang_up: bool = False) -> Answer | None:
    """What the server sends until it closes the connection; None when that is nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    headers = {"host": "rolecall", "authorization": f"Bearer {api.token}", "connection": "close"}
    headers |= {"content-type": attack.content_type} if attack.content_type is not None else {}
    headers |= {"transfer-encoding": "chunked"} if attack.is_chunked else {"content-length": str(len(attack.body))}
    lines = [f"{key}: {value}" for key, value in (headers | attack.headers).items()]
    try:
        writer.write("\r\n".join([f"POST /trpc/{name} HTTP/1.1", *lines, "\r\n"]).encode())
        writer.write(_chunked(attack.body) if attack.is_chunked else attack.body)
        if hang_up:
            writer.write_eof()
        return _read(await asyncio.wait_for(_to_the_end(reader), 10))
    finally:
        writer.close()


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    try:
        while chunk := await reader.read(65_536):
            received += chunk
    except ConnectionError:
        pass  # whoever sends on after the answer is cut off; what was answered stays
    return bytes(received)


def _chunked(body: bytes, size: int = 50_000) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _read(received: bytes) -> Answer | None:
    if not received:
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)
