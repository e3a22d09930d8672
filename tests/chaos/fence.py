"""The checkpoint statement with its fence taken out: what a job library without owner and epoch would send."""

import re

# The worker's row, which is gone when the worker was taken for dead, and the owner and epoch of each execution.
_PARTS = (
    (r"WITH me AS MATERIALIZED \(\s*SELECT id FROM worker WHERE id = \$1 FOR KEY SHARE\s*\)",
     "WITH me AS MATERIALIZED (SELECT $1::uuid AS id)"),
    (r"\b(WHERE|AND) (\w+)\.owner = \$1 AND \2\.epoch = wanted\.epoch\b", r"\1 true"),
)  # fmt: skip
# The database has a fence of its own, for what no statement of ours would send.
WITHOUT_THE_DATABASES_OWN = "ALTER TABLE journal DISABLE TRIGGER journal__is_fenced"


def unfenced(checkpoint: str) -> str:
    """The text of `checkpoint.sql` without the fence; made from the real one, so that nothing else differs."""
    for pattern, instead in _PARTS:
        checkpoint, count = re.subn(pattern, instead, checkpoint)
        assert count == 1, f"the fence of the checkpoint no longer reads {pattern}"
    return checkpoint
