"""What is generated from the router: as fresh as the router, and as strict."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("seed", ["0", "1"])
def test_they_are_the_same_whatever_order_sets_have(tmp_path: Path, seed: str) -> None:
    command = [
        sys.executable,
        "-c",
        f"from pathlib import Path; from api.generate import write; write(Path({str(tmp_path)!r}))",
    ]

    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, timeout=60)

    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == generate.texts()


def test_the_document_and_the_page_are_the_same_each_time() -> None:
    assert generate.document() == generate.document()
    assert generate.reference_page() == generate.reference_page()


def test_what_is_written_is_what_is_generated(tmp_path: Path) -> None:
    written = generate.write(tmp_path / "openapi")

    assert {path.name: path.read_text(encoding="utf-8") for path in written} == generate.texts()
