"""Peers: other engines, each with a script and a locked list of packages, in a virtual environment of its own."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

_PEERS = Path(__file__).parents[1] / "peers"

# Which workloads a peer can do; what is not here it has no notion of.
SHAPES: dict[str, frozenset[str]] = {
    "dbos": frozenset({"single", "sequence", "fan"}),
    "langgraph": frozenset({"single", "sequence", "fan"}),
    "pgqueuer": frozenset({"single"}),
}


class NotInstalled(Exception):
    """A peer cannot be had here; the message says why."""


def command(peer: str) -> tuple[Path, Path]:
    """What runs a peer: the Python of its environment, which is made when it is not there yet, and its script.

    Raises:
        NotInstalled: its packages cannot be installed.
    """
    requirements = _PEERS / peer / "requirements.txt"
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rolecall-bench" / f"{peer}-{lock}"
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        print(f"installing {peer} into {home} …", file=sys.stderr)
        _must_succeed(peer, sys.executable, "-m", "venv", "--clear", home)
        _must_succeed(peer, python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements)
        (home / "installed").touch()
    return python, _PEERS / peer / "run.py"


def version(peer: str) -> str:
    """The version that a peer is pinned at."""
    lines = (_PEERS / peer / "requirements.txt").read_text().splitlines()
    return next(line.partition("==")[2].split()[0] for line in lines if line.startswith(f"{peer}=="))


def _must_succeed(peer: str, *arguments: str | Path) -> None:
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"{peer} cannot be installed: {(done.stderr or done.stdout).strip()[-500:]}")
