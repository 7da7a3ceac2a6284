"""Core ML: packages written from a plan, without tracing, the same to the byte each time."""

from efspec.coreml.lint import Finding
from efspec.coreml.options import COMPRESSIONS, IMAGENET, PRECISIONS, Normal, PackageOptions
from efspec.coreml.package import Package, pack

__all__ = [
    "COMPRESSIONS",
    "IMAGENET",
    "PRECISIONS",
    "Finding",
    "Normal",
    "Package",
    "PackageOptions",
    "pack",
]
