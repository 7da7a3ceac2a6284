"""Rules about the first layers."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.blocks.patch_stem import PatchStemSpec
from efspec.lint.rule import Match, Rule
from efspec.plan import Plan
from efspec.spec.schema import NetworkSpec

LARGEST = 3
"""Side of the kernels that compilers have fast algorithms for."""
STEM_STRIDE = 4
"""By how much a `conv_stem` makes maps smaller."""


def _patch_embedding(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    stem = spec.stem
    if isinstance(stem, PatchStemSpec) and stem.kernel > LARGEST and stem.stride > 1:
        message = f"a {stem.kernel}x{stem.kernel} convolution of stride {stem.stride} on the image"
        fits = stem.stride == STEM_STRIDE
        change = f"stem={{type: conv_stem, width: {stem.width}}}"
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
