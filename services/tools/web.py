"""`web.read`: a page of the public web as a title, its text and its links.

The page is somebody else's and may say anything, also to the model that reads it; what a role may do comes from its
tools and from the rights of whoever started it, never from what it reads.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from services.outbound import Outbound, OutboundError, Response
from services.tools import texts
from services.tools.http import Seconds, Url, tool_error
from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_PAGE_BYTES = 4 * 1024 * 1024
_MAX_REDIRECTS = 5
_ACCEPT = "text/html, application/xhtml+xml, text/plain;q=0.9, */*;q=0.5"
_MARKUP = ("text/html", "application/xhtml+xml")

Characters: TypeAlias = Annotated[int, Meta(ge=100, le=200_000, description="How much of its text at most.")]
LinkCount: TypeAlias = Annotated[int, Meta(ge=0, le=500, description="How many of its links at most.")]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page leads, and what it calls that."""

    url: str
    text: str


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a page says. `url` is the one that gave it, after redirects; with `isCut` its text goes on."""

    url: str
    title: str = ""
    description: str = ""
    language: str = ""
    text: str = ""
    links: tuple[Link, ...] = ()
    is_cut: bool = False


def tools(outbound: Outbound) -> tuple[Tool, ...]:
    """The tool that reads pages, within the guard of `outbound`."""

    @tool("web.read", effect="read", security="medium")
    async def read(
        context: ToolContext,
        *,
        url: Url,
        max_characters: Characters = 20_000,
        max_links: LinkCount = 50,
        timeout_seconds: Seconds = 30.0,
    ) -> Page:
        """Read a page of the public web: its title, description, main text and links. Menus, scripts and forms are left
        out. Redirects are followed; plain text and JSON are given as they are.
        """
        try:
            response = await outbound.request(
                "GET",
                url,
                {"accept": _ACCEPT},
                max_bytes=MAX_PAGE_BYTES,
                timeout_seconds=timeout_seconds,
                follow=_MAX_REDIRECTS,
            )
        except OutboundError as error:
            raise tool_error(error) from None
        if response.status >= 400:
            is_final = response.status < 500 and response.status != 429
            raise ToolError(f"{response.url} is answered with {response.status} {response.reason}", is_final=is_final)
        return await _page(response, max_characters, max_links)

    return (read,)


async def _page(response: Response, max_characters: int, max_links: int) -> Page:
    kind = response.headers.get("content-type", "")
    is_markup = kind.partition(";")[0].strip().lower() in _MARKUP or (not kind and response.body.lstrip()[:1] == b"<")
    text = texts.decoded(response.body, kind, is_markup=is_markup)
    if text is None:
        raise ToolError(f"{response.url} is {kind or 'something'}, which is no text", is_final=True)
    if not is_markup:
        return Page(url=response.url, text=text[:max_characters], is_cut=len(text) > max_characters)
    # Imported where it is wanted: most processes read no page.
    from services.tools import markup

    try:
        read = await markup.read_apart(text, response.url, max_links)
    except markup.Unreadable:
        said = f"{response.url} is nested in a way that takes too much time or memory to read"
        raise ToolError(said, is_final=True) from None
    return Page(
        url=response.url,
        title=read.title,
        description=read.description,
        language=read.language,
        text=read.text[:max_characters],
        links=tuple(Link(url=url, text=said) for url, said in read.links),
        is_cut=len(read.text) > max_characters,
    )
