"""Patch embedding by one strided convolution: what V1 measures to be slow on phones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from efspec.blocks.options import Expected, StemSpec
from efspec.plan import Block, Builder, SizeArg, Value, mistake, plain
from efspec.plan.ops import Activations, BatchNorm2d, Conv2d, strided


class PatchStemSpec(StemSpec):
    """One convolution with a large kernel and stride, then batch norm."""

    type: Literal["patch_stem"] = "patch_stem"
    kernel: Annotated[int, Field(ge=1, le=64), Expected("an integer from 1 to 64")] = 16
    """Kernel size."""
    stride: Annotated[int, Field(ge=1, le=64), Expected("an integer from 1 to 64")] = 16
    """Stride."""

    def block(self, act: Activations) -> Block:
        """The stem; it has no activation."""
        del act
        return PatchStem(out_dim=self.width, kernel_size=self.kernel, stride=self.stride)


class PatchStem(Block):
    """Patch embedding: one strided convolution and batch normalization."""

    out_dim: SizeArg
    kernel_size: SizeArg
    stride: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / stride, W / stride), rounded up."""
        height, width = (self._padding(plain(size)) for size in x.space)
        padding = b.static("padding", height if height == width else (height, width))
        conv = Conv2d(x.channels, self.out_dim, self.kernel_size, self.stride, padding)
        return b.layer("bn", BatchNorm2d(self.out_dim), b.layer("conv", conv, x))

    def _padding(self, size: int) -> int:
        """The least padding with which the kernel covers an axis and the result rounds up."""
        kernel, stride = plain(self.kernel_size), plain(self.stride)
        target = -(-size // stride)
        padding = max(0, -(-((target - 1) * stride + kernel - size) // 2))
        if strided(size, kernel, stride, padding) != target:
            raise mistake(
                "kernel-does-not-fit",
                f"no padding makes a kernel of {kernel} with stride {stride} cover {size} pixels",
                field="kernel",
                expected="an odd kernel, or one of at least the stride"
                if stride > 1
                else "an odd kernel",
                fix=f"set `kernel: {kernel + 1}`",
            )
        return padding
