"""What an orchestration is called as a procedure: a pure rule."""

import re

_SEPARATORS = " _.-"
_OPENING_CAPITALS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]")
# Names that the client, or JavaScript's promises, have a use of their own for.
_RESERVED = frozenset({"then", "call", "apply", "createCaller"})


def procedure_name(orchestration: str) -> str:
    """The name as one identifier: its words, divided by blanks, `_`, `.` and `-`, in camelCase.

    The capitals that it opens with are lowered, as far as they do not begin a word. An underscore goes behind a name
    that clients cannot call.

    >>> [procedure_name(name) for name in ("research-brief", "Write and review", "HTTPServer v2", "URL check", "then")]
    ['researchBrief', 'writeAndReview', 'httpServerV2', 'urlCheck', 'then_']
    """
    first, *rest = (word for word in re.split(f"[{_SEPARATORS}]+", orchestration) if word)
    first = _OPENING_CAPITALS.sub(lambda capitals: capitals[0].lower(), first, count=1) if first[0].isupper() else first
    name = first + "".join(word[0].upper() + word[1:] for word in rest)
    return f"{name}_" if name in _RESERVED else name


def letters(name: str) -> str:
    """What the name of an orchestration shares with that of its procedure: letters and digits, in lower case.

    >>> letters("Research-Brief"), letters("researchBrief")
    ('researchbrief', 'researchbrief')
    """
    return "".join(character for character in name if character not in _SEPARATORS).lower()
