"""What one program may take."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one program.

    `seconds` are those that it computes: while a tool is at work they do not pass. `value_bytes` bounds the arguments
    of a call, what it gives back, and the program's own value, each as JSON.
    """

    seconds: float = 10.0
    memory_bytes: int = 64 * 1024 * 1024
    depth: int = 200
    calls: int = 100
    calls_at_once: int = 10
    code_characters: int = 64_000
    printed_characters: int = 16_000
    value_bytes: int = 256 * 1024
