"""What in a program may keep it off the Neural Engine, or slow it down there.

Apple does not say what the Neural Engine runs. Each finding says whether it rests on what was
stated or measured by someone, or on inference from that; only a profile on a device decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from efspec.record import Record

Basis = Literal["fact", "inference"]

ALLOWED = frozenset({
    "add", "avg_pool", "batch_norm", "cast", "classify", "conv", "gelu", "identity",
    "layer_norm", "linear", "matmul", "mul", "real_div", "reduce_mean", "relu", "relu6",
    "reshape", "resize_bilinear", "sigmoid_hard", "silu", "softmax", "split", "sub",
    "transpose", "upsample_bilinear",
})  # fmt: skip
"""Ops of networks that were seen to run there as a whole, and plain relatives of them."""
OFF = frozenset({"gather", "gather_along_axis", "topk"})
"""Ops that were seen to run elsewhere."""
MAX_RANK = 4
_HALF, _SINGLE = 10, 11
"""Numbers of the types in MIL: `DataType.FLOAT16` and `FLOAT32`."""


class Finding(Record):
    """Something that may cost speed on a device.

    Attributes:
        name: What was found.
        basis: Whether it is known, or inferred.
        message: What it means.
        source: Who says so.
        ops: Names of the ops, in order.
    """

    name: str
    basis: Basis
    message: str
    source: str
    ops: tuple[str, ...]


class Rule(Record):
    """What is looked for.

    Attributes:
        name: What is found.
        basis: Whether it is known, or inferred.
        message: What it means.
        source: Who says so.
        applies: Whether an op is one of them; takes the op and whether it is at an edge.
    """

    name: str
    basis: Basis
    message: str
    source: str
    applies: Callable[[Any, bool], bool]


def _rank(op: Any) -> int:
    return max((len(o.type.tensorType.dimensions) for o in op.outputs), default=0)


def _types(op: Any) -> set[int]:
    return {o.type.tensorType.dataType for o in op.outputs if o.type.HasField("tensorType")}


def _is_dynamic(op: Any) -> bool:
    return any(
        not dimension.HasField("constant")
        for output in op.outputs
        for dimension in output.type.tensorType.dimensions
    )


RULES = (
    Rule(
        "known-off",
        "fact",
        "runs on the CPU",
        "roboflow/rf-detr#1495, published compute plans of WhisperKit",
        lambda op, edge: op.type in OFF,
    ),
    Rule(
        "unusual-op",
        "inference",
        "is not among the ops that were seen to run on the Neural Engine",
        "published compute plans; apple/coremltools#1761",
        lambda op, edge: op.type not in ALLOWED | OFF,
    ),
    Rule(
        "single-precision",
        "fact",
        "computes in fp32, and the Neural Engine computes in fp16",
        "apple/coremltools#1761",
        lambda op, edge: not edge and _SINGLE in _types(op),
    ),
    Rule(
        "dynamic-shape",
        "fact",
        "has a shape that is not fixed",
        "apple/coremltools#1761, #1909",
        lambda op, edge: _is_dynamic(op),
    ),
    Rule(
        "high-rank",
        "inference",
        f"has more than {MAX_RANK} axes",
        "Apple, Deploying Transformers on the Apple Neural Engine",
        lambda op, edge: _rank(op) > MAX_RANK,
    ),
    Rule(
        "inner-cast",
        "inference",
        "changes the type between two ops",
        "apple/coremltools#1761: where an op runs depends on its neighbours",
        lambda op, edge: not edge and op.type == "cast",
    ),
    Rule(
        "tokens",
        "inference",
        "works on tokens (B, N, C), where a map (B, C, H, W) suits the Neural Engine",
        "Apple, Deploying Transformers on the Apple Neural Engine",
        lambda op, edge: op.type == "linear" and _rank(op) == 3,
    ),
    Rule(
        "transposes",
        "inference",
        "moves every number",
        "Apple, Deploying Transformers on the Apple Neural Engine",
        lambda op, edge: op.type == "transpose",
    ),
)


def lint(program: Any) -> tuple[Finding, ...]:
    """What was found in a MIL program, as protobuf has it.

    What stands before the first op in half precision, and behind the last, is at an edge: pixels
    and probabilities are in single precision.
    """
    ops = list(_ops(program))
    inner = [i for i, op in enumerate(ops) if _HALF in _types(op) and op.type != "cast"]
    first, last = (inner[0], inner[-1]) if inner else (0, len(ops))
    found = []
    for rule in RULES:
        names = [
            op.outputs[0].name
            for i, op in enumerate(ops)
            if rule.applies(op, not first <= i <= last)
        ]
        if names:
            found.append(Finding(rule.name, rule.basis, rule.message, rule.source, tuple(names)))
    return tuple(found)


def _ops(program: Any) -> Iterator[Any]:
    for function in program.functions.values():
        for block in function.block_specializations.values():
            for op in block.operations:
                if op.type != "const" and not op.type.startswith("constexpr_"):
                    yield op
