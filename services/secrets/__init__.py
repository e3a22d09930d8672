"""Secrets: what must not be read, kept encrypted, each bound to its row and to the hosts that it may be sent to.

* `secret.Secret`      a text that shows itself to nobody by accident
* `keyring.Keyring`    the keys that secrets are encrypted with, from the environment
* `hosts`              where a secret may be sent
* `set_`, `list_`, `delete`, `rotate`   what callers do with the rows; no value ever comes back
* `opened`             the values, for the parts of this process that send them
"""

from services.secrets.keeping import delete, list_, rotate, set_, use
from services.secrets.opening import Opened, opened
from services.secrets.records import Rotated, SecretEntry

__all__ = ["Opened", "Rotated", "SecretEntry", "delete", "list_", "opened", "rotate", "set_", "use"]
