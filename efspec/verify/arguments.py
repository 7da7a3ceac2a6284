"""The arguments of an op while it runs: tensors, numbers and options by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor

from efspec.errors import EfspecError, fail
from efspec.verify.constants import Constant
from efspec.verify.program import Operation
from efspec.verify.values import DamagedError

Convert = Callable[[Constant], Tensor]

DefaultT = TypeVar("DefaultT")


class Arguments:
    """What an op takes.

    Attributes:
        op: The op.
    """

    def __init__(self, op: Operation, values: Mapping[str, Tensor], convert: Convert) -> None:
        self.op = op
        self._values = values
        self._convert = convert

    def tensors(self, name: str) -> list[Tensor]:
        """The tensors of an argument that takes several.

        Raises:
            DamagedError: When there is none.
        """
        operands = self.op.inputs.get(name)
        if not operands:
            raise DamagedError(f"{self.op.name}: {self.op.kind} without `{name}`")
        return [self._values[o] if isinstance(o, str) else self._convert(o) for o in operands]

    def tensor(self, name: str) -> Tensor:
        """A tensor.

        Raises:
            DamagedError: When there is none.
        """
        return self.tensors(name)[0]

    def optional(self, name: str) -> Tensor | None:
        """A tensor, or None where it is left out."""
        return self.tensor(name) if self.op.inputs.get(name) else None

    def integers(self, name: str, default: list[int] | None = None) -> list[int]:
        """Integers, such as strides."""
        found = self._constant(name, default)
        return found if isinstance(found, list) else [int(n) for n in found.array.reshape(-1)]

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer, such as an axis."""
        return self.integers(name, None if default is None else [default])[0]

    def flag(self, name: str, default: bool) -> bool:
        """A truth value."""
        return bool(self.integer(name, int(default)))

    def flags(self, name: str, count: int) -> list[bool]:
        """A truth value per axis, all false where they are left out."""
        return [bool(n) for n in self.integers(name, [0] * count)]

    def number(self, name: str, default: float | None = None) -> float:
        """A number, as it is stored: an epsilon may be one of half precision."""
        found = self._constant(name, default)
        return found if isinstance(found, float) else float(found.array.reshape(-1)[0])

    def text(self, name: str, default: str) -> str:
        """A word, such as the name of a mode."""
        found = self._constant(name, default)
        value = found if isinstance(found, str) else found.value
        return value if isinstance(value, str) else str(value[0])

    def expect(self, shape: Sequence[int]) -> None:
        """Refuse a result of another shape than the program says before it takes memory.

        Raises:
            DamagedError: When it has another.
        """
        declared = self.op.outputs[0].shape
        if tuple(shape) != declared:
            raise DamagedError(f"{self.op.name}: is {tuple(shape)}, declared {declared}")

    def refuse(self, option: str) -> EfspecError:
        """An error about an option of the op that efspec cannot run."""
        return fail("unsupported-option", f"`{self.op.kind}` with {option}", field=self.op.name)

    def _constant(self, name: str, default: DefaultT | None) -> Constant | DefaultT:
        operands = self.op.inputs.get(name)
        if not operands:
            if default is None:
                raise DamagedError(f"{self.op.name}: {self.op.kind} without `{name}`")
            return default
        if not isinstance(operands[0], Constant):
            raise self.refuse(f"a computed `{name}`")
        return operands[0]


def axes_of(arguments: Arguments, rank: int) -> list[int]:
    """The axes that an op works over; all of them where it names none."""
    return arguments.integers("axes", list(range(rank)))


def per_channel(vector: Tensor, rank: int) -> Tensor:
    """A vector (C,) as it is laid over values (B, C, ...)."""
    return vector.reshape(1, -1, *[1] * (rank - 2))
