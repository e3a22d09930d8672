"""The cache of answers: what models have said in steps that have a `cache`, given again where the same is asked.

* `asking.answer_to`   the answer to a request: a kept one, or a new one, which is then kept
* `key.key_of`         what makes two requests the same
* `memory`, `store`    where answers are kept: in this process for a while, in the database for all of them
"""

from services.answers.asking import answer_to
from services.answers.store import forget

__all__ = ["answer_to", "forget"]
