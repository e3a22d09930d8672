"""A server of this folder's own: what is killed here is nobody else's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.chaos.arena import Arena, arena
from tests.chaos.server import Server, running
from tests.conftest import NewDirectory

NewArena = Callable[..., AbstractAsyncContextManager[Arena]]


@pytest.fixture(scope="package")
def server(new_directory: NewDirectory) -> Iterator[Server]:
    """Running at the beginning of each test."""
    with new_directory() as directory, running(directory) as server:
        yield server


@pytest.fixture
def new_arena(server: Server, tmp_path: Path) -> NewArena:
    """`async with new_arena() as arena`: an empty database with services over it, and no worker yet."""

    def new(**settings: Any) -> AbstractAsyncContextManager[Arena]:
        return arena(server, tmp_path / uuid4().hex, **settings)

    return new
