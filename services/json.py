"""What JSON can hold."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    # msgspec reads annotations at run time and has no recursive aliases; what it decodes is JSON in any case.
    Json = Any

JsonObject: TypeAlias = dict[str, Json]
