"""One thing that is wrong with a document or an input, said so that a person or an agent can mend it."""

from collections.abc import Sequence

import msgspec

from services.definitions.patch import Operation

_SAID = 5


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is wrong, where, and what would have been right.

    `path` is a JSON Pointer (RFC 6901) into the document; `allowed` lists what may stand there; `suggestion` is the
    nearest of these, when one is near. `patch` is a JSON Patch (RFC 6902) against the document as it was given, when it
    is clear what was meant: once it is applied, this problem is gone. Apply one, then check again: the patches of
    several problems may change the same place.
    """

    code: str
    path: str
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str | None = None
    patch: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        """The place and what is wrong there.

        >>> str(Problem(code="REQUIRED", path="", message="`name` is missing"))
        '/: `name` is missing'
        """
        return f"{self.path or '/'}: {self.message}"


def said(problems: Sequence[Problem]) -> str:
    """The first five of `problems` in one line: enough for a message that stands alone."""
    return "; ".join(map(str, problems[:_SAID]))
