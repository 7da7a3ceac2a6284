"""Running a program op by op, in the arithmetic of one's choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from efspec.errors import EfspecError, fail
from efspec.verify.arguments import Arguments
from efspec.verify.constants import Constant
from efspec.verify.ops import OPS
from efspec.verify.program import CLASSIFY, Operation, Program, Typed, unknown_op
from efspec.verify.values import DamagedError

Precision = Literal["fp64", "fp32", "fp16"]
"""What is computed in. In `fp16` each op computes in single precision, and what it gives is rounded
to half where the program says so, or everywhere in one that never does."""

Observe = Callable[[Operation, tuple[Tensor, ...]], None]


class Runner:
    """A program, ready to be run.

    Attributes:
        program: The program.
        precision: What it is run in.
    """

    def __init__(self, program: Program, precision: Precision) -> None:
        """A program's runner.

        Raises:
            EfspecError: When there are ops in it that efspec does not know: all of them.
        """
        check_known(program)
        self.program = program
        self.precision: Precision = precision
        self._dtype = torch.float64 if precision == "fp64" else torch.float32
        self._rounds_all = precision == "fp16" and not program.is_half
        self._converted: dict[int, Tensor] = {}
        self._uses = Counter(name for op in program.operations for name in op.sources())

    def run(self, x: Tensor, observe: Observe | None = None) -> tuple[Tensor, ...]:
        """What the program gives for images x (B, C, H, W), in its order.

        A label is left out; of labelled probabilities, the probabilities are given.

        Args:
            x: Its input.
            observe: Called with each op and what it gave.

        Raises:
            EfspecError: When an op has options that efspec cannot run.
            DamagedError: When an op cannot be run on what it is given, or gives another shape than
                the program says.
        """
        (source,) = self.program.inputs
        if tuple(x.shape) != source.shape:
            raise DamagedError(f"{source.name}: {tuple(x.shape)} for the shape {source.shape}")
        values = {source.name: self._rounded(x.to(self._dtype), source)}
        left, kept = self._uses.copy(), set(self.program.outputs)
        for op in self.program.operations:
            results = self._results(op, values)
            if observe is not None:
                observe(op, results)
            values.update((one.name, y) for one, y in zip(op.outputs, results, strict=True))
            for name in op.sources():
                left[name] -= 1
                if not left[name] and name not in kept:
                    values.pop(name, None)
        return tuple(values[name] for name in numeric_outputs(self.program))

    def _results(self, op: Operation, values: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        arguments = Arguments(op, values, self._tensor)
        if op.kind == CLASSIFY:
            probabilities = arguments.tensor("probabilities")
            return (probabilities,) * len(op.outputs)
        try:
            result = OPS[op.kind](arguments)
        except (EfspecError, DamagedError):
            raise
        except Exception as error:  # torch tells of shapes that do not fit in many ways
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DamagedError(f"{op.name}: {op.kind} cannot be run: {reason[:200]}") from error
        results = result if isinstance(result, tuple) else (result,)
        if len(results) != len(op.outputs):
            raise DamagedError(f"{op.name}: {len(results)} results, {len(op.outputs)} declared")
        for one, y in zip(op.outputs, results, strict=True):
            if tuple(y.shape) != one.shape:
                raise DamagedError(f"{one.name}: is {tuple(y.shape)}, declared {one.shape}")
        return tuple(self._rounded(y, one) for one, y in zip(op.outputs, results, strict=True))

    def _rounded(self, y: Tensor, declared: Typed) -> Tensor:
        """A value as the program's type and the arithmetic leave it."""
        if not y.is_floating_point():
            return y
        if self.precision == "fp16" and (declared.dtype == "float16" or self._rounds_all):
            return y.half().to(self._dtype)
        return y.to(self._dtype)

    def _tensor(self, constant: Constant) -> Tensor:
        key = id(constant)
        if key not in self._converted:
            tensor = torch.from_numpy(constant.array.copy())
            if tensor.is_floating_point():
                tensor = (tensor.half() if self._rounds_all else tensor).to(self._dtype)
            self._converted[key] = tensor
        return self._converted[key]


def check_known(program: Program) -> None:
    """Refuse a program with ops that efspec does not know.

    Raises:
        EfspecError: With the first op of each such kind.
    """
    unknown: dict[str, EfspecError] = {}
    for op in program.operations:
        if op.kind not in OPS and op.kind != CLASSIFY:
            unknown.setdefault(op.kind, unknown_op(op.kind, op.name))
    if unknown:
        raise EfspecError(d for error in unknown.values() for d in error.diagnostics)


def numeric_outputs(program: Program) -> tuple[str, ...]:
    """Names of the outputs that are numbers; of a label and its probabilities, the latter."""
    labels = {op.outputs[0].name for op in program.operations if op.kind == CLASSIFY}
    found = tuple(name for name in program.outputs if name not in labels)
    if not found:
        raise fail("other-network", "its outputs are labels only", expected="probabilities, too")
    return found
