"""The table of docs/access.md that follows from the registry: `python -m tests.docs.scopes` writes it anew."""

import re

from api.policy import Needs, policy_of
from api.root import router
from services.principal import SCOPES
from tests.docs.markdown import DOCS

PAGE = DOCS / "access.md"
_TABLE = re.compile(r"^\| scope \|.*?(?=^$)", re.DOTALL | re.MULTILINE)


def table() -> str:
    """What each scope lets a principal call."""
    needs = [(name, policy.scopes) for name, it in router if isinstance(policy := policy_of(it), Needs)]
    calls = {scope: ", ".join(f"`{name}`" for name, needed in needs if scope in needed) for scope in SCOPES}
    calls["admin"] = (
        "nothing by itself; it opens the [admin pages](admin-pages.md), where the other scopes count as well"
    )
    rows = [f"| `{scope}` | {calls[scope]} |" for scope in SCOPES]
    return "\n".join(["| scope | lets a principal call |", "|---|---|", *rows, ""])


def fresh(page: str) -> str:
    """The page with the table as it should be."""
    return _TABLE.sub(lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
