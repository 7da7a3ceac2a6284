"""Core ML: packages written from a plan, without tracing, the same to the byte each time."""

from efspec.coreml.emit import package_outputs
from efspec.coreml.lint import Finding
from efspec.coreml.options import (
    COMPRESSIONS,
    DEFAULT,
    IMAGENET,
    IOS,
    PRECISIONS,
    Compression,
    Normal,
    PackageOptions,
    Precision,
    check_options,
    release,
)
from efspec.coreml.package import Package, pack

__all__ = [
    "COMPRESSIONS",
    "DEFAULT",
    "IMAGENET",
    "IOS",
    "PRECISIONS",
    "Compression",
    "Finding",
    "Normal",
    "Package",
    "PackageOptions",
    "Precision",
    "check_options",
    "pack",
    "package_outputs",
    "release",
]
