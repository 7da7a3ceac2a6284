"""What parts of networks mean, in whatever words: whether two of them are alike."""

from __future__ import annotations

from efspec.blocks.options import BlockSpec, Part
from efspec.spec.schema import Defaults, InputSpec


def meant(part: Part | None, defaults: Defaults) -> object:
    """What a part means where these are the defaults; equal for parts that mean the same."""
    if isinstance(part, InputSpec):  # one size may be written as two
        return part.height_width, part.channels
    return type(part), _options(part, defaults) if part else {}


def kind_meant(block: BlockSpec, defaults: Defaults) -> object:
    """What a block means but for what a space leaves open, and what only training has."""
    free = {"repeat", "drop_path", *(["expansion_ratio"] if has_ratios(block) else [])}
    options = _options(block, defaults)
    return type(block), {name: value for name, value in options.items() if name not in free}


def has_ratios(block: BlockSpec) -> bool:
    """Whether each repeat of a block may have an expansion ratio of its own."""
    return "expansion_ratio" in block.per_repeat


def _options(part: Part, defaults: Defaults) -> dict[str, object]:
    """The options of a part, and in the place of inherited ones, the defaults."""
    return {
        name: getattr(defaults, name) if value == "inherit" else value
        for name, value in vars(part).items()
    }
