"""Paths that lead elsewhere, or would on some system, or to what is no file: none of them is ever opened.

`PATHS` are hostile by what they say. `planted` puts things into a folder that are hostile by what stands there.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

CANARY = "the canary sings outside"

_UP = (
    "..",
    "../secret.txt",
    "../../secret.txt",
    "sub/../../secret.txt",
    "sub/..",
    "sub/../a.txt",
    "./../secret.txt",
    "sub/./../../secret.txt",
    "../open/a.txt",
    "sub/../../open/a.txt",
    "../" * 20 + "etc/passwd",
    "sub/" + "../" * 20 + "etc/passwd",
    "..//secret.txt",
    "..///..///etc/passwd",
    "sub//../../secret.txt",
    "../.",
    "../..",
    ".../secret.txt",
    "..../secret.txt",
    "....//secret.txt",
    "..;/secret.txt",
    "sub/..;/../secret.txt",
)
_ABSOLUTE = (
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/proc/self/environ",
    "/proc/self/cwd/secret.txt",
    "/proc/self/root/etc/passwd",
    "/proc/self/fd/0",
    "/dev/stdin",
    "/dev/zero",
    "/dev/tty",
    "/sys/kernel/notes",
    "~",
    "~/secret.txt",
    "~root/.bashrc",
    "~+/secret.txt",
    "$HOME/secret.txt/..",
    "file:///etc/passwd",
    "file:a.txt",
    "http://127.0.0.1/a.txt",
)
_WINDOWS = (
    "..\\secret.txt",
    "..\\..\\secret.txt",
    "sub\\..\\..\\secret.txt",
    "sub\\a.txt",
    "\\",
    "\\etc\\passwd",
    "\\\\server\\share\\a.txt",
    "\\\\?\\C:\\a.txt",
    "\\\\.\\pipe\\a",
    "C:",
    "C:a.txt",
    "C:/a.txt",
    "C:\\a.txt",
    "c:../secret.txt",
    "a.txt::$DATA",
    "a.txt:stream",
    "sub:$I30:$INDEX_ALLOCATION",
    "CON",
    "con.txt",
    "NUL",
    "nul.tar.gz",
    "AUX",
    "COM1",
    "sub/LPT9.txt",
    "COM¹",
    "CONIN$",
    "a.txt.",
    "a.txt..",
    "a.txt ",
    " a.txt",
    "sub./a.txt",
    "sub /a.txt",
    "a.txt\t",
    "a?.txt",
    "a*.txt",
    "*",
    "<a>.txt",
    'a".txt',
    "a|b",
)
_HIDDEN = (
    ".env",
    ".git",
    ".git/config",
    ".git/hooks/post-checkout",
    ".GIT/config",
    ".ssh/authorized_keys",
    "sub/.hidden",
    ".hidden/a.txt",
    "sub/.git/config",
    ".",
    "./.",
    "./a.txt",
    "sub/.",
    "sub/./a.txt",
)
_SLASHES = (
    "",
    "a.txt/",
    "sub/",
    "sub//a.txt",
    "//a.txt",
    "sub///a.txt",
    "a.txt/x",
    "a.txt/..",
    "a.txt/../../secret.txt",
)
_SIGNS = (
    "a\0.txt",
    "a.txt\0",
    "\0",
    "a.txt\0.png",
    "../secret.txt\0.txt",
    "a\n.txt",
    "a\r\n.txt",
    "a\x1b[2J.txt",
    "a\x7f.txt",
    "\x01",
    "a\u202etxt.exe",
    "a\u200b.txt",
    "a\u2060.txt",
    "\ufeffa.txt",
    "a\u00ad.txt",
    "a\u2028.txt",
    "a\u0085.txt",
    "a\ue000.txt",
    "a\ud800.txt",
    "a\udc2e\udc2e.txt",
    "\U000e0041.txt",
)
_LOOK_ALIKE = (
    "\uff0e\uff0e/secret.txt",
    "\uff0e\uff0e\uff0fsecret.txt",
    "\u2025/secret.txt",
    "\u2024\u2024/secret.txt",
    "\ufe52\ufe52/secret.txt",
    "\u2026",
    "sub\uff0fa.txt",
    "sub\uff3ca.txt",
    "C\uff1a/a.txt",
    "na\u0131\u0308ve\u2100.txt",
    "nai\u0308ve.txt",
    "A\u030a.txt",
    "\u212b.txt",
    "\u1100\u1161.txt",
    "\uff5eroot",
    "%2e%2e/..",
    "%2e%2e%2f../secret.txt",
    "..%2fsecret.txt/..",
    "..%c0%af../secret.txt",
    "%00/../secret.txt",
)
_LONG = (
    "a" * 256,
    "ä" * 128,
    "sub/" + "a" * 256 + "/a.txt",
    "a" * 501,
    "a/" * 251,
    "/".join("a" * 40),
    "sub/" * 33 + "a.txt",
    "../" * 200,
    "sub/../" * 70 + "a.txt",
)
PATHS = (*_UP, *_ABSOLUTE, *_WINDOWS, *_HIDDEN, *_SLASHES, *_SIGNS, *_LOOK_ALIKE, *_LONG)


def planted(folder: Path, outside: Path) -> tuple[str, ...]:
    """Put into `folder` what leads to `outside` or is no file, and give back the paths by which it would be reached."""
    secret = outside / "secret.txt"
    (folder / "link.txt").symlink_to(secret)
    (folder / "relative.txt").symlink_to(os.path.relpath(secret, folder))
    (folder / "up").symlink_to("..")
    (folder / "out").symlink_to(outside)
    (folder / "root").symlink_to("/")
    (folder / "process").symlink_to("/proc/self/cwd")
    (folder / "descriptor").symlink_to("/proc/self/fd/0")
    (folder / "inner.txt").symlink_to("a.txt")
    (folder / "itself").symlink_to("itself")
    (folder / "dangling").symlink_to("nothing/there")
    (folder / "chain").symlink_to("out")
    (folder / "sub" / "higher").symlink_to("../../outside")
    os.link(secret, folder / "hard.txt")
    os.link(secret, folder / "sub" / "hard.txt")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(folder)  # the name of a socket is short
            listener.bind("socket")
        finally:
            os.fchdir(here)
            os.close(here)
    return (
        *("link.txt", "relative.txt", "inner.txt", "itself", "dangling", "descriptor"),
        *("up/secret.txt", "up/outside/secret.txt", "out/secret.txt", "out/deep/secret.txt", "root/etc/passwd"),
        *("process/secret.txt", "process/../secret.txt", "chain/secret.txt", "sub/higher/secret.txt", "sub/higher"),
        *("up", "out", "root", "process", "chain", "hard.txt", "sub/hard.txt", "pipe", "socket"),
        *("itself/a.txt", "dangling/a.txt", "pipe/a.txt", "inner.txt/a.txt", "out/new.txt", "up/new.txt"),
        *("chain/deep/new.txt", "sub/higher/new.txt", "root/tmp/new.txt"),
    )
