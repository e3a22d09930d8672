"""Names on the wire: how Python spells them there, which are possible, which is nearest."""

import difflib
import re
from collections.abc import Iterable

SEGMENT = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
# The first three break JavaScript proxies, the other two the client's router type.
RESERVED = frozenset({"then", "call", "apply", "_def", "createCaller"})

# Comparing is quadratic; nobody mistypes a name longer than this.
_LONGEST_COMPARED = 100


def wire_name(python_name: str) -> str:
    """The camelCase spelling; a trailing underscore, there to dodge a Python word, is dropped.

    >>> [wire_name(name) for name in ("max_retries", "from_", "id", "dryRun")]
    ['maxRetries', 'from', 'id', 'dryRun']
    """
    first, *rest = python_name.rstrip("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant, if one is near.

    >>> nearest("role.craete", ["role.create", "role.list"])
    'role.create'
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:_LONGEST_COMPARED].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
