"""The database's clock as a default: rows of the engine never carry an application server's idea of the time."""

from typing import Any

from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.querystring import QueryString


class DatabaseClock(TimestamptzNow):
    """Lets the column's own default in the schema decide.

    An object that was saved with it does not know the time; select the row to learn it.
    """

    def python(self) -> Any:
        return QueryString("DEFAULT")
