"""One thing that is wrong with a document or an input, said so that a person or an agent can mend it."""

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is wrong, where, and what would have been right.

    `path` is a JSON Pointer (RFC 6901) into the document; `allowed` lists what may stand there; `suggestion` is the
    nearest of these, when one is near.
    """

    code: str
    path: str
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str | None = None
