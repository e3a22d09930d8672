"""Bytes as text: by what their sender says they are, by what they say themselves, and by what they look like."""

import codecs
import re
from collections.abc import Iterator

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# By Python's names; some of its others take long, or make code of what they read.
_READ = frozenset(
    {
        "ascii", "big5", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
        "cp866", "cp874", "cp932", "cp949", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "iso2022_jp", "iso8859-1",
        "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "iso8859-2", "iso8859-3", "iso8859-4",
        "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "koi8-r", "koi8-u", "mac-cyrillic", "mac-roman",
        "shift_jis", "utf-16", "utf-16-be", "utf-16-le", "utf-8", "utf-8-sig",
    }
)  # fmt: skip
# Pages say the one and mean the other: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
_TEXTUAL = re.compile(
    r"text/|application/(json|xml|javascript|ecmascript|x-www-form-urlencoded|yaml|toml|graphql)|.*\+(json|xml|yaml)"
)
_JSON = re.compile(r"application/json|.*\+json")
# Where a page tells its charset, it does so in the beginning.
_LOOKED_AT = 4096


def decoded(content: bytes, content_type: str, *, is_markup: bool = False) -> str | None:
    """The text that the bytes spell, without the NUL characters that nothing here can keep; None when they are none.

    >>> decoded("naïve".encode("latin-1"), "text/plain; charset=ISO-8859-1"), decoded(b"\\x00\\xff", "image/png")
    ('naïve', None)
    """
    is_text = is_markup or _TEXTUAL.match(_kind(content_type)) is not None
    for charset in _candidates(content, content_type, is_markup=is_markup, is_text=is_text):
        try:
            return content.decode(charset).replace("\0", "")
        except UnicodeError:
            continue
    return content.decode("utf-8", "replace").replace("\0", "") if is_text else None


def is_json(content_type: str) -> bool:
    """Whether a content type is that of JSON.

    >>> is_json("application/problem+json; charset=utf-8"), is_json("text/html")
    (True, False)
    """
    return _JSON.match(_kind(content_type)) is not None


def _candidates(content: bytes, content_type: str, *, is_markup: bool, is_text: bool) -> Iterator[str]:
    yield from (charset for mark, charset in _MARKS if content.startswith(mark))
    if (said := _CHARSET.search(content_type)) is not None:
        yield from _known(said[1])
    elif is_markup and (written := _META.search(content[:_LOOKED_AT])) is not None:
        yield from _known(written[1].decode("ascii"))
    yield "utf-8"
    if is_text:
        yield "cp1252"


def _known(label: str) -> Iterator[str]:
    """The charset of that label, if it is one that is read."""
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return
    if name in _READ:
        yield _MEANT.get(name, name)


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
