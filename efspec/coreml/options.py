"""What a user can want of a Core ML package."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from efspec.errors import fail, suggestion
from efspec.plan import Plan
from efspec.record import Record

Precision = Literal["fp16", "fp32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Compression = Literal["int8", "pal8", "pal6", "pal4"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
"""Eight-bit integers with a scale per channel, or an index into a palette of 256, 64 or 16."""

_FORMATS = {7: 16, 8: 17, 9: 18, 10: 26}
"""Release of iOS by the version of the format, as Core ML numbers it."""
IOS = tuple(_FORMATS.values())
"""Releases of iOS that packages can be written for; older ones take no half-precision inputs."""

COLOURS = 3


def release(version: int) -> int | None:
    """First release of iOS that reads a version of the format, if packages can be for it."""
    return _FORMATS.get(version)


class Normal(Record):
    """How networks take pixels: (pixel / 255 - mean) / std, per channel.

    Attributes:
        mean: Per channel, of pixels from 0 to 1.
        std: Per channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Normal((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What networks trained on ImageNet take; published ones of all families here do."""


class PackageOptions(Record):
    """What a package is to be like.

    Attributes:
        precision: Of weights and of what is computed.
        ios: First release of iOS that it is for.
        image: How pixels are normalised, for an input that takes images; None for tensors.
        labels: Names of the classes, for a classifier that gives one; None for logits.
        compress: How weights are compressed.
    """

    precision: Precision = "fp16"
    ios: int = 16
    image: Normal | None = None
    labels: tuple[str, ...] | None = None
    compress: Compression | None = None


DEFAULT = PackageOptions()


def check_options(options: PackageOptions, plan: Plan) -> None:
    """Refuse options that there are not, or that do not go with a network.

    Raises:
        EfspecError: When an option is unknown, an image has no three channels, or there are not
            as many labels as classes.
    """
    for name, value, known in (
        ("precision", options.precision, PRECISIONS),
        ("compress", options.compress or "int8", COMPRESSIONS),
        ("ios", options.ios, IOS),
    ):
        if value not in known:
            raise fail(
                "bad-option",
                f"{name} cannot be {value}",
                expected=", ".join(map(str, known)),
                fix=suggestion(str(value), map(str, known)),
            )
    if options.image is not None and plan.input[0] != COLOURS:
        raise fail(
            "no-image",
            f"an image has {COLOURS} channels, and the network takes {plan.input[0]}",
            fix="let the package take a tensor",
        )
    if options.labels is not None:
        _check_labels(options.labels, plan)


def _check_labels(labels: tuple[str, ...], plan: Plan) -> None:
    shape = plan.network.outputs[0].shape
    if shape.space is not None:
        message = "there are labels, and the network gives maps, no classes"
        raise fail("wrong-labels", message, fix="leave the labels out")
    if len(labels) != shape.channels:
        raise fail(
            "wrong-labels",
            f"{len(labels):,} labels for {shape.channels:,} classes",
            expected="a line for each class, in the order of the logits",
        )
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        raise fail(
            "wrong-labels",
            f"the label {label!a} is there {count} times",
            expected="a name of its own for each class: Core ML gives probabilities by name",
        )
