"""What the steps that hold others give back."""

from typing import Literal

from services.engine.core.plan import PlannedStep
from services.engine.core.state import Inside
from services.json import Json

NOTHING_YET = Inside(slot="body")


def loop_output(member: PlannedStep, inside: Inside, stopped_by: Literal["condition", "limit"]) -> Json:
    """What a loop gives whose last iteration was left."""
    output: dict[str, Json] = {"iterations": inside.entered, "stoppedBy": stopped_by, "last": inside.last}
    collected: list[Json] = [value for run in inside.collected for value in run]
    return {**output, "results": collected} if member.definition.collect is not None else output


def map_output(member: PlannedStep, inside: Inside, total: int) -> Json:
    """What a map gives whose items are done, in the order of the items."""
    outputs = {index: output for run in inside.outputs for index, output in run}
    if member.definition.on_item_error == "null":
        outputs |= {failed.index: None for failed in inside.failures}
    failures = sorted(inside.failures, key=lambda failed: failed.index)
    errors: list[Json] = [
        {"index": failed.index, "code": failed.failure.code, "message": failed.failure.message} for failed in failures
    ]
    return {"results": [outputs[index] for index in sorted(outputs)], "errors": errors, "total": total}


def tolerates(member: PlannedStep, inside: Inside, total: int) -> bool:
    """Whether a map may go on with the items that have failed so far."""
    if not inside.failures:
        return True
    if member.definition.on_item_error not in ("null", "drop"):
        return False
    tolerance, failed = member.definition.tolerate, len(inside.failures)
    if tolerance is None:
        return True
    within_count = tolerance.count is None or failed <= tolerance.count
    return within_count and (tolerance.percent is None or failed * 100 <= tolerance.percent * total)
