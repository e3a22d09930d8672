"""The engine's statements, each in a file whose first line says what it does."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The text of `name`.sql."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
