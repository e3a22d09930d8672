"""`openat2`: the kernel resolves a path and never leaves the folder, whatever others do to it meanwhile (Linux 5.6)."""

import ctypes
import errno
import os
import sys
from functools import cache

# The same on every architecture that numbers its new calls alike; alpha does not.
_NUMBER = 437
_NO_MAGIC_LINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_TRIES = 8


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor of `path` below the open `directory`, through no link whatever.

    Raises:
        OSError: it leads through a link (ELOOP), out of the directory (EXDEV), or cannot be opened.
    """
    how = _How(flags | os.O_CLOEXEC, mode, _BENEATH | _NO_SYMLINKS | _NO_MAGIC_LINKS)
    number = errno.EAGAIN
    for _ in range(_TRIES):
        descriptor = _syscall()(_NUMBER, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if descriptor >= 0:
            return descriptor
        # Something was renamed while it looked, so that it could not tell whether it had been led out.
        if (number := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), path)


@cache
def is_available() -> bool:
    """Whether this kernel has it, and lets us call it."""
    if not sys.platform.startswith("linux"):
        return False
    directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(open_beneath(directory, ".", os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        return False
    finally:
        os.close(directory)
    return True


@cache
def _syscall() -> "ctypes._FuncPointer":  # type: ignore[name-defined]
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_How), ctypes.c_size_t)
    call.restype = ctypes.c_long
    return call
