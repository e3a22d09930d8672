"""The command line over an empty data directory, with the offline model."""

from collections.abc import Iterator

import pytest

from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory


@pytest.fixture
def rolecall(new_directory: NewDirectory) -> Iterator[Rolecall]:
    """Nothing was ever run in its data directory."""
    settings = {"ROLECALL_FILES_DIR": "examples/documents", "ROLECALL_MODEL": "offline"}
    with new_directory() as directory:
        yield Rolecall(directory / "data", settings)
