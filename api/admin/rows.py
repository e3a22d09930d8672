"""The rows of a table over HTTP, as Piccolo Admin asks for them: its way to read them, and ours to write them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from piccolo.columns import JSON, Bytea, Column, Text, Varchar
from piccolo.utils.pydantic import create_pydantic_model
from piccolo_api.crud.endpoints import CustomJSONResponse, OrderBy, PiccoloCRUD
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from api.admin.tables import Page
from api.rpc import RpcError
from services import connections
from services.caller import Caller
from services.errors import Invalid, NotFound

_PAGE_SIZE = 50
_MAX_COUNTED = 10_000
_VISIBLE = "__visible_fields"


class Rows(PiccoloCRUD):
    """The rows of one page, for those who may read it.

    What is written is written in one transaction, so that what the database looks at when it commits is refused like
    the rest, and in the name of whoever has come in.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(page.table, read_only=page.writes is None, page_size=_PAGE_SIZE, schema_extra=_extra(page))
        self._page = page
        self._columns = {it._meta.name: it for it in page.table._meta.columns if not _is_hidden(it)}
        self._edited = {column._meta.name: column for column in page.edited}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for needed in self._page.reads:
            scope["user"].caller.require(needed)
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = [(name, value) for name, value in asked if name != _VISIBLE] + [(_VISIBLE, ",".join(self._columns))]
        await super().__call__({**scope, "query_string": urlencode(query).encode()}, receive, send)

    @property
    def pydantic_model(self) -> type[BaseModel]:
        """What the forms are made of."""
        hidden = [column for column in self.table._meta.columns if _is_hidden(column)]
        return create_pydantic_model(
            self.table,
            exclude_columns=(self.table._meta.primary_key, *hidden),
            json_schema_extra={"extra": self.schema_extra},
        )

    async def get_count(self, request: Request) -> Response:
        """How many rows there are, up to a number that nobody pages through: all of a large table take long to count.

        Raises:
            ParamException, MalformedQuery: they are asked for in no way that there is.
        """
        asked = self._split_params(self._parse_params(request.query_params))
        query = self.table.select(self.table._meta.primary_key).limit(_MAX_COUNTED)
        found = await self._apply_filters(query, asked)
        return JSONResponse({"count": len(found), "page_size": self.page_size})

    async def get_all(self, request: Request, params: dict[str, Any] | None = None) -> Response:
        """Rows by filter, order and page.

        Raises:
            Invalid: they are to be ordered by what is no column.
        """
        try:
            return await super().get_all(request, params)
        except ValueError as error:
            # Others are of kinds of their own, and known by them.
            if type(error) is ValueError:
                raise Invalid(str(error)) from None
            raise

    async def get_new(self, request: Request) -> CustomJSONResponse:
        """What a form begins with, where rows are added by one.

        Raises:
            RpcError: METHOD_NOT_SUPPORTED, there is none.
        """
        if self._page.writes is None:
            raise RpcError("METHOD_NOT_SUPPORTED", f"{self._page.name} is only shown")
        return await super().get_new(request)

    async def root(self, request: Request) -> Response:
        """All rows, or one more.

        Raises:
            Forbidden: the caller may not add any.
            Invalid: a value is none that its column can have, or rows come to be in another way.
        """
        return await self._add(request) if request.method == "POST" else await super().root(request)

    async def detail(self, request: Request) -> Response:
        """A row: shown, changed or deleted.

        Raises:
            Forbidden: the caller may not change it.
            Invalid: as of `root`; or something was changed that the database writes.
            NotFound: there is none.
        """
        match request.method:
            case "PATCH" | "PUT":
                return await self._edit(request)
            case "DELETE":
                return await self._delete(request)
            case _:
                return await super().detail(request)

    async def _add(self, request: Request) -> Response:
        caller = self._writer(request)
        if self._page.made_by is not None:
            raise Invalid(f"no {self._page.name} is added here; {self._page.made_by}")
        values = {name: value for name, value in self._read(await request.json()).items() if name in self._edited}
        if any(column._meta.name == "created_by" for column in self.table._meta.columns):
            values["created_by"] = caller.name
        # What was left out is left to the defaults of the columns, and to what the database says of it.
        row = self.table(_ignore_missing=True, **values)
        async with connections.database().transaction():
            (made,) = await row.save()
        return JSONResponse({name: str(key) for name, key in made.items()}, status_code=201)

    async def _edit(self, request: Request) -> Response:
        self._writer(request)
        key, values = self._key(request), self._read(await request.json())
        async with connections.database().transaction():
            await self._check_others(key, values)
            changes: dict[Column | str, Any] = {
                column: values[name] for name, column in self._edited.items() if name in values
            }
            if changes:
                await self.table.update(changes).where(self.table._meta.primary_key == key)
        return await self.get_single(request, key)

    async def _delete(self, request: Request) -> Response:
        self._writer(request)
        key = self._key(request)
        async with connections.database().transaction():
            gone = (
                await self.table.delete()
                .where(self.table._meta.primary_key == key)
                .returning(self.table._meta.primary_key)
            )
        if not gone:
            raise NotFound(self._page.name, str(key))
        return Response(status_code=204)

    def _key(self, request: Request) -> Any:
        given = request.path_params["row_id"]
        try:
            return self.table._meta.primary_key.value_type(given)
        except ValueError:
            raise NotFound(self._page.name, given) from None

    def _writer(self, request: Request) -> Caller:
        caller: Caller = request.user.caller
        if self._page.writes is not None:
            caller.require(self._page.writes)
        return caller

    def _read(self, data: Any) -> dict[str, Any]:
        """The values of a form by their columns."""
        if not isinstance(data, dict) or data.keys() - self._columns.keys():
            raise Invalid(f"send an object of columns of {self._page.name}: {', '.join(self._columns)}")
        given = {name: _emptied(self._columns[name], value) for name, value in self._clean_data(data).items()}
        read = self.pydantic_model_optional(**given)
        return {name: getattr(read, name) for name in data}

    async def _check_others(self, row_id: Any, values: Mapping[str, Any]) -> None:
        """Nothing, when those of the values that no form may change are what they are in the row.

        Raises:
            Invalid: they are not.
            NotFound: there is no such row.
        """
        row = await self.table.select().where(self.table._meta.primary_key == row_id).first()
        if row is None:
            raise NotFound(self._page.name, str(row_id))
        for name in values.keys() - self._edited.keys():
            if not _same(values[name], row[name]):
                raise Invalid(f"{name} is written by the server; leave it as it is")


