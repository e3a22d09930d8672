"""The `wait` step: nothing is done when its time has come."""

from services.engine.performer import Attempt
from services.json import Json


async def perform(_: Attempt) -> Json:
    """Null. The engine asks for this only once the time has passed; until then the execution is parked."""
    return None
