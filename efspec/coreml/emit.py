"""From a plan and its weights to a MIL program, op by op."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from efspec.coreml.names import Names
from efspec.coreml.ops import Context, emit_op
from efspec.coreml.options import Normal, PackageOptions
from efspec.deploy import Weights
from efspec.plan import PlacedOp, Plan
from efspec.plan.names import INPUT, output_names
from efspec.plan.ops import Flatten, MergeHeads, SplitHeads, Unflatten

LABEL = "classLabel"
PROBABILITIES = f"{LABEL}_probs"
"""What Core ML's own tools call the output with a class's name; with `_probs`, probabilities."""

RESHAPES = (Flatten, Unflatten, SplitHeads, MergeHeads)
"""Ops that keep the numbers in their order; several in a row are one."""


class Emitted(NamedTuple):
    """A program.

    Attributes:
        program: A coremltools `Program` of one function, `main`.
        ids: Id of the plan's op by name of the value that it makes; empty for what is none.
    """

    program: Any
    ids: Mapping[str, str]


def package_outputs(plan: Plan, options: PackageOptions) -> tuple[str, ...]:
    """Names of a package's outputs."""
    return (LABEL, PROBABILITIES) if options.labels is not None else output_names(plan)


def emit(plan: Plan, weights: Weights, options: PackageOptions) -> Emitted:
    """The program of a plan: `image` (1, C, H, W) to what `output_names` tells.

    Args:
        plan: The network, as it is to be deployed.
        weights: Its tensors by their names in the state dict.
        options: Precision, release of iOS, image and labels.

    Raises:
        KeyError: When a tensor is missing.
        ValueError: When a tensor or a value has another shape than the plan says.
    """
    import coremltools as ct
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 - as its users call it
    from coremltools.converters.mil.mil import Function, Program, types

    half = options.precision == "fp16"
    kind = types.fp16 if half else types.fp32
    # Pixels are whole numbers up to 255: they are normalised before they are rounded.
    taken = types.fp32 if options.image else kind
    outputs = output_names(plan)
    names = Names(INPUT, LABEL, PROBABILITIES, *outputs)
    context = Context(mb, names, weights, np.float16 if half else np.float32)
    program = Program()
    placeholder = mb.placeholder(shape=(1, *plan.input), dtype=taken)
    target = getattr(ct.target, f"iOS{options.ios}")
    with _counted_anew(mb), Function({INPUT: placeholder}, opset_version=target) as function:
        x = function.inputs[INPUT]
        if options.image:
            x = _normalised(context, x, options.image, half)
        results = _emit_ops(plan, context, x, dict(zip(plan.outputs(), outputs, strict=True)))
        if options.labels is not None:
            results = _classified(context, results[0], options.labels)
        function.set_outputs(results)
    program.add_function("main", function)
    return Emitted(program, names.ids)


@contextmanager
def _counted_anew(mb: Any) -> Iterator[None]:
    """Let the builder number the constants of a program from 0, and not on from the last one's."""
    before, mb.name_count = mb.name_count, defaultdict(int)
    try:
        yield
    finally:
        mb.name_count = before


def _emit_ops(plan: Plan, context: Context, x: Any, outputs: Mapping[int, str]) -> list[Any]:
    ops = plan.ops()
    values: dict[int, Any] = {0: x}
    readers = Counter(number for placed in ops for number in placed.inputs)
    reshaped = {
        placed.inputs[0]
        for placed in ops
        if isinstance(placed.op, RESHAPES) and readers[placed.inputs[0]] == 1
    } - outputs.keys()
    for placed in ops:
        inputs = [values[number] for number in placed.inputs]
        if isinstance(placed.op, RESHAPES) and placed.outputs[0] in reshaped:
            values[placed.outputs[0]] = inputs[0]  # the next one reshapes what this one takes
            continue
        wanted = outputs.get(placed.outputs[0])
        name = context.names.output(wanted, placed.id) if wanted else context.names.of(placed.id)
        results = emit_op(context, placed, name, inputs)
        values.update(zip(placed.outputs, results, strict=True))
        _check_shapes(placed, results)
    return [values[number] for number in outputs]


def _check_shapes(placed: PlacedOp, results: tuple[Any, ...]) -> None:
    for shape, value in zip(placed.output_shapes, results, strict=True):
        if tuple(value.shape[1:]) != shape.sizes:
            raise ValueError(f"{placed.id}: {tuple(value.shape[1:])}, planned {shape.sizes}")


def _normalised(context: Context, pixels: Any, normal: Normal, half: bool) -> Any:
    """Pixels as the network takes them; exact at padded borders, where it sees zeros."""
    mb, names = context.mb, context.names
    mean, std = (
        255 * np.asarray(values, np.float32).reshape(1, -1, 1, 1)
        for values in (normal.mean, normal.std)
    )
    x = mb.sub(x=pixels, y=mean, name=names.beside("image_less_mean"))
    x = mb.real_div(x=x, y=std, name=names.beside("image_over_std"))
    return mb.cast(x=x, dtype="fp16", name=names.constant("image_rounded")) if half else x


def _classified(context: Context, logits: Any, labels: tuple[str, ...]) -> list[Any]:
    """The most likely label, and the probability of each."""
    from coremltools.converters.mil.mil import mil_list

    mb, names = context.mb, context.names
    x = mb.softmax(x=logits, axis=-1, name=names.beside("probabilities"))
    if context.dtype == np.float16:
        x = mb.cast(x=x, dtype="fp32", name=names.constant("probabilities_fp32"))
    classes = mb.const(val=mil_list(list(labels)), name=names.constant("labels"))
    label, probabilities = mb.classify(
        probabilities=x, classes=classes, name=names.constant("classify")
    )
    label.name, probabilities.name = LABEL, PROBABILITIES
    names.ids |= {label.name: "", probabilities.name: ""}
    return [label, probabilities]
