"""What is generated from the router: as fresh as the router, and as strict."""

import shutil
from pathlib import Path

from api import generate
from tests.api.client import SCRIPTS
from tests.node import compile_typescript


def test_a_client_is_held_to_the_router_in_strict_mode(tmp_path: Path) -> None:
    (tmp_path / "router.ts").write_text(generate.router_ts())
    shutil.copy(SCRIPTS / "typed.ts", tmp_path)

    findings = compile_typescript(tmp_path)

    assert findings == []


def test_the_generated_files_are_fresh() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(generate.FOLDER.glob("*.*"))}

    assert texts == generate.texts(), "run `make generate`"


def test_what_is_written_is_what_is_generated(tmp_path: Path) -> None:
    written = generate.write(tmp_path / "openapi")

    assert {path.name: path.read_text(encoding="utf-8") for path in written} == generate.texts()
