"""Probes: networks that hold nothing but copies of one part, to measure what the part takes.

What a network costs beside its parts (the call, its input and output) is the same for any number
of copies, so the time that one copy more takes is the part's alone. Copies have weights of their
own: equal ones would be merged, or stay in a cache that no whole network leaves them in. A part
that gives what it takes stands in a chain, as in a network. One that does not is there several
times beside itself, and the results are added; its latency holds one such addition.

A probe is a `Plan`, so whatever takes networks takes probes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from efspec.blocks.features_head import FeaturesHead
from efspec.blocks.layers import ConvNorm
from efspec.blocks.network import Chain, HeadAlone, Network
from efspec.plan import (
    Block,
    Builder,
    OpStep,
    Part,
    Plan,
    Shape,
    Value,
    head_steps,
    map_shape,
    parts,
    trace,
)
from efspec.plan.builder import MapToTokens, TokensToMap
from efspec.plan.key import BlockKey, block_key
from efspec.plan.ops import Add, BatchNorm2d, LayerNorm
from efspec.record import Node, Record

Kind = Literal["chain", "parallel"]
Layout = Literal["map", "tokens"]


class Harness(Record):
    """Copies of a block in a network of their own; how many is left open.

    Attributes:
        kind: Whether they stand one after the other, or beside each other.
        block: The block.
        input: Shape of the map that the network takes.
        layout: How the block is to see it.
    """

    kind: Kind
    block: Block
    input: Shape
    layout: Layout


class Probe(Record):
    """How a part is measured: the latencies per copy of some harnesses, added or subtracted.

    Attributes:
        key: The part's key.
        terms: The harnesses, each with how often it counts; most parts take one, once.
    """

    key: BlockKey
    terms: tuple[tuple[int, Harness], ...]


class Wanted(Node):
    """A part that networks hold.

    Attributes:
        plan: The first network that holds it.
        part: The part.
        probe: How it is measured.
        count: How often it is there, in all of the networks.
    """

    plan: Plan
    part: Part
    probe: Probe
    count: int


def wanted(plans: Iterable[Plan]) -> dict[BlockKey, Wanted]:
    """The parts of networks by their keys, in order of first appearance."""
    found: dict[BlockKey, Wanted] = {}
    for plan in plans:
        for part in parts(plan):
            key = block_key(plan, part)
            first = found.get(key) or Wanted(plan, part, Probe(key, _terms(plan, part)), 0)
            found[key] = first.replaced(count=first.count + 1)
    return found


def reference(plan: Plan) -> Harness:
    """A harness that takes what a network takes: its stem, by which machines are watched."""
    return _terms(plan, parts(plan)[0])[0][1]


def probe_plan(harness: Harness, copies: int) -> Plan:
    """The network of a harness with a number of copies, as yet not deployed."""
    parallel = harness.kind == "parallel"
    copied = Copies(block=harness.block, copies=copies, given=harness.layout, parallel=parallel)
    return Plan("probe", "", "", trace(copied, harness.input))


class Copies(Block):
    """Copies of a block, one after the other, or beside each other with their results added."""

    inline: ClassVar[bool] = True

    block: Block
    copies: int
    given: Layout
    parallel: bool

    def takes(self) -> Literal["any"]:
        """See `Block.takes`."""
        return "any"

    def forward(self, b: Builder, x: Value) -> Value:
        """A map to what the last copy gives, or to the sum of what all give."""
        x = b.convert(x, self.given)
        if not self.parallel:
            x = b.call("stages", Chain(items=(self.block,) * self.copies), x)
            return b.convert(x, "map")
        total = b.call("copy0", self.block, x, var="x0")
        for i in range(1, self.copies):
            one = b.call(f"copy{i}", self.block, x, var=f"x{i}")
            total = b.apply(Add(), total, one, var="x0")
        return b.convert(total, "map")


class Head(HeadAlone):
    """A classifier's head as a block of its own."""

    inline: ClassVar[bool] = False


class Normed(Block):
    """A norm alone, as heads of backbones have it on each map."""

    norm: Literal["batch", "layer"]

    def takes(self) -> Layout:
        """See `Block.takes`."""
        return "tokens" if self.norm == "layer" else "map"

    def forward(self, b: Builder, x: Value) -> Value:
        """See `Block.forward`."""
        op = LayerNorm(x.channels) if self.norm == "layer" else BatchNorm2d(x.channels)
        return b.layer("norm", op, x)


class Between(Block):
    """A depthwise convolution of a map and a norm of tokens, with a conversion between them.

    Runtimes drop a conversion next to its inverse, and delay it where they can: it shows between
    ops that cannot do without it.
    """

    to: Layout

    def takes(self) -> Layout:
        """See `Block.takes`."""
        return "map" if self.to == "tokens" else "tokens"

    def forward(self, b: Builder, x: Value) -> Value:
        """See `Block.forward`."""
        dim = x.channels
        norm, conv = Normed(norm="layer"), _depthwise(dim)
        if self.to == "tokens":
            return b.call("norm", norm, b.call("conv", conv, x))
        return b.call("conv", conv, b.call("norm", norm, x))


def _terms(plan: Plan, part: Part) -> tuple[tuple[int, Harness], ...]:
    if part.module is None:
        return _head_terms(plan, part)
    block = part.module.block
    if isinstance(block, MapToTokens | TokensToMap):
        return _conversion_terms(part)
    kind: Kind = "chain" if part.input == part.output else "parallel"
    return ((1, Harness(kind, block, _map(part.input), _layout(part.input))),)


def _head_terms(plan: Plan, part: Part) -> tuple[tuple[int, Harness], ...]:
    network = plan.network.block
    assert isinstance(network, Network)  # which every spec resolves to
    if isinstance(network.head, FeaturesHead):
        return tuple((1, _norm(step)) for step in head_steps(plan))
    classes = part.output.channels
    head = Head(head=network.head, num_classes=classes)
    return ((1, Harness("parallel", head, _map(part.input), _layout(part.input))),)


def _norm(step: OpStep) -> Harness:
    """One norm of a backbone's head."""
    shape = step.inputs[0].shape
    layer = isinstance(step.op, LayerNorm)
    return Harness("chain", Normed(norm="layer" if layer else "batch"), _map(shape), _layout(shape))


def _conversion_terms(part: Part) -> tuple[tuple[int, Harness], ...]:
    """What a conversion adds to a convolution before it and a norm behind it, or reversed."""
    shape, layout = _map(part.input), _layout(part.input)
    between = Between(to="map" if layout == "tokens" else "tokens")
    conv = _depthwise(shape.channels)
    return (
        (1, Harness("parallel", between, shape, layout)),
        (-1, Harness("parallel", conv, shape, "map")),
        (-1, Harness("chain", Normed(norm="layer"), shape, "tokens")),
    )


def _depthwise(dim: int) -> Block:
    return ConvNorm(out_dim=dim, kernel_size=3, groups=dim)


def _layout(shape: Shape) -> Layout:
    return "tokens" if shape.layout == "tokens" else "map"


def _map(shape: Shape) -> Shape:
    """The map that becomes an input of this shape."""
    assert shape.space is not None  # parts take maps or tokens
    return map_shape(shape.channels, *shape.space)
