"""`rolecall generate`: what is generated, as files."""

from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click
import msgspec

from api import generate as generated
from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from services.caller import OPERATOR

_PATIENCE_SECONDS = 60
_OURS = "// Generated from the procedures"


def generate(server: str | None, token: str | None, out: str, *, from_database: bool) -> int:
    """Write `router.ts` of a server or of the database, or all of openapi/; say what was written."""
    if server is not None and from_database:
        raise Unusable("give --from-server or --from-database, not both")
    if server is None and not from_database:
        for path in generated.write():
            click.echo(path)
        return 0
    text = _from_server(server, token) if server is not None else _from_database()
    with click.open_file(out, "w", encoding="utf-8", atomic=out != "-") as file:
        file.write(text)
    if out != "-":
        click.echo(out)
    return 0


def _from_database() -> str:
    return with_runtime(lambda _: generated.served_router_ts(OPERATOR))


def _from_server(url: str, token: str | None) -> str:
    """What the server at `url` says its types are.

    Raises:
        Unusable: there is no such server, it refuses, or it is none of ours.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unusable(f"--from-server is {url!r}; it should be like http://127.0.0.1:8787")
    if token is None:
        raise Unusable("a server tells its orchestrations to callers it knows: give --token, or set ROLECALL_TOKEN")
    place = url.rstrip("/").removesuffix("/trpc") + "/router.ts"
    try:
        asked = Request(place, headers={"authorization": f"Bearer {token}"})  # noqa: S310
        with urlopen(asked, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
            text = answer.read().decode("utf-8", "replace")
    except HTTPError as error:
        raise Unusable(f"{place} answers {error.code}: {_reason(error)}") from None
    except (URLError, OSError, ValueError) as error:
        raise Unusable(f"cannot read {place}: {getattr(error, 'reason', error)}") from None
    if not text.startswith(_OURS):
        raise Unusable(f"{place} is no router.ts of a Rolecall")
    return text


def _reason(error: HTTPError) -> str:
    try:
        return msgspec.json.decode(error.read())["error"]["message"]
    except (msgspec.DecodeError, KeyError, TypeError, OSError):
        return HTTPStatus(error.code).phrase if error.code in set(HTTPStatus) else "nothing more"
