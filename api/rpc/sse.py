"""The server-sent events of a subscription: bytes out, and the one thing to remember, which id the client remembers."""

from typing import Any

import msgspec

PING = b"event: ping\ndata: \n\n\n"
RETURN = b"event: return\ndata: \n\n\n"


def connected(reconnect_after_seconds: float | None, retry_seconds: float | None) -> bytes:
    """The first event: after how much silence the client shall connect anew, if at all, and how soon after an end.

    >>> connected(10, 2)
    b'retry: 2000\\nevent: connected\\ndata: {"reconnectAfterInactivityMs":10000}\\n\\n\\n'
    >>> connected(None, None)
    b'event: connected\\ndata: {}\\n\\n\\n'
    """
    options = {} if reconnect_after_seconds is None else {"reconnectAfterInactivityMs": _ms(reconnect_after_seconds)}
    retry = b"" if retry_seconds is None else b"retry: %d\n" % _ms(retry_seconds)
    return b"%bevent: connected\ndata: %b\n\n\n" % (retry, msgspec.json.encode(options))


def failed(shape: dict[str, Any]) -> bytes:
    """The last event of a subscription that was refused or went wrong.

    >>> failed({"code": -32603})
    b'event: serialized-error\\ndata: {"code":-32603}\\n\\n\\n'
    """
    return b"event: serialized-error\ndata: %b\n\n\n" % msgspec.json.encode(shape)


class Items:
    """The events of one connection's items. `last_event_id` is what the client came back with.

    A client takes every event for one of the last id it has heard of, so the id is taken back for an item without
    one, and given again behind it.

    >>> items = Items(None)
    >>> items.event(b'"a"', "1")
    b'data: "a"\\nid: 1\\n\\n\\n'
    >>> items.event(b'"b"', None)
    b'data: "b"\\nid: \\n\\n\\nevent: restore-id\\ndata: \\nid: 1\\n\\n\\n'
    """

    def __init__(self, last_event_id: str | None) -> None:
        self._last_id = last_event_id

    def event(self, data: bytes | None, id: str | None) -> bytes:
        """The bytes of an item; `undefined`, which no event can carry, becomes `null`."""
        line = b"data: %b\n" % (b"null" if data is None else data)
        if id is not None:
            self._last_id = id
            return b"%bid: %b\n\n\n" % (line, id.encode())
        if self._last_id is None:
            return line + b"\n\n"
        return b"%bid: \n\n\nevent: restore-id\ndata: \nid: %b\n\n\n" % (line, self._last_id.encode())


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
