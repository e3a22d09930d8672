"""The one folder that the operator has opened to roles, and what stands below it: nothing leads out.

* `paths.py`    which paths there can be, before anything is opened
* `openat2.py`  the kernel's own way of opening below a folder, where it has one
* `below.py`    a descriptor of what stands there, through no link
* `folder.py`   the folder: read, list, write
* `search.py`   a text looked for in its files
"""

from services.folder.folder import Entry, Folder
from services.folder.paths import RefusedPath, parts_of

__all__ = ["Entry", "Folder", "RefusedPath", "parts_of"]
