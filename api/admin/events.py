"""The rows of the journal, each found by its execution and its number: two columns, where Piccolo Admin wants one."""

from typing import Any
from uuid import UUID

import msgspec
from piccolo.utils.pydantic import create_pydantic_model
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.admin.rows import Rows
from api.admin.tables import Page
from db.tables import Journal
from services.errors import NotFound

_KEY = "id"


class Events(Rows):
    """Rows that have a key besides, `<execution>:<number>`."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.schema_extra["primary_key_name"] = _KEY

    @property
    def pydantic_model(self) -> type[BaseModel]:
        """What the form that shows one is made of."""
        return create_pydantic_model(
            self.table, json_schema_extra={"extra": self.schema_extra}, include_default_columns=True
        )

    async def get_all(self, request: Request, params: dict[str, Any] | None = None) -> Response:
        """Rows by filter, order and page, with their keys. Raises as `Rows` does."""
        found = await super().get_all(request, params)
        if found.status_code != 200:
            return found
        rows = msgspec.json.decode(bytes(found.body))["rows"]
        return _json({"rows": [row | {_KEY: f"{row['execution_id']}:{row['seq']}"} for row in rows]})

    async def detail(self, request: Request) -> Response:
        """One of them.

        Raises:
            NotFound: there is none.
        """
        key = request.path_params["row_id"]
        execution, _, seq = key.partition(":")
        try:
            where = (Journal.execution_id == UUID(execution)) & (Journal.seq == int(seq))
        except ValueError:
            raise NotFound("event", key) from None
        row = await Journal.select().where(where).first()
        if row is None:
            raise NotFound("event", key)
        return _json(row)


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
