"""Git repositories below the opened folder, read without believing anything that stands in them but their history.

* `shadow.py`  a git directory of our own making over a repository's objects, without its settings and hooks
* `git.py`     git, run over that
* `finding.py` which repositories there are
"""

from services.repositories.git import Git, GitFailed
from services.repositories.shadow import NoRepository

__all__ = ["Git", "GitFailed", "NoRepository"]
