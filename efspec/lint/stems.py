"""Rules about the first layers."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.lint.rule import Match, Rule, option
from efspec.plan import Plan, ops_by_part
from efspec.plan.ops import Conv2d
from efspec.spec.schema import NetworkSpec

SMALL_KERNEL = 4
"""iFormer's authors saw several convolutions cost 0.1 ms more than such a one, on an iPhone 13."""
SMALL_STRIDE = 2
STEM_STRIDE = 4
"""By how much a `conv_stem` makes maps smaller."""


def _patch_embedding(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    for placed in ops_by_part(plan)["stem"]:
        op = placed.op
        if not isinstance(op, Conv2d):
            continue
        kernel, stride = op.kernel_size, op.stride
        if kernel > SMALL_KERNEL and stride > SMALL_STRIDE:
            change = option(("stem",), f"{{type: conv_stem, width: {spec.stem.width}}}")
            fits = stride == STEM_STRIDE
            message = f"a {kernel}x{kernel} convolution of stride {stride} on the image"
            yield Match(("stem",), "stem", message, (change,) if fits else ())


PATCH_EMBEDDING = Rule(
    "patch-embedding",
    "published",
    "iPhone 12",
    "iOS 15",
    "large kernels with large strides are a bottleneck: DeiT-S and PoolFormer-s24 have one, where"
    " LeViT-256 and EfficientFormer have several 3x3 convolutions",
    "EfficientFormer, arXiv 2206.01191, observation 1; its milliseconds are not published",
    "begin with 3x3 convolutions of stride 2, as `conv_stem` does",
    _patch_embedding,
)
