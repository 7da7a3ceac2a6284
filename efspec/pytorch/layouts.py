"""What a plan's tensors are called in published checkpoints, and which shape they have there.

Three layouts name the same tensors: efspec's own, timm's, and that of the authors' code. For V2
the first two are the same. All are derived from the plan, so that a rule holds for every network
that has the parts it speaks of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from efspec.errors import fail, suggestion
from efspec.plan import CallStep, Module, Plan
from efspec.plan.ops import AttentionBias

Layout = Literal["efspec", "timm", "official"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a checkpoint: what it is called there, and its shape there."""

    key: str
    shape: tuple[int, ...]


_OFFICIAL = (
    (r"^stem\.conv1\.conv\.", "patch_embed.0."),
    (r"^stem\.conv1\.bn\.", "patch_embed.1."),
    (r"^stem\.conv2\.conv\.", "patch_embed.3."),
    (r"^stem\.conv2\.bn\.", "patch_embed.4."),
    (r"^head_dist\.", "dist_head."),
    (r"\.ls(\d)\.gamma$", r".layer_scale_\1"),
    (r"\.mlp\.(fc1|mid|fc2)\.conv\.", r".mlp.\1."),
    (r"\.mlp\.fc1\.bn\.", ".mlp.norm1."),
    (r"\.mlp\.mid\.bn\.", ".mlp.mid_norm."),
    (r"\.mlp\.fc2\.bn\.", ".mlp.norm2."),
    # An activation stands before the projection's convolution, and takes number 0.
    (r"\.(token_mixer|attn)\.proj\.conv\.", r".\1.proj.1."),
    (r"\.(token_mixer|attn)\.proj\.bn\.", r".\1.proj.2."),
    (r"\.attn\.q\.local\.", ".attn.q.local.0."),
    (r"\.(token_mixer|attn)\.((?:q\.proj|\w+))\.conv\.", r".\1.\2.0."),
    (r"\.(token_mixer|attn)\.((?:q\.proj|\w+))\.bn\.", r".\1.\2.1."),
)
_TIMM_V1 = (
    (r"^stem\.conv(\d)\.conv\.", r"stem.conv\1."),
    (r"^stem\.conv(\d)\.bn\.", r"stem.norm\1."),
    (r"\.downsample\.conv\.conv\.", ".downsample.conv."),
    (r"\.downsample\.conv\.bn\.", ".downsample.norm."),
    (r"\.mlp\.(fc\d)\.conv\.", r".mlp.\1."),
    (r"\.mlp\.fc(\d)\.bn\.", r".mlp.norm\1."),
)
_STAGE = re.compile(r"^stages\.(\d+)\.(downsample|blocks\.(\d+))\.")
_MAP_NORM = re.compile(r"^norm(\d+)\.")
_NUMBERED = re.compile(r"^(?:stages|network)\.([0-9]{1,9})\.")
_BIASES = "attention_biases"


def tensors(plan: Plan, layout: Layout) -> dict[str, Tensor]:
    """The tensor of a layout behind each name of efspec's own."""
    # V2's code keeps the layer scales of maps as (C, 1, 1), V1's as (C,).
    trailing = (1, 1) if layout == "official" and not is_v1(plan) else ()
    return {
        key: Tensor(
            _named(plan, layout, key), shape + trailing if key.endswith(".gamma") else shape
        )
        for key, shape in {**plan.parameters(), **plan.buffers()}.items()
    }


def bias_tables(plan: Plan) -> dict[str, AttentionBias]:
    """The op behind each attention-bias table, by efspec's own name of it."""
    return {
        placed.prefix + _BIASES: placed.op
        for placed in plan.ops()
        if isinstance(placed.op, AttentionBias)
    }


def index_tables(plan: Plan, layout: Layout) -> dict[str, AttentionBias]:
    """The op behind each index table that checkpoints of a layout hold, by its name there.

    A table follows from the sizes: reading leaves it out, and writing makes it anew.
    """
    if layout == "efspec" or (layout == "timm" and not is_v1(plan)):
        return {}
    return {
        _named(plan, layout, key).removesuffix(_BIASES) + "attention_bias_idxs": op
        for key, op in bias_tables(plan).items()
    }


