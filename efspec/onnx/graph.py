"""An ONNX graph as it grows: nodes, and the constants they read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = npt.NDArray[np.generic]
Attribute = int | float | str | list[int]


class Graph:
    """Nodes and initializers, added one by one.

    A node and the value it makes share a name, so that a profile of either reads as the plan does.

    Attributes:
        opset: Version of the operator set that nodes are of.
        batch: Size of the batch axis as `Reshape` writes it: 0 takes over that of its input.
    """

    def __init__(self, opset: int, batch: int) -> None:
        self.opset = opset
        self.batch = batch
        self._nodes: list[NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._unshaped: dict[str, str] = {}
        self._swapped: dict[str, str] = {}

    def node(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str] = (),
        **attributes: Attribute,
    ) -> str:
        """Add a node; gives the name of its first value, which is its own unless `outputs` say."""
        made = outputs or [name]
        node = helper.make_node(kind, inputs, made, name)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in sorted(attributes.items()))
        self._nodes.append(node)
        return made[0]

    def constant(self, name: str, value: Array) -> str:
        """Name of an initializer, which is added if it is not there."""
        if name not in self._initializers:
            # ONNX keeps tensors by rows; a transposed view is not.
            tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
            self._initializers[name] = tensor
        return name

    def integers(self, name: str, *values: int) -> str:
        """Name of an initializer of integers, such as axes and sizes."""
        return self.constant(name, np.array(values, np.int64))

    def number(self, name: str, value: float) -> str:
        """Name of an initializer of one number, in single precision."""
        return self.constant(name, np.array(value, np.float32))

    def reshape(self, name: str, x: str, *sizes: int) -> str:
        """A value in another shape, the batch axis apart; chains of reshapes become one."""
        source = self._unshaped.get(x, x)
        self._unshaped[name] = source
        shape = self.integers(f"{name}/shape", self.batch, *sizes)
        return self.node("Reshape", name, [source, shape])

    def swap(self, name: str, x: str, rank: int) -> str:
        """A value with its last two axes swapped, which happens once; twice gives it back.

        Args:
            name: Name of the node, if it takes one.
            x: The value.
            rank: How many axes it has, that of the batch included.
        """
        if x not in self._swapped:
            self._swapped |= {x: name, name: x}
            self.node("Transpose", name, [x], perm=[*range(rank - 2), rank - 1, rank - 2])
        return self._swapped[x]

    def finish(
        self, values: Sequence[str], names: Sequence[str]
    ) -> tuple[list[NodeProto], list[TensorProto]]:
        """The nodes and initializers that the network's results depend on; others were bypassed.

        Args:
            values: The results.
            names: What they are to be called.
        """
        renamed: dict[str, str] = {}
        made = {value for node in self._nodes for value in node.output}
        for value, name in zip(values, names, strict=True):
            if value in renamed or value not in made:  # a result twice, or the input
                self.node("Identity", name, [value])
            else:
                renamed[value] = name
        needed = set(values) | set(names)
        kept: list[NodeProto] = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
                node.input[:] = [renamed.get(value, value) for value in node.input]
                node.output[:] = [renamed.get(value, value) for value in node.output]
        initializers = [tensor for name, tensor in self._initializers.items() if name in needed]
        return kept[::-1], initializers
