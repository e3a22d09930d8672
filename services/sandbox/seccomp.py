"""A filter of the kernel's calls (seccomp), for programs that nobody has looked at.

What is refused is what ordinary programs do not need and what has let others out of sandboxes: new namespaces, mounts,
tracing, keys, modules, rings of asynchronous I/O, and sockets that reach beyond the machine.
"""

import errno
import platform
import struct

# By architecture: how the kernel calls it, and the numbers of what is refused.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED = {
    "x86_64": {
        "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "adjtimex": 159, "chroot": 161,
        "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
        "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
        "quotactl": 179, "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248,
        "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "fanotify_init": 300,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
        "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "name_to_handle_at": 264, "open_by_handle_at": 265, "lookup_dcookie": 18, "umount2": 39, "mount": 40,
        "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89, "personality": 92, "unshare": 97,
        "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116,
        "ptrace": 117, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171,
        "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "perf_event_open": 241,
        "fanotify_init": 262, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
        "kcmp": 272, "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
    },
}  # fmt: skip
# Numbered alike on both: rings of asynchronous I/O, and the newer way of mounting.
_REFUSED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)
# Its arguments lie in memory, where a filter cannot look: the library falls back to the older call.
_CLONE3 = 435
_CLONE = {"x86_64": 56, "aarch64": 220}
_NEW_NAMESPACES = 0x7E020000
_SOCKET = {"x86_64": 41, "aarch64": 198}
_UNIX = 1
# Of x86_64, the numbers that stand for another way of calling.
_X32 = 0x40000000

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def filter_of(machine: str | None = None) -> bytes | None:
    """The filter for this machine, as the kernel takes it; None where nobody has written one."""
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    refused = _refuse(errno.EPERM)
    rules = [_rule(_LOAD, _ARCHITECTURE), *_unless(_IF_EQUAL, _ARCHITECTURES[machine], _rule(_RETURN, _KILL))]
    rules.append(_rule(_LOAD, _NUMBER))
    if machine == "x86_64":
        rules += _when(_IF_AT_LEAST, _X32, refused)
    rules += _when(_IF_EQUAL, _CLONE3, _refuse(errno.ENOSYS))
    for number in sorted({*_REFUSED[machine].values(), *_REFUSED_EVERYWHERE}):
        rules += _when(_IF_EQUAL, number, refused)
    # On these two the first argument decides: the flags of a new process, and the kind of a socket.
    rules += [_rule(_IF_EQUAL, _CLONE[machine], 0, 3), _rule(_LOAD, _FIRST_ARGUMENT)]
    rules += [_rule(_IF_ANY, _NEW_NAMESPACES, 0, 5), refused]
    rules += [_rule(_IF_EQUAL, _SOCKET[machine], 0, 3), _rule(_LOAD, _FIRST_ARGUMENT)]
    rules += [_rule(_IF_EQUAL, _UNIX, 1, 0), refused, _rule(_RETURN, _ALLOW)]
    return b"".join(rules)


def _rule(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _when(code: int, value: int, rule: bytes) -> list[bytes]:
    return [_rule(code, value, 0, 1), rule]


def _unless(code: int, value: int, rule: bytes) -> list[bytes]:
    return [_rule(code, value, 1, 0), rule]


def _refuse(number: int) -> bytes:
    return _rule(_RETURN, _ERROR | number)
