"""Networks as others describe them, to specs: one file per format, and what they share."""

from efspec.importers.complete import Assumption
from efspec.importers.description import Format
from efspec.importers.document import document, left_out
from efspec.importers.imported import Imported, import_networks
from efspec.importers.outline import Family

__all__ = [
    "Assumption",
    "Family",
    "Format",
    "Imported",
    "document",
    "import_networks",
    "left_out",
]
