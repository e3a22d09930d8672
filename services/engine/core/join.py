"""How the members of a stage come together (DEFINITION §3)."""

from typing import Literal, TypeAlias

from services.engine.core.plan import Stage
from services.engine.core.state import Frame

Verdict: TypeAlias = Literal["open", "won", "lost", "lost early"]
"""`won` before every member is settled: the others are not wanted any more; `lost early`: they still run."""


def judge(stage: Stage, frame: Frame) -> Verdict:
    """Whether the stage under way has what its join asks for, still can have it, or cannot any more.

    Skipped members are asked for nothing: fewer are left to succeed.
    """
    group, count = stage.group, len(stage.members)
    open_ = count - frame.settled
    if group.join == "all" and open_ and not frame.failed:
        return "open"  # as most often
    match group.join:
        case "all":
            is_won, is_lost = open_ == 0 and not frame.failed, bool(frame.failed)
        case "all_settled":
            needed = min(group.min_success, count - frame.skipped)
            is_won = open_ == 0 and frame.succeeded >= needed
            is_lost = open_ == 0 and frame.succeeded < needed
        case "any" | "n_of":
            needed = min(1 if group.join == "any" else group.n or count, count - frame.skipped)
            is_won = frame.succeeded >= needed and (needed > 0 or open_ == 0)
            is_lost = frame.succeeded + open_ < needed
    if is_won:
        return "won"
    if not is_lost:
        return "open"
    if open_ == 0:
        return "lost"
    return "open" if group.on_member_failure == "wait_all" else "lost early"
