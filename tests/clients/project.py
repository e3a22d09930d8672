"""A TypeScript project of a user's: packages, modules, the compiler, and Node to run it."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.node import NODE_MODULES, OLDER_PACKAGES, TSC, ScriptFailed, installed, node_command, npm_command

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients" / "typescript"

_CONFIG = {
    "compilerOptions": {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noUnusedLocals": True,
        "target": "es2022",
        "lib": ["es2023", "dom", "dom.iterable"],
        "module": "nodenext",
        "types": [],
        "skipLibCheck": True,
        "outDir": "built",
    },
    "include": ["*.ts"],
}
_NODE = "declare const process: { env: Record<string, string | undefined> };\n"
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own."""

    folder: Path

    @staticmethod
    def new(folder: Path, *packages: Path) -> "Project":
        """An empty one that has these packages, each from its folder, under the name that it has there."""
        (folder / "package.json").write_text('{"type": "module", "private": true}')
        (folder / "tsconfig.json").write_bytes(msgspec.json.encode(_CONFIG))
        (folder / "node.d.ts").write_text(_NODE)
        for package in packages:
            name = msgspec.json.decode((package / "package.json").read_bytes())["name"]
            place = folder / "node_modules" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if package.is_relative_to(ROOT):
                place.symlink_to(package, target_is_directory=True)
            else:  # its imports are looked for from where it is
                shutil.copytree(package, place, symlinks=True)
        return Project(folder)

    def write(self, name: str, text: str) -> None:
        """A module of the project."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def compile(self, compiler: Path = TSC) -> list[str]:
        """The compiler's findings; what it makes of the modules stands in `built`."""
        done = _run([*node_command(), str(installed(compiler)), "--pretty", "false"], self.folder)
        return [line for line in done.stdout.splitlines() if "error TS" in line]

    def run(self, name: str, env: Mapping[str, str]) -> str:
        """What a compiled module prints.

        Raises:
            ScriptFailed: it ended with an error.
        """
        done = _run([*node_command(), f"built/{name}"], self.folder, env)
        if done.returncode != 0:
            raise ScriptFailed(f"{name} ended with {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout


def client_packages(*, older: bool = False) -> list[Path]:
    """What `npm install @trpc/client @trpc/server` brings."""
    packages = installed(OLDER_PACKAGES if older else NODE_MODULES)
    return [packages / "@trpc" / "client", packages / "@trpc" / "server"]


def packed(folder: Path) -> Path:
    """Our package as `npm pack` makes it, unpacked, with what it depends on."""
    sources = folder / "rolecall" / "clients" / "typescript"
    shutil.copytree(PACKAGE, sources, ignore=shutil.ignore_patterns("node_modules", "dist", "LICENSE", "*.tgz"))
    shutil.copytree(ROOT / "openapi", folder / "rolecall" / "openapi")
    shutil.copy(ROOT / "LICENSE", folder / "rolecall")
    (sources / "node_modules").symlink_to(installed(NODE_MODULES), target_is_directory=True)
    done = _run([*npm_command(), "pack", "--silent"], sources)
    if done.returncode != 0:
        raise ScriptFailed(f"npm pack ended with {done.returncode}\n{done.stderr}{done.stdout}")
    (archive,) = sources.glob("*.tgz")
    with tarfile.open(archive) as packed:
        # The first releases of Python 3.11 know no filter yet, and the later ones warn without.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)
    package = folder / "package"
    (package / "node_modules").mkdir()
    for name in ("eventsource", "eventsource-parser"):
        (package / "node_modules" / name).symlink_to(NODE_MODULES / name, target_is_directory=True)
    return package


def _run(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