def is_backbone(plan: Plan) -> bool:
    """Whether the network gives maps instead of logits."""
    return not any(key.startswith("head.") for key in plan.parameters())


def classifier_parts(plan: Plan, layout: Layout) -> tuple[str, str, str]:
    """What a layout calls a classifier's norm, its linear head and its distillation head."""
    norm, head, head_dist = (
        _named(plan, layout, f"{part}.")[:-1] for part in ("norm", "head", "head_dist")
    )
    return norm, head, head_dist


def is_behind(plan: Plan, layout: Layout, key: str) -> bool:
    """Whether a key of a layout is of a stage behind the network's last."""
    last = _stages(plan)[-1][0]
    match = _NUMBERED.match(key)
    if not match:
        return False
    return int(match[1]) > (_network_index(plan, last) if layout == "official" else last)


def is_v1(plan: Plan) -> bool:
    """Whether the network is made of V1's blocks, which decides how its layers are named."""
    return any(step.module.block.class_name() in ("MB4D", "MB3D") for step in _blocks(plan))


def _named(plan: Plan, layout: Layout, key: str) -> str:
    match layout:
        case "efspec":
            return key
        case "timm":
            return _timm(key, plan)
        case "official":
            return _official(key, plan)
        case _:
            raise fail(
                "unknown-layout",
                f"there is no layout {layout!a}",
                expected=", ".join(LAYOUTS),
                fix=suggestion(str(layout), LAYOUTS),
            )


def _timm(key: str, plan: Plan) -> str:
    if not is_v1(plan):
        return key
    match = _STAGE.match(key)
    if match and match[3]:
        place = _place(plan, int(match[1]), match[3])
        key = f"stages.{match[1]}.blocks.{place}.{key[match.end() :]}"
    return _rename(key, _TIMM_V1)


def _official(key: str, plan: Plan) -> str:
    match = _STAGE.match(key)
    if match:
        stage, rest = int(match[1]), key[match.end() :]
        index = _network_index(plan, stage)
        if match[3]:
            key = f"network.{index}.{_place(plan, stage, match[3])}.{rest}"
        else:
            if rest.startswith("conv."):
                dual = any(k.startswith(f"{match[0]}attn.") for k in plan.parameters())
                names = ("conv", "bn") if dual else ("proj", "norm")
                rest = rest.replace("conv.conv.", f"{names[0]}.").replace(
                    "conv.bn.", f"{names[1]}."
                )
            key = f"network.{index - 1}.{rest}"
    elif match := _MAP_NORM.match(key):
        key = f"norm{_network_index(plan, int(match[1]))}.{key[match.end() :]}"
    return _rename(key, _OFFICIAL)


def _rename(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        key, count = re.subn(pattern, replacement, key)
        if count:
            break
    return key


def _network_index(plan: Plan, stage: int) -> int:
    """Place of a stage's blocks in the authors' `network` list, where downsamples stand too."""
    index = 0
    for number, module in _stages(plan):
        index += any(step.name == "downsample" for step in module.calls())
        if number == stage:
            return index
        index += 1
    raise ValueError(f"no stage {stage}")


def _place(plan: Plan, stage: int, block: str) -> int:
    """Place of a block in its stage's list, where a change of representation takes one too."""
    chain = next(s for s in dict(_stages(plan))[stage].calls() if s.name == "blocks").module
    return [step.name for step in chain.calls()].index(block)


def _stages(plan: Plan) -> list[tuple[int, Module]]:
    found = []
    for step in plan.network.calls():
        if step.name == "stages":
            found += [(int(s.name), s.module) for s in step.module.calls() if s.name.isdecimal()]
        elif step.name.startswith("stages."):
            found.append((int(step.name.removeprefix("stages.")), step.module))
    return found


def _blocks(plan: Plan) -> list[CallStep]:
    chains = [s.module for _, m in _stages(plan) for s in m.calls() if s.name == "blocks"]
    return [step for chain in chains for step in chain.calls()]
