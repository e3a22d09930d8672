"""A bad row disables only itself: random rows are mutated under a running server."""

import pytest

from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.hostile.rows import round_of

MUTATIONS = 75


@pytest.mark.timeout(300)
async def test_whatever_is_typed_into_rows_no_call_fails_for_it(new_directory: NewDirectory, database_url: str) -> None:
    with new_directory() as directory:
        settings = {"ROLECALL_MODEL": "offline", "ROLECALL_FILES_DIR": "examples/documents"}
        found = await round_of(Rolecall(directory / "data", settings), database_url, seed=1, mutations=MUTATIONS)

    assert not found.findings, "\n".join([str(found), *found.findings])
    assert found.taken and found.refused and found.named and found.healthy
