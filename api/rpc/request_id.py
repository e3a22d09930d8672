"""The id of a request: on its response, in our log, and in what a client is told of a mistake of ours."""

import re
import secrets

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id_from(sent: str | None) -> str:
    """The id that the client or a proxy has sent, if it can stand in a log line; else a new one.

    >>> request_id_from("a-proxy.1"), len(request_id_from("two words")), len(request_id_from(None))
    ('a-proxy.1', 32, 32)
    """
    return sent if sent is not None and _SANE.fullmatch(sent) else secrets.token_hex(16)
