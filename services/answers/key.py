"""What makes two requests the same: everything that an answer could follow from."""

import hashlib
from uuid import UUID

import msgspec

from services.models.messages import Request


def key_of(request: Request, *, model: str, role_version: UUID | None, execution: UUID | None) -> str:
    """`sha256:` and the hash of the request as `model` ("provider/model") gets it, in that version of the role.

    With an execution the key is that one's alone. How long the answer may take is no part of what is asked.

    >>> first, later = (Request("", "Be brief.", (), timeout_seconds=seconds) for seconds in (1, 2))
    >>> of = {"model": "openai/gpt-6-luna", "role_version": UUID(int=1), "execution": None}
    >>> key_of(first, **of) == key_of(later, **of) != key_of(first, **of | {"role_version": UUID(int=2)})
    True
    """
    asked = msgspec.structs.replace(request, model=model, timeout_seconds=0)
    told = msgspec.json.encode([1, role_version, execution, asked], order="sorted")
    return f"sha256:{hashlib.sha256(told).hexdigest()}"
