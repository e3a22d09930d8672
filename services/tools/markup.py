"""HTML as people read it: its title, its main text and where it leads.

Parsers take time and memory that grow with the square of what a page nests, so pages of strangers are read in a process
of their own (`python -m services.tools.markup`), which ends where it takes too much.
"""

import asyncio
import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_LINK_TEXT = 200
_MAX_LINE = 500

# What nobody reads as the page's text.
_ASIDE = (
    "script, style, noscript, template, iframe, object, svg, canvas, nav, aside, form, dialog, [hidden],"
    " [aria-hidden=true], [role=navigation], [role=search], body > header, body > footer"
)
_MAIN = ("main", "[role=main]", "article", "body")
_BLOCKS = frozenset(
    {
        "address", "article", "blockquote", "body", "br", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p",
        "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_LINES = re.compile(r"\s*\n\s*")


_CPU_SECONDS = 5
_SECONDS = 20.0
_MEMORY_BYTES = 1024 * 1024 * 1024


class Unreadable(Exception):
    """The page takes more time or memory to read than it is given."""


class Asked(msgspec.Struct, frozen=True):
    """The arguments of `read`, for another process."""

    html: str
    url: str
    max_links: int


class Markup(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says; `links` are where it leads, each once, and what it calls that."""

    title: str
    description: str
    language: str
    text: str
    links: tuple[tuple[str, str], ...]


def read(html: str, url: str, max_links: int) -> Markup:
    """What the page at `url` says; its links are taken from all of it, its text from what is its own.

    >>> read("<nav>Menu</nav><main><h1>Tea</h1><p>Is <b>hot</b>.</main>", "https://tea.example", 9).text
    'Tea\\nIs hot.'
    """
    page = LexborHTMLParser(html)
    links = tuple(_links(page, url, max_links))
    title, description, language = _title(page), _content(page, "description"), _language(page)
    for node in page.css(_ASIDE):
        node.decompose()
    return Markup(title=title, description=description, language=language, text=_main(page), links=links)


async def read_apart(html: str, url: str, max_links: int) -> Markup:
    """As `read`, in a process of its own.

    Raises:
        Unreadable: it took more than five seconds, or more than a gibibyte.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Nothing that the server's own environment tells, such as its keys.
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            answer, _ = await process.communicate(msgspec.msgpack.encode(Asked(html, url, max_links)))
    except TimeoutError:
        raise Unreadable from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        raise Unreadable
    return msgspec.msgpack.decode(answer, type=Markup)


def _main(page: LexborHTMLParser) -> str:
    """The text of the first part that says that it is the main one and says anything."""
    for selector in _MAIN:
        if (node := page.css_first(selector)) is not None and (text := _text(node)):
            return text
    return ""


def _text(node: LexborNode) -> str:
    pieces = list(_pieces(node))
    return _LINES.sub("\n", _BLANKS.sub(" ", "".join(pieces))).strip()


def _pieces(start: LexborNode) -> Iterator[str]:
    """The texts below a node, in their order, with a line's end before and behind each block."""
    waiting: list[LexborNode | str] = [start]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif each.tag == "-text":
            # A line's end within a paragraph is a blank.
            yield (each.text_content or "").replace("\n", " ")
        else:
            end = "\n" if each.tag in _BLOCKS else ""
            yield end
            waiting.append(end)
            waiting.extend(reversed(list(each.iter(include_text=True))))


def _title(page: LexborHTMLParser) -> str:
    node = page.css_first("title") or page.css_first("h1")
    return _line(node.text()) if node is not None else ""


def _content(page: LexborHTMLParser, name: str) -> str:
    node = page.css_first(f'meta[name="{name}"]')
    return _line(node.attributes.get("content") or "") if node is not None else ""


def _language(page: LexborHTMLParser) -> str:
    node = page.css_first("html")
    return _line(node.attributes.get("lang") or "")[:35] if node is not None else ""


def _links(page: LexborHTMLParser, url: str, max_links: int) -> Iterator[tuple[str, str]]:
    base = page.css_first("base[href]")
    start = _joined(url, base.attributes.get("href") if base is not None else None) or url
    seen: set[str] = set()
    for node in page.css("a[href]"):
        if len(seen) >= max_links:
            return
        found = _joined(start, node.attributes.get("href"))
        if found is not None and found not in seen:
            seen.add(found)
            yield found, _line(node.text())[:MAX_LINK_TEXT]


def _joined(base: str, reference: str | None) -> str | None:
    """Where the reference leads, without its fragment; None when no web page is there."""
    try:
        joined = urlsplit(urljoin(base, (reference or "").strip()))
    except ValueError:
        return None
    return joined._replace(fragment="").geturl() if joined.scheme in ("http", "https") and joined.netloc else None


def _line(text: str) -> str:
    return " ".join(text.split())[:_MAX_LINE]


def _answer() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.msgpack.encode(read(asked.html, asked.url, asked.max_links)))


if __name__ == "__main__":
    _answer()
