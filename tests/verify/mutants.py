"""Faults to put into packages on disk, each into one op."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.verify.packages import MODEL, WEIGHTS, main, model

Mutant = Callable[["Patient"], str]
"""Puts a fault into a package, and gives the name of the op that has it."""


class Patient:
    """A package on disk that is changed: its model in memory, its weights in place."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.message = model(package)
        self.ops = main(self.message).operations

    def write(self) -> None:
        (self.package / MODEL).write_bytes(self.message.SerializeToString())

    def op(self, kind: str, number: int) -> Any:
        """One of the ops of a kind."""
        return [op for op in self.ops if op.type == kind][number]

    def constant(self, op: Any, argument: str) -> Any:
        """The value of a constant that an op takes, which is made its own: others may share it."""
        (binding,) = op.inputs[argument].arguments
        if binding.WhichOneof("binding") == "name":
            (const,) = [c for c in self.ops if c.outputs[0].name == binding.name]
            binding.value.CopyFrom(const.attributes["val"])
        return binding.value

    def array(self, op: Any, argument: str) -> np.ndarray:
        """A constant of numbers, wherever it is."""
        value = self.constant(op, argument)
        shape = [d.constant.size for d in value.type.tensorType.dimensions]
        dtype = np.float16 if value.type.tensorType.dataType == 10 else np.float32
        if value.WhichOneof("value") == "blobFileValue":
            start, count = self.blob(value)
            data = (self.package / WEIGHTS).read_bytes()[start : start + count]
            return np.frombuffer(data, dtype).reshape(shape)
        tensor = value.immediateValue.tensor
        if tensor.WhichOneof("value") == "bytes":
            return np.frombuffer(tensor.bytes.values, dtype).reshape(shape)
        return np.array(getattr(tensor, tensor.WhichOneof("value")).values).reshape(shape)

    def set(self, op: Any, argument: str, array: np.ndarray) -> None:
        """Other numbers, of the same type and shape."""
        value = self.constant(op, argument)
        if value.WhichOneof("value") == "blobFileValue":
            start, count = self.blob(value)
            data = bytearray((self.package / WEIGHTS).read_bytes())
            data[start : start + count] = array.tobytes()
            (self.package / WEIGHTS).write_bytes(data)
            return
        tensor = value.immediateValue.tensor
        if tensor.WhichOneof("value") == "bytes":
            tensor.bytes.values = array.tobytes()
        else:
            values = getattr(tensor, tensor.WhichOneof("value")).values
            values[:] = array.reshape(-1).tolist()

    def set_text(self, op: Any, argument: str, text: str) -> None:
        self.constant(op, argument).immediateValue.tensor.strings.values[0] = text

    def blob(self, value: Any) -> tuple[int, int]:
        """Where a blob's numbers start, and how many bytes they take."""
        data = (self.package / WEIGHTS).read_bytes()
        size, start = struct.unpack_from("<QQ", data, value.blobFileValue.offset + 8)
        return start, size


def flip(kind: str, number: int, argument: str) -> Mutant:
    """The sign of one number, the largest of them."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        array = patient.array(op, argument).copy()
        flat = array.reshape(-1)
        flat[np.abs(flat).argmax()] *= -1
        patient.set(op, argument, array)
        return op.outputs[0].name

    return mutate


def nudge(kind: str, number: int, argument: str) -> Mutant:
    """The last bit of one number."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        array = patient.array(op, argument).copy()
        array.reshape(-1).view(np.uint8)[0] ^= 1
        patient.set(op, argument, array)
        return op.outputs[0].name

    return mutate


def numbers(kind: str, number: int, argument: str, *values: float) -> Mutant:
    """Other values of an option."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        before = patient.array(op, argument)
        after = np.array(values, before.dtype).reshape(before.shape)
        assert not np.array_equal(before, after)
        patient.set(op, argument, after)
        return op.outputs[0].name

    return mutate


def text(kind: str, number: int, argument: str, value: str) -> Mutant:
    """Another word for an option."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        patient.set_text(op, argument, value)
        return op.outputs[0].name

    return mutate


def negate(kind: str, number: int, argument: str) -> Mutant:
    """A flag, the other way round."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        patient.set(op, argument, ~patient.array(op, argument))
        return op.outputs[0].name

    return mutate


def reverse(kind: str, number: int, argument: str) -> Mutant:
    """A constant with its first axis that is longer than 1 turned round: heads, channels, axes."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        array = patient.array(op, argument)
        axis = next(i for i, size in enumerate(array.shape) if size > 1)
        patient.set(op, argument, np.flip(array, axis).copy())
        return op.outputs[0].name

    return mutate


def swap_inputs(kind: str, number: int, one: str, other: str) -> Mutant:
    """Two arguments in each other's place."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        a, b = (op.inputs[name].arguments[0].name for name in (one, other))
        op.inputs[one].arguments[0].name, op.inputs[other].arguments[0].name = b, a
        return op.outputs[0].name

    return mutate


def swap_outputs(kind: str, number: int, one: int, other: int) -> Mutant:
    """Two results in each other's place; what departs is the first op that reads one."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        names = {op.outputs[one].name: op.outputs[other].name}
        names |= {new: old for old, new in names.items()}
        readers = []
        for reader in patient.ops:
            for argument in reader.inputs.values():
                for binding in argument.arguments:
                    if binding.name in names:
                        binding.name = names[binding.name]
                        readers.append(reader.outputs[0].name)
        return readers[0]

    return mutate


def rewire(kind: str, number: int, argument: str, source: str, source_number: int) -> Mutant:
    """An argument that is another op's result."""

    def mutate(patient: Patient) -> str:
        op, other = patient.op(kind, number), patient.op(source, source_number)
        op.inputs[argument].arguments[0].name = other.outputs[0].name
        return op.outputs[0].name

    return mutate


def replace(kind: str, number: int, other: str) -> Mutant:
    """Another op of the same arguments."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        op.type = other
        return op.outputs[0].name

    return mutate


def drop(kind: str, number: int, argument: str) -> Mutant:
    """An argument left out."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        del op.inputs[argument]
        return op.outputs[0].name

    return mutate


def skip(kind: str, number: int) -> Mutant:
    """An op left out, of those that keep the shape; what departs is the first that read it."""

    def mutate(patient: Patient) -> str:
        op = patient.op(kind, number)
        name, source = op.outputs[0].name, op.inputs["x"].arguments[0].name
        patient.ops.remove(op)
        readers = []
        for reader in patient.ops:
            for argument in reader.inputs.values():
                for binding in argument.arguments:
                    if binding.name == name:
                        binding.name = source
                        readers.append(reader.outputs[0].name)
        return readers[0]

    return mutate
