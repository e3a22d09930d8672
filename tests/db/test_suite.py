"""The suite itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SKIPPED_AND_EXPECTED_TO_FAIL = """
import pytest

def test_one():
    pytest.skip("no docker")

@pytest.mark.xfail
def test_two():
    assert False
"""


@pytest.mark.parametrize(("no_skip", "outcome"), [("1", "1 failed, 1 xfailed"), ("0", "1 skipped, 1 xfailed")])
def test_where_nothing_may_be_skipped_a_skipped_test_fails(tmp_path: Path, no_skip: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPED_AND_EXPECTED_TO_FAIL)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", tmp_path, tmp_path],
        cwd=ROOT,
        env={**os.environ, "ROLECALL_NO_SKIP": no_skip},
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome in done.stdout
