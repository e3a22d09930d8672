"""`web.read`: a page as people read it."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.caller import OPERATOR
from services.outbound import Guard, Outbound
from services.outbound.allowed import allowed
from services.tools import markup, web
from services.tools.tool import ToolContext, ToolResult
from tests.cli.processes import until
from tests.outbound.site import answered, site

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/Read")
PAGE = """<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title> All about
  tea </title><meta name="description" content="How it is made."><style>p { color: red }</style>
<script>document.write("<p>written</p>")</script></head>
<body><header><a href="/">Home</a></header><nav><ul><li><a href="/menu">Menu</a></ul></nav>
<main><h1>Tea</h1><p>Tea is <b>hot</b>,
mostly.</p><div>First<p>then</p>last</div><ul><li>green<li>black</ul><p hidden>hidden</p><div aria-hidden="true">x</div>
<table><tr><td>a</td><td>b</td></tr></table><form><button>Buy</button></form>
<a href="../cups?size=2#top">Cups</a> <a href="javascript:alert(1)">Bad</a> <a href="//other.example/x">Other</a>
<a href="mailto:a@b.example">Mail</a> <a href="../cups?size=2">Cups again</a></main>
<footer>Imprint</footer></body></html>"""


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def read(answer: bytes, **given: Any) -> ToolResult:
    async with site({"/teas/": answer}) as shop:
        outbound = Outbound(Guard(allowed([f"tea.test:{shop.port}"]), resolve=here))
        (tool,) = web.tools(outbound)
        result = await tool.run(CONTEXT, {"url": f"http://tea.test:{shop.port}/teas/", **given})
        await outbound.close()
    if isinstance(result.value, dict):
        without_port = str(result.value).replace(f":{shop.port}", "")
        return ToolResult(value=eval(without_port), error=result.error)
    return result


async def test_a_page_is_read_as_people_do() -> None:
    result = await read(answered(200, PAGE.encode(), content_type="text/html"))

    assert result.value == {
        "url": "http://tea.test/teas/",
        "title": "All about tea",
        "description": "How it is made.",
        "language": "en-GB",
        "text": "Tea\nTea is hot, mostly.\nFirst\nthen\nlast\ngreen\nblack\na\nb\nCups Bad Other Mail Cups again",
        "links": [
            {"url": "http://tea.test/", "text": "Home"},
            {"url": "http://tea.test/menu", "text": "Menu"},
            {"url": "http://tea.test/cups?size=2", "text": "Cups"},
            {"url": "http://other.example/x", "text": "Other"},
        ],
    }


async def test_as_much_is_told_as_was_asked_for() -> None:
    page = "<p>" + "tea " * 100 + "".join(f'<a href="/{n}">{n}</a>' for n in range(100))
    value = (await read(answered(200, page.encode(), content_type="text/html"), maxCharacters=100, maxLinks=3)).value

    assert isinstance(value, dict)
    assert (len(value["text"]), value["isCut"], len(value["links"])) == (100, True, 3)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("<p>Grün".encode("windows-1252"), "text/html; charset=windows-1252"),
        ("<p>Grün".encode(), "text/html"),
        ("<p>Grün".encode("latin-1"), "text/html"),
        ('<meta charset="utf-8"><p>Grün'.encode(), "text/html"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Чай'.encode("koi8-r"), "text/html"),
        ("<p>Grün".encode("utf-8-sig"), "text/html; charset=ascii"),
        ("<p>Grün".encode("utf-16"), "text/html"),
        ("<p>Grün".encode(), "text/html; charset=no-such-thing"),
        ("<p>Grün".encode(), ""),
        ("Grün".encode(), "text/plain"),
    ],
)  # fmt: skip
async def test_every_way_to_write_letters_is_read(page: bytes, kind: str) -> None:
    value = (await read(answered(200, page, content_type=kind))).value

    assert isinstance(value, dict)
    assert value["text"] in ("Grün", "Чай")


async def test_what_is_no_text_is_an_error() -> None:
    result = await read(answered(200, b"%PDF-1.7\n\xff\xfe\xfd", content_type="application/pdf"))

    assert result.error is not None and "is application/pdf, which is no text" in result.error
    assert result.is_final


async def test_a_page_that_is_not_there_is_an_error() -> None:
    gone, busy = await read(answered(404)), await read(answered(503))

    assert gone.error is not None and gone.error.endswith("is answered with 404 Said")
    assert (gone.is_final, busy.is_final) == (True, False)


async def test_a_page_that_takes_too_much_to_read_is_given_up() -> None:
    page = "<div>" * (web.MAX_PAGE_BYTES // 5)
    result = await read(answered(200, page.encode(), content_type="text/html"))

    assert result.error is not None and "takes too much time or memory to read" in result.error
    assert result.is_final


async def test_a_cancelled_reading_leaves_no_process_behind() -> None:
    before = children()
    reading = asyncio.create_task(markup.read_apart("<div>" * 800_000, "http://tea.test/", 1))
    begun = await asyncio.to_thread(until, lambda: children() - before, bool)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert not begun & children()


def children() -> set[str]:
    """The processes that this one has started, those that have ended and were not waited for among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize(
    "page",
    [
        "", "<", "<>", "<main>", "<main></main><p>tea", "</p>" * 1000, "<div>" * 3_000 + "tea",
        "<b><i>" * 5_000 + "tea", "<table>" * 2_000 + "tea", "<a href='http://[::1'>x</a>", "<a href='http://a b/'>x",
        "<base href='//'><a href=x>y", "<base href='javascript:'><a href=x>y", "<title><b>x</title>",
        "&#0;&#55296;&#1114112;", "<!--" * 10_000, "<![CDATA[x]]>", "<svg><title>x</title></svg>tea",
        "<template><p>x</template>tea",
    ],
)  # fmt: skip
def test_nothing_that_a_page_says_breaks_the_reading(page: str) -> None:
    read = markup.read(page, "http://tea.test/", 10)

    assert all(url.startswith(("http://", "https://")) for url, _ in read.links)
    assert "tea" not in page or "tea" in read.text
