"""Bundles: roles and orchestrations as one text or one folder, read, checked, loaded and written together."""

from services.bundles.comparing import Difference, contents_of, differences
from services.bundles.exporting import everything, export, standing
from services.bundles.folder import read_folder
from services.bundles.loading import check, import_, load, schema
from services.bundles.pulling import FileChange, changes_to, written
from services.bundles.reading import joined, read
from services.bundles.records import Bundle, BundleRole, Contents, Exported, Format, Imported, Item, Loaded, Missing
from services.bundles.writing import alone, text_of

__all__ = [
    "Bundle",
    "BundleRole",
    "Contents",
    "Difference",
    "Exported",
    "FileChange",
    "Format",
    "Imported",
    "Item",
    "Loaded",
    "Missing",
    "alone",
    "changes_to",
    "check",
    "contents_of",
    "differences",
    "everything",
    "export",
    "import_",
    "joined",
    "load",
    "read",
    "read_folder",
    "schema",
    "standing",
    "text_of",
    "written",
]
