"""The body of an answer: read and unpacked piece by piece, and never further than its limit."""

import zlib
from collections.abc import AsyncIterator

from services.outbound.errors import TooLarge, Unanswered

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


async def read(chunks: AsyncIterator[bytes], encoding: str, max_bytes: int) -> bytes:
    """The whole body; `encoding` is what the answer says of its packing, in lower case.

    Raises:
        TooLarge: it has more than `max_bytes`, unpacked.
        Unanswered: it is packed in a way that was not asked for and cannot be read, or badly.
    """
    unpack = _unpacker(encoding)
    body = bytearray()
    async for chunk in chunks:
        # One byte more than there is room for tells that there is more.
        body += unpack(chunk, max_bytes - len(body) + 1)
        if len(body) > max_bytes:
            raise TooLarge(f"the answer has more than {max_bytes:,} bytes")
    unpack.finish()
    return bytes(body)


class _Plain:
    def __call__(self, chunk: bytes, max_bytes: int) -> bytes:
        return chunk

    def finish(self) -> None:
        """Where it ends, HTTP has told."""


class _Zipped:
    def __init__(self) -> None:
        self._packed = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._has_begun = False

    def __call__(self, chunk: bytes, max_bytes: int) -> bytes:
        try:
            # What is left over when the limit is reached is of no interest: the answer is too large then.
            return self._packed.decompress(chunk, max_bytes)
        except zlib.error:
            raise Unanswered("the answer is packed in a way that cannot be read") from None
        finally:
            self._has_begun = True

    def finish(self) -> None:
        if self._has_begun and not self._packed.eof:
            raise Unanswered("the answer ends in the middle")


def _unpacker(encoding: str) -> _Plain | _Zipped:
    if encoding in ("", "identity"):
        return _Plain()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _Zipped()
    raise Unanswered(f"the answer is packed as {encoding[:50]!r}, which was not asked for")
