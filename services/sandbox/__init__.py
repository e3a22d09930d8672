"""Where programs run that nobody has looked at: without network or files of the machine, in bounded time and space.

* `seccomp.py`     which of the kernel's calls they may not make
* `bubblewrap.py`  what they see of the machine, and what they may use of it
* `program.py`     a program run to its end, its output bounded
"""

from services.sandbox.bubblewrap import NoSandbox, Sandbox
from services.sandbox.program import Outcome, TooLong

__all__ = ["NoSandbox", "Outcome", "Sandbox", "TooLong"]
