"""Tracing: running a block on symbolic values to record what it does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import TypeVar

from efspec.errors import Diagnostic
from efspec.plan.block import Block
from efspec.plan.memo import remembered
from efspec.plan.module import CallStep, Module, OpStep, Purpose, Step, Value
from efspec.plan.ops import AnyOp, FunctionOp, LayerOp, Op, Shape, Split, ToMap, ToTokens
from efspec.plan.size import Expr, Rate, Size, expression, plain, substitute

MAX_KEPT = 8192
"""How many modules are kept, each with what was computed for it."""

StaticT = TypeVar("StaticT", bound=Hashable)


class BlockError(Exception):
    """What a block says when it cannot be on the map it is given.

    Attributes:
        mistakes: Path of child names to each mistake, and the mistake; its field is the option
            that causes it, within the block.
        output: The shape that the failed module would still have given, if that is known.
    """

    def __init__(
        self,
        mistakes: tuple[tuple[tuple[str, ...], Diagnostic], ...],
        output: Shape | None = None,
    ) -> None:
        super().__init__("; ".join(diagnostic.message for _, diagnostic in mistakes))
        self.mistakes = mistakes
        self.output = output

    def inside(self, name: str) -> BlockError:
        """The same error, seen from the parent of the child `name`."""
        mistakes = tuple(((name, *path), diagnostic) for path, diagnostic in self.mistakes)
        return BlockError(mistakes, self.output)


class Builder:
    """What a block's `forward` sees: it hands over values and ops, and all of it is recorded.

    Attributes:
        steps: What was recorded.
        decisions: Values of `static`, by name.
        parametric: Whether sizes carry expressions, in the terms of the block's arguments.
    """

    def __init__(self, parametric: bool = False) -> None:
        self.steps: list[Step] = []
        self.decisions: dict[str, object] = {}
        self.parametric = parametric
        self._names: set[str] = set()
        self._applied: dict[type[Op] | str, int] = {}

    def layer(self, name: str, op: LayerOp, *inputs: Value, var: str = "") -> Value:
        """Apply an op that has a name in the module tree.

        Args:
            name: The child's name; its tensors are `name.weight` and so on. An op without state
                may be applied again under its name.
            op: The op, in the block's sizes.
            inputs: What it is applied to.
            var: Variable that the printed source keeps the result in, if it is to have one.
        """
        if name not in self._applied or op.parameters() or op.buffers():
            self._claim(name)
        else:
            self._check_same(name, op)
        return self._record(op, name, inputs, (var,))[0]

    def apply(self, op: FunctionOp, *inputs: Value, var: str = "") -> Value:
        """Apply an op without a name. Arguments and result as in `layer`."""
        return self._record(op, "", inputs, (var,))[0]

    def split(self, op: Split, x: Value, *variables: str) -> tuple[Value, ...]:
        """Apply an op that has several results, each kept in its variable."""
        return self._record(op, "", (x,), variables)

    def call(
        self, name: str, block: Block, x: Value, *, var: str = "", purpose: Purpose = ""
    ) -> Value:
        """Apply another block as the child `name`, converting the representation if it must be.

        Args:
            name: The child's name.
            block: The block, in this block's sizes.
            x: What it is applied to.
            var: Variable that the printed source keeps the result in, if it is to have one.
            purpose: What the child computes for; empty for what this block computes for.

        Raises:
            BlockError: When the block cannot be on this map.
        """
        x = self.convert(x, block.takes())
        self._claim(name)
        try:
            module = trace(block, x.shape) if self.parametric else _trace(block, x.shape)
        except BlockError as error:
            raise error.inside(name) from None
        arguments = module.arguments
        shapes = [value.shape for value in module.outputs]
        if self.parametric:
            arguments = block.sizes() | ({} if block.inline else _shape_arguments(x.shape))
            terms = {key: expression(value) for key, value in arguments.items()}
            shapes = [_substitute(value.shape, terms) for value in parametric(module).outputs]
        outputs = tuple(Value(shape, "" if i else var) for i, shape in enumerate(shapes))
        self.steps.append(CallStep(module, name, purpose, arguments, (x,), outputs))
        return outputs[0]

    def convert(self, x: Value, layout: str) -> Value:
        """The value as a map or as tokens, by a child `to_map` or `to_tokens` if need be."""
        if layout == "any" or x.layout in (layout, "other"):
            return x
        block: Block = MapToTokens() if layout == "tokens" else TokensToMap()
        name = base = "to_tokens" if layout == "tokens" else "to_map"
        number = 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        return self.call(name, block, x)

    def static(self, name: str, value: StaticT) -> StaticT:
        """Record a decision that depends on plain sizes; it becomes part of the variant."""
        self.decisions[name] = value
        return value

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise ValueError(f"two children are called {name!r}")
        self._names.add(name)

    def _check_same(self, name: str, op: LayerOp) -> None:
        """Refuse to apply a layer again as something else: there is one module of its name."""
        first = next(s.op for s in self.steps if isinstance(s, OpStep) and s.name == name)
        if repr(first) != repr(op):  # unlike `==`, it tells how sizes are written
            raise ValueError(f"layer {name!r} is {first}, and is applied again as {op}")

    def _record(
        self, op: AnyOp, name: str, inputs: tuple[Value, ...], variables: tuple[str, ...]
    ) -> tuple[Value, ...]:
        inferred = op.infer(*[value.shape for value in inputs])
        shapes = (inferred,) if isinstance(inferred, Shape) else inferred
        outputs = tuple(Value(shape, var) for shape, var in zip(shapes, variables, strict=True))
        key = name or type(op)
        index = self._applied.get(key, 0)
        self._applied[key] = index + 1
        self.steps.append(OpStep(op, name, index, inputs, outputs))
        return outputs


def trace(block: Block, shape: Shape) -> Module:
    """The module of a block on an input of a shape, in plain numbers; equal requests share one.

    Raises:
        BlockError: When the block cannot be on this map.
    """
    # Sizes of equal value and different expression are equal as keys: only plain ones may be.
    sizes = {name: _plain_number(value) for name, value in block.sizes().items()}
    return _trace(block.sized(sizes), shape.plain())


def _trace(block: Block, shape: Shape) -> Module:
    # What is inline holds others; there is one for each network that is ever looked at, each of
    # its stages and chains, and nobody asks for it again.
    return _run(block, shape) if block.inline else _shared(block, shape)


def _run(block: Block, shape: Shape) -> Module:
    arguments = block.sizes()
    if not block.inline:
        arguments = _shape_arguments(shape) | arguments
    return _module(block, block, arguments, Value(shape, "x"), Builder())


_shared = lru_cache(maxsize=MAX_KEPT)(_run)


def forget() -> None:
    """Forget all modules: blocks are traced as if for the first time."""
    _shared.cache_clear()


@remembered
def parametric(module: Module) -> Module:
    """A module in the terms of its constructor's arguments: what its source is printed from.

    Counting needs plain numbers only, and tracing with expressions takes twice as long: this is
    a second trace, for those who print.
    """
    block, shape = module.block, module.inputs[0].shape
    written = shape if block.inline else _symbolic_shape(shape)
    builder = Builder(parametric=True)
    found = _module(block, block.symbolic(), module.arguments, Value(written, "x"), builder)
    if found.variant != module.variant:
        raise AssertionError(f"{block}: decisions depend on how sizes are written")
    return found


def _module(
    block: Block, run: Block, arguments: Mapping[str, int | float], x: Value, builder: Builder
) -> Module:
    """What running a block on a value records."""
    result = run.forward(builder, x)
    layout = x.shape.layout
    return Module(
        block=block,
        variant=(*block.structure(), ("input", layout), *sorted(builder.decisions.items())),
        arguments=arguments,
        inputs=(x,),
        outputs=result if isinstance(result, tuple) else (result,),
        steps=tuple(builder.steps),
    )


def mistake(
    name: str, message: str, *, field: str = "", expected: str = "", fix: str = ""
) -> BlockError:
    """An error for a block to raise: it cannot be on this map because of its option `field`."""
    diagnostic = Diagnostic(name=name, message=message, field=field, expected=expected, fix=fix)
    return BlockError((((), diagnostic),))


def _symbolic_shape(shape: Shape) -> Shape:
    """The shape with its sizes written as the arguments `dim`, `height` and `width`."""
    named = {name: Size(value, name) for name, value in _shape_arguments(shape).items()}
    match shape.layout:
        case "map":
            return Shape(tuple(named.values()), (named["height"], named["width"]))
        case "tokens":
            tokens = named["height"] * named["width"]
            return Shape((tokens, named["dim"]), (named["height"], named["width"]))
        case "other":
            return shape


def _shape_arguments(shape: Shape) -> dict[str, int]:
    if shape.space is None:
        return {"dim": shape.channels}
    return {"dim": shape.channels, "height": shape.space[0], "width": shape.space[1]}


def _substitute(shape: Shape, terms: Mapping[str, Expr]) -> Shape:
    """A callee's shape in its caller's terms."""

    def rewrite(size: int) -> int:
        if not isinstance(size, Size):
            return size
        return Size(plain(size), substitute(size.expr, terms))

    space = None if shape.space is None else (rewrite(shape.space[0]), rewrite(shape.space[1]))
    return Shape(tuple(map(rewrite, shape.sizes)), space)


def _plain_number(value: int | float) -> int | float:
    if isinstance(value, Size):
        return plain(value)
    return float(value) if isinstance(value, Rate) else value


class MapToTokens(Block):
    """A feature map as a sequence of tokens: (B, C, H, W) to (B, H * W, C)."""

    def forward(self, b: Builder, x: Value) -> Value:
        """See `Block.forward`."""
        return b.apply(ToTokens(), x)


class TokensToMap(Block):
    """A sequence of tokens as a feature map: (B, H * W, C) to (B, C, H, W)."""

    layout = "tokens"

    def forward(self, b: Builder, x: Value) -> Value:
        """See `Block.forward`."""
        height, width = x.space
        return b.apply(ToMap(height, width), x)
