"""A text that shows itself to nobody by accident."""

import hmac
from typing import NoReturn


class Secret:
    """A text that is only ever read where `reveal` is written.

    It prints as `***`, and cannot be serialised, pickled or copied.

    >>> key = Secret("sk-123")
    >>> f"{key} {key!r}", key.reveal()
    ('*** ***', 'sk-123')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, to be sent to whom it is for and kept nowhere."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same text; it takes as long for any other of the same length."""
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not written down; reveal() it to whom it is for")
