"""The pages: Piccolo Admin without its users, sessions and passwords, over tables that are written by our own rules."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from litestar.types import ASGIApp
from piccolo_admin.endpoints import AdminRouter, TableConfig
from piccolo_admin.translations.data import ENGLISH
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from api.admin.events import Events
from api.admin.forms import FORMS
from api.admin.refusals import KNOWN, refused
from api.admin.rows import Rows
from api.admin.tables import PAGES
from db.tables import Journal

_TITLE = "Rolecall"
_SHELL = {
    name: (Path(__file__).with_name(name).read_bytes(), media_type)
    for name, media_type in (("shell.js", "text/javascript"), ("shell.css", "text/css"))
}
# What Piccolo Admin serves besides is for users of its own: passwords, second factors, uploaded files.
_KEPT = ("/tables/", "/forms/", "/links/", "/user/")
_SHOWN = ("/", "/assets", "/api", "/public")
_SHOWN_PUBLIC = ("/meta/", "/translations/")


def made() -> ASGIApp:
    """The pages, for those who are let in: their scope holds a `Person` as its user."""
    router = AdminRouter(forms=list(FORMS), site_name=_TITLE, default_language_code="en", translations=[ENGLISH])
    # Requests of other sites do not get this far.
    router.user_middleware.clear()
    router.template = router.template.replace(
        "</head>",
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="./shell.css">'
        '<script src="./shell.js" defer></script></head>',
    )
    router.table_configs = [TableConfig(page.table, menu_group=page.group) for page in PAGES]
    inside, public = _mounted(router, "/api"), _mounted(router, "/public")
    # Who comes in was asked at the door.
    inside.app = api = _api(inside.app.app)  # type: ignore[attr-defined]
    for page in PAGES:
        rows = Events(page) if page.table is Journal else Rows(page)
        api.mount(f"/tables/{page.name}", rows)
    _keep(public.app, _SHOWN_PUBLIC)  # type: ignore[arg-type]
    _keep(router, _SHOWN)
    for name, (content, media_type) in _SHELL.items():
        router.router.routes.append(Route(f"/{name}", _file(content, media_type)))
    return router  # type: ignore[return-value]


def _api(app: FastAPI) -> FastAPI:
    _keep(app, _KEPT)
    for error in KNOWN:
        app.add_exception_handler(error, refused)
    return app


def _mounted(router: FastAPI, path: str) -> Mount:
    (mount,) = [route for route in router.routes if isinstance(route, Mount) and route.path == path]
    return mount


def _keep(app: FastAPI, paths: tuple[str, ...]) -> None:
    app.router.routes[:] = [
        route
        for route in app.router.routes
        if any(route.path == path or (path != "/" and route.path.startswith(path)) for path in paths)  # type: ignore[attr-defined]
    ]


def _file(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer
