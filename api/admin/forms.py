"""The forms: what is done to rows by services, because it takes more than a row."""

from uuid import UUID

import msgspec
from piccolo_admin.endpoints import FormConfig
from pydantic import BaseModel, Field
from starlette.requests import Request

from services import executions, orchestrations
from services.definitions.document import as_json
from services.errors import Invalid
from services.json import Json


class Draft(BaseModel):
    """Of which orchestration."""

    orchestration: str = Field(description="Its name or id.")
    message: str = Field(default="", description="Why it is changed.")


class Publish(BaseModel):
    """Which version, and whether executions start from it."""

    orchestration: str = Field(description="Its name or id.")
    number: int = Field(description="Of the version, a draft or a proposal.")
    activate: bool = True
    breaking: bool = False


class Run(BaseModel):
    """What to run, and with what."""

    orchestration: str = Field(description="Its name or id.")
    input: str = Field(default="{}", description="As JSON.")


class Cancel(BaseModel):
    """Which execution to end, and why."""

    execution: UUID
    reason: str = ""


async def draft(request: Request, form: Draft) -> str:
    """Make a draft like the active version."""
    caller = request.user.caller
    found = await orchestrations.get(caller, orchestration=form.orchestration)
    made = await orchestrations.draft(
        caller, orchestration=form.orchestration, document=as_json(found.document), message=form.message
    )
    return f"version {made.number} of {found.name!r} is a draft now; edit its steps, then publish it"


async def publish(request: Request, form: Publish) -> str:
    """Publish a version."""
    done = await orchestrations.publish(
        request.user.caller,
        orchestration=form.orchestration,
        number=form.number,
        activate=form.activate,
        breaking=form.breaking,
    )
    return f"version {done.number} is {done.status}" + (" and active" if form.activate else "")


async def run(request: Request, form: Run) -> str:
    """Start an execution."""
    started = await executions.start(request.user.caller, orchestration=form.orchestration, input=_json(form.input))
    return f"execution {started.id} is {started.status}"


async def cancel(request: Request, form: Cancel) -> str:
    """Ask for an execution to end."""
    asked = await executions.cancel(request.user.caller, execution=form.execution, reason=form.reason)
    return f"execution {asked.id} was asked to end"


FORMS = (
    FormConfig("Draft", Draft, draft, "Make a version to edit, like the one that is active."),
    FormConfig("Publish", Publish, publish, "Check a draft or a proposal, and publish it."),
    FormConfig("Run", Run, run, "Start an execution of the active version."),
    FormConfig("Cancel", Cancel, cancel, "Ask for an execution to end."),
)


def _json(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"the input is no JSON: {error}") from None
