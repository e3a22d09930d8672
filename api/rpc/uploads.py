"""Inputs that are no JSON: a form with its files, and a stream of bytes."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from api.rpc.codes import RpcError
from api.rpc.problems import Problem, pointer, refused

T = TypeVar("T")

JSON = "application/json"
FORM = "multipart/form-data"
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a form. `filename` and `content_type` are what the client says they are."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """A parameter of this type takes `multipart/form-data`: texts and files by name, each in the order it was sent."""

    media_type: ClassVar[str] = FORM

    texts: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[File, ...]]

    def text(self, name: str) -> str:
        """The first text of that name.

        Raises:
            RpcError: BAD_REQUEST, there is none.
        """
        return _first(self.texts, name, "text")

    def file(self, name: str) -> File:
        """The first file of that name.

        Raises:
            RpcError: BAD_REQUEST, there is none.
        """
        return _first(self.files, name, "file")


class Octets:
    """A parameter of this type takes `application/octet-stream`: chunks of bytes, as they come in.

    The client sends no faster than they are read. While iterating RpcError may be raised: PAYLOAD_TOO_LARGE.
    """

    media_type: ClassVar[str] = OCTETS

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def read(self) -> bytes:
        """All that is left of them.

        Raises:
            RpcError: PAYLOAD_TOO_LARGE.
        """
        return b"".join([chunk async for chunk in self._chunks])


def read_form(content_type: str, body: bytes, *, max_parts: int) -> Form:
    """The form that `body` holds, as the Content-Type header says.

    Raises:
        RpcError: PAYLOAD_TOO_LARGE, it has more than `max_parts` parts; BAD_REQUEST, it is no form, or a text in it is
            no UTF-8 or holds a NUL.
    """
    boundary = _boundary(content_type)
    texts: dict[str, tuple[str, ...]] = {}
    files: dict[str, tuple[File, ...]] = {}
    try:
        for part, content in _parts(body, boundary, max_parts):
            name = _clean(part.name or "", "")
            if part.filename is None:
                texts[name] = (*texts.get(name, ()), _clean(content.decode(), name))
            else:
                file = File(_clean(part.filename, name), part.content_type or OCTETS, content)
                files[name] = (*files.get(name, ()), file)
    except ParserLimitReached as error:
        raise RpcError("PAYLOAD_TOO_LARGE", f"the form is too large: {error}", data={"maxParts": max_parts}) from None
    except (MultipartError, UnicodeError) as error:
        raise RpcError("BAD_REQUEST", f"the input is not a form: {error}") from None
    return Form(texts, files)


def _boundary(content_type: str) -> str:
    options: dict[str, str] = parse_options_header(content_type)[1]
    return options.get("boundary", "")


def _parts(body: bytes, boundary: str, max_parts: int) -> Iterator[tuple[MultipartSegment, bytes]]:
    with PushMultipartParser(boundary, max_segment_count=max_parts) as parser:
        part: MultipartSegment | None = None
        content = b""
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                part, content = event, b""
            elif event is not None:
                content += event
            elif part is not None:
                yield part, content


def _clean(text: str, name: str) -> str:
    if "\0" in text:
        message = "text cannot hold the NUL character"
        raise refused([Problem(code="WRONG_VALUE", path=pointer(name) if name else "", message=message)])
    return text


def _first(values: Mapping[str, tuple[T, ...]], name: str, noun: str) -> T:
    if name not in values:
        message = f"the {noun} `{name}` is missing"
        raise refused([Problem(code="REQUIRED", path="", message=message, allowed=(name,))])
    return values[name][0]
