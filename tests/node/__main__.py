"""`python -m tests.node install` installs the packages; `python -m tests.node pyright` checks the types."""

import subprocess
import sys
from collections.abc import Sequence

from tests.node import HERE, PYRIGHT, NodeMissing, installed, node_command, npm_command

USAGE = "usage: python -m tests.node install | pyright [arguments]"


def main(arguments: Sequence[str]) -> int:
    """The exit code of what was asked for."""
    try:
        match arguments:
            case ["install"]:
                return _call([*npm_command(), "ci", "--no-fund", "--no-audit", "--loglevel=error"], cwd=str(HERE))
            case ["pyright", *rest]:
                # The interpreter at hand is the one that has our dependencies.
                return _call([*node_command(), str(installed(PYRIGHT)), "--pythonpath", sys.executable, *rest])
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except NodeMissing as error:
        print(error, file=sys.stderr)
        return 1


def _call(command: Sequence[str], cwd: str | None = None) -> int:
    return subprocess.run(command, cwd=cwd, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
