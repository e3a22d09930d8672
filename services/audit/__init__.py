"""The audit: every change of a definition, a role, a token or a session, and whether it is still what was written."""

from services.audit.entries import Action, Entry, EntryPage, Head, chain, head, list_
from services.audit.findings import Finding
from services.audit.verifying import MAX_ANCHORS, MAX_ENTRIES, Anchored, Verification, verify

__all__ = [
    "MAX_ANCHORS",
    "MAX_ENTRIES",
    "Action",
    "Anchored",
    "Entry",
    "EntryPage",
    "Finding",
    "Head",
    "Verification",
    "chain",
    "head",
    "list_",
    "verify",
]
