"""Findings: what is not as it was written."""

from typing import Literal
from uuid import UUID

import msgspec

MAX_FINDINGS = 100

Code = Literal["GAP", "CHANGED", "UNRECORDED", "TRIGGER_OFF", "FUNCTION_REPLACED", "ANCHOR", "BAD_SIGNATURE"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that is not as it was written, or that keeps changes from being written.

    - `GAP`: entries are missing before `seq`;
    - `CHANGED`: the entry, or the one before it, is not what was written;
    - `UNRECORDED`: a row is not what its last entry says, or has none;
    - `TRIGGER_OFF`, `FUNCTION_REPLACED`: what writes the audit was switched off, or does something else;
    - `ANCHOR`: an entry that was anchored is not there, or is another one;
    - `BAD_SIGNATURE`: an anchor is not one that was made with the key.
    """

    code: Code
    message: str
    seq: int | None = None
    noun: str | None = None
    subject: UUID | None = None


class Findings:
    """Up to a hundred findings, and whether there are more."""

    def __init__(self) -> None:
        self.shown: list[Finding] = []
        self.has_more = False

    @property
    def room(self) -> int:
        """How many more can be shown."""
        return MAX_FINDINGS - len(self.shown)

    def add(
        self, code: Code, message: str, *, seq: int | None = None, noun: str | None = None, subject: UUID | None = None
    ) -> None:
        """Another one."""
        if self.room > 0:
            self.shown.append(Finding(code=code, message=message, seq=seq, noun=noun, subject=subject))
        else:
            self.has_more = True
