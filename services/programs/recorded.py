"""What a program's calls came to, kept so that the program can be run again without making them again."""

from collections.abc import Iterable, Sequence

import msgspec

from services.failure import Failed, failed
from services.json import Json, JsonObject


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The call `number` (from 1, in the order in which the program made them) of a tool, and its value or error."""

    number: int
    tool: str
    arguments: JsonObject
    value: Json = None
    error: str | None = None


class Replay:
    """What was recorded, given back in the order in which it was recorded: the program learned it in that order.

    A program that computes the same makes the same calls when it learns the same, so whatever is recorded next is
    waited for whenever it waits for anything.
    """

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._by_number = {each.number: each for each in recorded}
        self._left = [each.number for each in recorded]

    @property
    def is_over(self) -> bool:
        """Whether all has been given back."""
        return not self._left

    def check(self, number: int, tool: str, arguments: JsonObject) -> None:
        """Compare a call that the program makes with the one of this number that was recorded, if one was.

        Raises:
            Failed: PROGRAM_DEVIATED, when it is another one.
        """
        before = self._by_number.get(number)
        if before is not None and (before.tool, before.arguments) != (tool, arguments):
            other = tool if tool != before.tool else f"{tool} with other arguments"
            raise deviated(f"its call {number} was one of {before.tool}, and is one of {other} now")

    def next(self, waited_for: Iterable[int]) -> Recorded:
        """What the program learned next.

        Raises:
            Failed: PROGRAM_DEVIATED, when it does not wait for that.
        """
        number = self._left.pop(0)
        if number not in waited_for:
            raise deviated(f"its call {number} is recorded, and now it was not made")
        return self._by_number[number]


def deviated(what: str) -> Failed:
    """The failure of a program that does something else than when its calls were recorded."""
    return failed(
        "PROGRAM_DEVIATED", f"the program was run again after an interruption, and did not do the same: {what}"
    )
