"""The command line, as its own tests have it."""

from tests.cli.conftest import rolecall

__all__ = ["rolecall"]
