"""Server-sent events out of bytes that come in any pieces."""

from typing import NamedTuple


class Event(NamedTuple):
    """One event: its name, empty where none was given, and its data."""

    name: str
    data: bytes


class TooLong(ValueError):
    """One event is longer than it may be."""


class Events:
    """Puts together the events of one stream; none may hold more than `max_bytes`.

    Lines end with a line feed, with or without a carriage return before it. An event that the stream ends within is
    none, as the standard has it.

    >>> events = Events(1_000)
    >>> events.feed(b"data: {}\\n\\ndata: [DO")
    [Event(name='', data=b'{}')]
    >>> events.feed(b"NE]\\r\\n\\r\\n")
    [Event(name='', data=b'[DONE]')]
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._held_bytes = 0
        self._is_first_line = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` ends.

        Raises:
            TooLong: an event is longer than `max_bytes`.
        """
        found: list[Event] = []
        looked_through = len(self._rest)
        self._rest += chunk
        while (end := self._rest.find(b"\n", looked_through)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            looked_through = 0
            self._take(line.removesuffix(b"\r"), found)
        if len(self._rest) + self._held_bytes > self._max_bytes:
            raise TooLong(f"an event is longer than {self._max_bytes} bytes")
        return found

    def _take(self, line: bytes, found: list[Event]) -> None:
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            if self._data:
                found.append(Event(self._name, b"\n".join(self._data)))
            self._name, self._data, self._held_bytes = "", [], 0
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._held_bytes += len(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
