"""The plan: a torch-free tree of modules from which everything else derives."""

from efspec.plan.block import Block, RateArg, SizeArg
from efspec.plan.builder import BlockError, Builder, mistake, parametric, trace
from efspec.plan.memo import remembered
from efspec.plan.module import CallStep, Module, OpStep, PlacedOp, Plan, Value, walk
from efspec.plan.op import Shape, map_shape, token_shape
from efspec.plan.ops import AnyOp
from efspec.plan.parts import Part, head_steps, ops_by_part, parts
from efspec.plan.size import Size, plain

__all__ = [
    "AnyOp",
    "Block",
    "BlockError",
    "Builder",
    "CallStep",
    "Module",
    "OpStep",
    "Part",
    "PlacedOp",
    "Plan",
    "RateArg",
    "Shape",
    "Size",
    "SizeArg",
    "Value",
    "head_steps",
    "map_shape",
    "mistake",
    "ops_by_part",
    "parametric",
    "parts",
    "plain",
    "remembered",
    "token_shape",
    "trace",
    "walk",
]
