"""A package and its twin, which is the same in single precision and not compressed.

What a package in half precision computes is off by a percent, however faithful it is, and a small
fault hides in that. Its twin is held to the module, and the package to its twin: the same ops on
the same values, and every constant the twin's, rounded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from efspec.record import Record
from efspec.verify.bisect import Departure
from efspec.verify.constants import Constant
from efspec.verify.package import Package
from efspec.verify.program import Operand, Operation, Program
from efspec.verify.values import Array

_SHOWN = 3


class Kinship(Record):
    """What a package has of its twin.

    Attributes:
        ops: How many ops were compared.
        constants: How many constants were compared.
        packed: How many of them are packed.
        largest: Largest relative error of a packed constant: length of the difference over the
            length of the original.
        unproved: Names of packed constants of which it is not known how they should be packed.
        departures: What is other than in the twin.
    """

    ops: int
    constants: int
    packed: int
    largest: float
    unproved: tuple[str, ...]
    departures: tuple[Departure, ...]

    def told(self) -> str:
        """What was found, in words."""
        if self.departures:
            first = self.departures[:_SHOWN]
            names = ", ".join(d.path or d.op for d in first)
            more = f" and {len(self.departures) - _SHOWN:,} more" if self.departures[3:] else ""
            return f"not those of the twin: {names}{more}"
        packed = f", {self.packed:,} of them packed, off by {self.largest:.1e} at most"
        return f"{self.ops:,} ops and {self.constants:,} constants" + (
            packed if self.packed else ""
        )


def kinship(package: Package, twin: Package) -> Kinship:
    """What a package has of its twin; casts between floating-point types aside."""
    mine, names = _without_casts(package.program)
    theirs, twin_names = _without_casts(twin.program)
    ids, departures = package.ids(), []
    constants = packed = 0
    largest, unproved = 0.0, []
    values = dict(zip(_inputs(package), _inputs(twin), strict=False))

    def departure(op: Operation, message: str) -> Departure:
        path = ids.get(op.outputs[0].name, "") if op.outputs else ""
        return Departure(op.name, op.kind, path, message)

    for op, other in zip(mine, theirs, strict=False):
        if op.kind != other.kind:
            departures.append(departure(op, f"`{op.kind}` where the twin has `{other.kind}`"))
            break  # from here on nothing belongs together
        if ids and _names(op) != _names(other):
            departures.append(departure(op, f"is called `{other.label}` in the twin"))
        differences = _differences(op, other, values, names, twin_names)
        departures += [departure(op, message) for message in differences]
        values |= {a.name: b.name for a, b in zip(op.outputs, other.outputs, strict=False)}
        for (_, one), (_, wanted) in zip(op.constants(), other.constants(), strict=False):
            constants += 1
            if one.packing:
                packed += 1
                largest = max(largest, _relative(one, wanted))
                unproved += [one.name] if one.excess is None else []
    if len(mine) != len(theirs) and not departures:
        longer = max(mine, theirs, key=len)[min(len(mine), len(theirs))]
        message = f"{len(mine):,} ops, and {len(theirs):,} in the twin"
        departures.append(departure(longer, message))
    found = [values.get(names.get(name, name)) for name in package.program.outputs]
    if not departures and found != [twin_names.get(n, n) for n in twin.program.outputs]:
        departures.append(Departure("", "", "", "the outputs are other values than the twin's"))
    return Kinship(len(mine), constants, packed, largest, tuple(unproved), tuple(departures))


def _without_casts(program: Program) -> tuple[list[Operation], dict[str, str]]:
    """The ops that are no casts, and what the value of each cast is a cast of."""
    ops: list[Operation] = []
    source: dict[str, str] = {}
    for op in program.operations:
        operand = op.inputs.get("x", ("",))[0]
        if op.kind == "cast" and isinstance(operand, str):
            source[op.outputs[0].name] = source.get(operand, operand)
        else:
            ops.append(op)
    return ops, source


def _differences(
    op: Operation,
    other: Operation,
    values: dict[str, str],
    names: dict[str, str],
    twin_names: dict[str, str],
) -> Iterator[str]:
    """What two ops that belong together differ in."""
    if {k: len(v) for k, v in op.inputs.items()} != {k: len(v) for k, v in other.inputs.items()}:
        yield "takes other arguments than in the twin"
        return
    if [one.shape for one in op.outputs] != [one.shape for one in other.outputs]:
        yield "gives other shapes than in the twin"
    for argument, operands in sorted(op.inputs.items()):
        for one, wanted in zip(operands, other.inputs[argument], strict=True):
            if not _same(one, wanted, values, names, twin_names):
                yield f"`{argument}` is not the twin's"


def _same(
    one: Operand,
    wanted: Operand,
    values: dict[str, str],
    names: dict[str, str],
    twin_names: dict[str, str],
) -> bool:
    if isinstance(one, str) or isinstance(wanted, str):
        if not (isinstance(one, str) and isinstance(wanted, str)):
            return False
        return values.get(names.get(one, one)) == twin_names.get(wanted, wanted)
    if isinstance(one.value, tuple) or isinstance(wanted.value, tuple):
        return one.value == wanted.value
    if one.value.shape != wanted.value.shape:
        return False
    if one.packing and not wanted.packing:
        if one.excess is None:
            return True  # told apart by `unproved`
        return bool((one.excess(wanted.value.astype(np.float64)) <= 0).all())
    return _bits(one.value) == _bits(_rounded(wanted.value, one.value.dtype))


def _rounded(value: Array, dtype: np.dtype[np.generic]) -> Array:
    """A floating-point constant in the type that the package keeps it in."""
    with np.errstate(over="ignore"):
        return value.astype(dtype) if value.dtype.kind == dtype.kind == "f" else value


def _bits(value: Array) -> tuple[str, bytes]:
    return value.dtype.name, value.tobytes()


def _relative(one: Constant, wanted: Constant) -> float:
    original = wanted.array.astype(np.float64)
    length = float(np.linalg.norm(original))
    return float(np.linalg.norm(original - one.array)) / length if length else 0.0


def _inputs(package: Package) -> list[str]:
    return [one.name for one in package.program.inputs]


def _names(op: Operation) -> tuple[str, ...]:
    return (op.label, *(one.name for one in op.outputs))
