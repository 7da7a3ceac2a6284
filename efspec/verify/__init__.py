"""Checking that a package encodes a network, on any system.

The program in a saved Core ML package is read from disk and run op by op; what it gives is
compared with the network's module. ONNX files are run by onnxruntime. On a difference, the first
op that departs is named.
"""

from efspec.coreml.options import IMAGENET, Normal
from efspec.verify.compare import (
    DEVICE_TOLERANCE,
    FP16_TOLERANCE,
    FP32_TOLERANCE,
    FP64_TOLERANCE,
    Check,
    Figures,
)
from efspec.verify.onnx import OnnxFile, onnx_reference, read_onnx
from efspec.verify.package import Package, read_package
from efspec.verify.reference import Reference, module_reference, package_reference
from efspec.verify.report import Report
from efspec.verify.verify import verify
from efspec.verify.verify_onnx import verify_onnx

__all__ = [
    "DEVICE_TOLERANCE",
    "FP16_TOLERANCE",
    "FP32_TOLERANCE",
    "FP64_TOLERANCE",
    "IMAGENET",
    "Check",
    "Figures",
    "Normal",
    "OnnxFile",
    "Package",
    "Reference",
    "Report",
    "module_reference",
    "onnx_reference",
    "package_reference",
    "read_onnx",
    "read_package",
    "verify",
    "verify_onnx",
]
