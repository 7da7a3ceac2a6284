"""A program of Core ML's intermediate language, as immutable operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from efspec.errors import EfspecError, fail
from efspec.record import Node, Record
from efspec.verify.constants import PREFIX, Constant, unpack
from efspec.verify.values import DamagedError, Weights, read_value, tensor_type

CLASSIFY = "classify"
"""The op that turns probabilities into a label and a table of them."""

Operand = str | Constant
"""What an op takes: the value of a name, or a constant."""


class Typed(Record):
    """A value that is computed.

    Attributes:
        name: Its name.
        dtype: `float16`, `float32`, `int32`, `bool`, `string` or the like.
        shape: Its shape, batch axis included.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


class Operation(Node):
    """An op at work.

    Attributes:
        kind: What it does.
        name: Name of its first result, which is its own.
        label: What it says it is called.
        inputs: What it takes, by argument; some arguments are several values.
        outputs: What it makes.
    """

    kind: str
    name: str
    label: str
    inputs: Mapping[str, tuple[Operand, ...]]
    outputs: tuple[Typed, ...]

    def constants(self) -> Iterator[tuple[str, Constant]]:
        """The constants that it takes, each with a name of its place."""
        for argument, operands in sorted(self.inputs.items()):
            for index, operand in enumerate(operands):
                if isinstance(operand, Constant):
                    place = f"{argument}[{index}]" if len(operands) > 1 else argument
                    yield place, operand

    def sources(self) -> Iterator[str]:
        """Names of the values that it takes."""
        for _, operands in sorted(self.inputs.items()):
            yield from (operand for operand in operands if isinstance(operand, str))


class Program(Node):
    """A program of one function.

    Attributes:
        opset: Version of the set of ops.
        inputs: What it takes.
        outputs: Names of the values that it gives.
        operations: The ops in order of execution, without those that only hold constants.
    """

    opset: str
    inputs: tuple[Typed, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]

    @property
    def is_half(self) -> bool:
        """Whether it computes in half precision, if only in places."""
        types = {one.dtype for op in self.operations for one in op.outputs}
        return "float16" in types

    @property
    def packings(self) -> tuple[str, ...]:
        """The kinds of packed weights in it."""
        kinds = {c.packing for op in self.operations for _, c in op.constants() if c.packing}
        return tuple(sorted(kinds))


def parse(message: Any, folder: Path) -> Program:
    """The program in a protobuf message.

    Args:
        message: The message.
        folder: Where its files of weights are.

    Raises:
        DamagedError: When it contradicts itself.
        EfspecError: When it has other than one function, or weights packed in an unknown way.
    """
    functions = dict(message.functions)
    if set(functions) != {"main"}:
        found = ", ".join(sorted(functions)) or "none"
        expected = "the one function `main`"
        raise fail("unsupported-option", f"its functions are {found}", expected=expected)
    main = functions["main"]
    block = main.block_specializations.get(main.opset)
    if block is None:
        raise DamagedError(f"it has no block for its opset {main.opset!r}")
    inputs = tuple(_typed(one) for one in main.inputs)
    operations = _operations(block, {one.name for one in inputs}, Weights(folder))
    made = {one.name for op in operations for one in op.outputs}
    for name in block.outputs:
        if name not in made:
            raise DamagedError(f"its output `{name}` is the result of no op")
    return Program(main.opset, inputs, tuple(block.outputs), operations)


def _operations(block: Any, known: set[str], weights: Weights) -> tuple[Operation, ...]:
    constants: dict[str, Constant] = {}
    operations: list[Operation] = []
    unknown: list[EfspecError] = []
    for message in block.operations:
        name = _name(message)
        for output in message.outputs:
            if output.name in known or output.name in constants:
                raise DamagedError(f"two values are called `{output.name}`")
        if message.type == "const":
            constants[name] = _constant(message, name, weights)
            continue
        inputs = {
            argument: tuple(
                _operand(binding, known, constants, weights, f"{name}, {argument}")
                for binding in bound.arguments
            )
            for argument, bound in message.inputs.items()
        }
        if message.type.startswith(PREFIX):
            for argument in message.attributes:
                if argument != "name":  # where iOS 16 keeps them
                    value = read_value(message.attributes[argument], weights, name)
                    inputs[argument] = (Constant("", value),)
            unpacked = unpack(message.type, name, _all_constant(name, inputs))
            if unpacked is None:
                unknown.append(unknown_op(message.type, name))
                constants[name] = Constant(name, ())
            else:
                dtype, shape = tensor_type(message.outputs[0].type.tensorType, name)
                if (unpacked.array.dtype.name, unpacked.array.shape) != (dtype, shape):
                    raise DamagedError(f"{name}: packed weights of another type or shape")
                constants[name] = unpacked
            continue
        outputs = tuple(_typed(one) for one in message.outputs)
        known.update(one.name for one in outputs)
        operations.append(Operation(message.type, name, _label(message, name), inputs, outputs))
    if unknown:
        raise EfspecError(d for error in unknown for d in error.diagnostics)
    return tuple(operations)


def unknown_op(kind: str, name: str) -> EfspecError:
    """An error about an op that efspec cannot run."""
    return fail(
        "unknown-op",
        f"efspec does not know the op `{kind}`",
        field=name,
        expected="an op of the vision networks that it writes, or of models of their kind",
    )


def _name(message: Any) -> str:
    if not message.outputs:
        raise DamagedError(f"an op of the kind {message.type!r} makes nothing")
    return str(message.outputs[0].name)


def _label(message: Any, default: str) -> str:
    """What an op says it is called."""
    if "name" not in message.attributes:
        return default
    texts = message.attributes["name"].immediateValue.tensor.strings.values
    return str(texts[0]) if texts else default


def _constant(message: Any, name: str, weights: Weights) -> Constant:
    if "val" not in message.attributes:
        raise DamagedError(f"{name}: a constant without a value")
    return Constant(name, read_value(message.attributes["val"], weights, name))


def _operand(
    binding: Any, known: set[str], constants: Mapping[str, Constant], weights: Weights, what: str
) -> Operand:
    if binding.WhichOneof("binding") == "value":
        return Constant("", read_value(binding.value, weights, what))
    name = str(binding.name)
    if name in constants:
        return constants[name]
    if name not in known:
        raise DamagedError(f"{what}: `{name}` is not there yet")
    return name


def _all_constant(name: str, inputs: Mapping[str, tuple[Operand, ...]]) -> dict[str, Constant]:
    found: dict[str, Constant] = {}
    for argument, operands in inputs.items():
        if len(operands) != 1 or not isinstance(operands[0], Constant):
            raise DamagedError(f"{name}: packed weights that are not constant")
        found[argument] = operands[0]
    return found


def _typed(message: Any) -> Typed:
    name = str(message.name)
    kind = message.type.WhichOneof("type")
    if kind == "dictionaryType":  # probabilities by label
        return Typed(name, "dictionary", ())
    if kind != "tensorType":
        raise DamagedError(f"{name}: it is no tensor, but {kind}")
    return Typed(name, *tensor_type(message.type.tensorType, name))
