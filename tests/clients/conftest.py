"""One server for the tests of a module, and the package as it is published."""

from pathlib import Path

import pytest

from tests.api.conftest import api
from tests.clients.project import packed

__all__ = ["api"]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our package, packed and unpacked."""
    return packed(tmp_path_factory.mktemp("package"))
