"""Who uses the pages, as Piccolo Admin wants to know it."""

from starlette.authentication import BaseUser

from services.caller import Caller


class Person(BaseUser):
    """A caller who has come in."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.caller.name

    @property
    def user_id(self) -> str:
        return self.caller.name
