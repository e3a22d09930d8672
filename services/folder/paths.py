"""Which paths below the opened folder there can be: names that mean the same on every system, and nothing else.

A path is refused for what it says before anything is opened. What it leads to is looked at as it is opened.
"""

import re
import unicodedata

MAX_CHARACTERS = 500
MAX_NAME_BYTES = 255
MAX_PARTS = 32

# Letters and signs that look like others, or like nothing: controls, formats, surrogates, unassigned ones, separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# What some system takes for a separator, a drive, a stream or a pattern.
_RESERVED = frozenset('\\:*?"<>|')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)


class RefusedPath(Exception):
    """The path is none below the opened folder; the message says what one looks like."""


def parts_of(path: str) -> tuple[str, ...]:
    """The names in `path`, the outermost first; `.` is the folder itself and has none.

    >>> parts_of("notes/plan.txt")
    ('notes', 'plan.txt')
    >>> parts_of(".")
    ()

    Raises:
        RefusedPath: it begins elsewhere, goes up, or has a name that is hidden or means another thing elsewhere.
    """
    if path == ".":
        return ()
    if len(path) > MAX_CHARACTERS:
        raise RefusedPath(f"a path has up to {MAX_CHARACTERS} characters; this one has {len(path):,}")
    parts = tuple(path.split("/"))
    if len(parts) > MAX_PARTS:
        raise RefusedPath(f"a path leads through up to {MAX_PARTS} names; this one through {len(parts)}")
    for name in parts:
        if problem := problem_of_name(name):
            raise RefusedPath(
                f"{path!r} is not a path below the opened folder: {problem}; write it like 'notes/plan.txt'"
            )
    return parts


def problem_of_name(name: str) -> str | None:
    """Why nothing of that name is opened; None when it may be.

    >>> problem_of_name("plan.txt") is None
    True
    >>> problem_of_name(".env")
    'names that begin with a dot are hidden from roles'
    """
    if not name:
        return "it begins or ends with a slash, or has two together"
    if name in (".", ".."):
        return "it has a part that is . or .."
    if name.startswith("."):
        return "names that begin with a dot are hidden from roles"
    if any(unicodedata.category(sign) in _UNPRINTABLE for sign in name):
        return "it has a sign that cannot be seen"
    if found := sorted(_RESERVED.intersection(name)):
        return f"it has {' '.join(found)}, which mean something else on some systems"
    if name != name.strip() or name.endswith(".") or name.startswith("~"):
        return "a name begins with ~, or begins or ends with a blank, or ends with a dot"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a name has up to {MAX_NAME_BYTES} bytes"
    if _DEVICE.fullmatch(name):
        return "on some systems that is a device"
    return _problem_of_letters(name)


def _problem_of_letters(name: str) -> str | None:
    if name != unicodedata.normalize("NFC", name):
        return "its letters are not composed (NFC)"
    # A sign that stands for a slash, a dot or a backslash once somebody normalises the name.
    plain = unicodedata.normalize("NFKC", name)
    if any(plain.count(sign) != name.count(sign) for sign in "/\\.:~"):
        return "it has a sign that stands for a slash or a dot"
    return None
