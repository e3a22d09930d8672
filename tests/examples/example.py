"""An example's file: what it holds, and what its header says about it."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from services.definitions import yaml12
from services.json import Json

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = EXAMPLES / "documents"


@dataclass(frozen=True)
class Example:
    """A bundle of one orchestration and of those that it calls, by its path below `examples`."""

    path: str

    @cached_property
    def text(self) -> str:
        return (EXAMPLES / self.path).read_text(encoding="utf-8")

    @cached_property
    def bundle(self) -> dict[str, Any]:
        read = yaml12.read(self.text)
        assert isinstance(read, dict)
        return read

    @property
    def document(self) -> dict[str, Any]:
        *_, document = self.bundle["orchestrations"]
        return document

    @property
    def command(self) -> str:
        """How to run it, as its header says."""
        return self._said(r"(rolecall run examples/.*)")

    @property
    def input(self) -> Json:
        """The input of that command, or the one that stands there by itself."""
        said = self._said(r"(?:--input '?|An input: )(.*?)'?$")
        return json.loads((EXAMPLES.parent / said[1:]).read_text(encoding="utf-8") if said.startswith("@") else said)

    @property
    def bound(self) -> int:
        """The most step runs that it can take, as its header says."""
        return int(self._said(r"Bound: (\d+) step runs"))

    def _said(self, pattern: str) -> str:
        header = self.text.partition("rolecall: 1\n")[0]
        found = re.search(pattern, header, re.MULTILINE)
        assert found is not None, f"the header of {self.path} does not say {pattern}"
        return found[1]


ALL = [Example(str(file.relative_to(EXAMPLES))) for file in sorted(EXAMPLES.rglob("*.yaml"))]