def _extra(page: Page) -> dict[str, Any]:
    """What Piccolo Admin is told of the page besides its columns."""
    key = page.table._meta.primary_key
    link = page.link or key
    columns = page.shown or [column for column in page.table._meta.columns if not _is_hidden(column)]
    # The key is shown only where it is the link, or no key by itself.
    names = tuple(
        it._meta.name for it in columns if it is not key or link is key or any(key is it for it in page.falling[:-1])
    )
    orders = [*(OrderBy(it, ascending=False) for it in page.falling), *(OrderBy(it) for it in page.rising)]
    return {
        "visible_column_names": names,
        "visible_filter_names": names,
        "rich_text_columns": (),
        "media_columns": (),
        "link_column_name": link._meta.name,
        "order_by": tuple(order.to_dict() for order in orders),
        "time_resolution": {},
    }


def _is_hidden(column: Column) -> bool:
    """Whether a column is not for people: a secret, or bytes."""
    return column._meta.secret or isinstance(column, Bytea)


def _emptied(column: Column, value: Any) -> Any:
    """The value; nothing, where a field of a form was left empty and its column can be null."""
    return None if value == "" and column._meta.null and isinstance(column, Varchar | Text | JSON) else value


def _same(sent: Any, held: Any) -> bool:
    """Whether what a form sends back is what it was given: instants in whole seconds, JSON in another layout."""
    if isinstance(sent, datetime) and isinstance(held, datetime):
        return sent.replace(microsecond=0) == held.replace(microsecond=0)
    if isinstance(sent, str) and isinstance(held, str) and sent != held:
        try:
            return msgspec.json.decode(sent) == msgspec.json.decode(held)
        except msgspec.DecodeError:
            return False
    return sent == held
