"""The JSON lines of a streamed batch: bytes out, nothing kept.

The first line announces a promise for each call, and each later line settles one of these, or announces and feeds an
async iterable. A call is settled in one line, envelope and all: the official server takes three, for the envelope's
two levels are promises there, and every client since 11.0 reads either.
"""

from typing import Any

import msgspec

PING = b" "


def head(count: int) -> bytes:
    """The first line, of `count` calls; the promise of each has its index as id.

    >>> head(2)
    b'{"0":[[0],[null,0,0]],"1":[[0],[null,0,1]]}\\n'
    """
    return b"{%b}\n" % b",".join(b'"%d":[[0],[null,0,%d]]' % (index, index) for index in range(count))


def settled(call: int, envelope: bytes) -> bytes:
    """The line that ends a call; a refusal is no rejection, but an envelope as well.

    >>> settled(1, b'{"result":{"data":"pong"}}')
    b'[1,0,[[{"result":{"data":"pong"}}]]]\\n'
    """
    return b"[%d,0,[[%b]]]\n" % (call, envelope)


def opened(call: int, result: int, iterable: int) -> bytes:
    """The lines that settle a call with an async iterable, under two ids that nothing else has.

    >>> opened(0, 2, 3)
    b'[0,0,[[{"result":0}],["result",0,2]]]\\n[2,0,[[{"data":0}],["data",1,3]]]\\n'
    """
    return b'[%d,0,[[{"result":0}],["result",0,%d]]]\n[%d,0,[[{"data":0}],["data",1,%d]]]\n' % (
        call,
        result,
        result,
        iterable,
    )


def item(iterable: int, data: bytes | None) -> bytes:
    """The line of one item; None is `undefined`.

    >>> item(3, b'"a"'), item(3, None)
    (b'[3,1,[["a"]]]\\n', b'[3,1,[[]]]\\n')
    """
    return b"[%d,1,[[%b]]]\n" % (iterable, data or b"")


def returned(iterable: int) -> bytes:
    """The line that ends an iterable.

    >>> returned(3)
    b'[3,0,[[]]]\\n'
    """
    return b"[%d,0,[[]]]\n" % iterable


def failed(iterable: int, shape: dict[str, Any]) -> bytes:
    """The line that ends an iterable with an error.

    >>> failed(3, {"code": -32603})
    b'[3,2,{"code":-32603}]\\n'
    """
    return b"[%d,2,%b]\n" % (iterable, msgspec.json.encode(shape))
