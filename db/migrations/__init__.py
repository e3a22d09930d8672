"""How the schema came to be, in order: Piccolo's format, with plain SQL in `sql/` as the body."""

APP_NAME = "rolecall"
