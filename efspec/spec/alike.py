"""What parts of networks mean, in whatever words: whether two of them are alike."""

from __future__ import annotations

from efspec.blocks.options import BlockSpec, Part
from efspec.spec.schema import Defaults, InputSpec

Options = dict[str, object]


def meant(part: Part | None, defaults: Defaults) -> Options:
    """All options of a part where these are the defaults; of no part, none.

    Parts of one kind that have equal ones mean the same.
    """
    if part is None:
        return {}
    if isinstance(part, InputSpec):  # one size may be written as two
        return {"size": part.height_width, "channels": part.channels}
    return {
        name: getattr(defaults, name) if value == "inherit" else value
        for name, value in vars(part).items()
    }


def kind_meant(block: BlockSpec, defaults: Defaults) -> Options:
    """The options of a block but for what a space leaves open, and what only training has."""
    free = {"repeat", "drop_path", *(["expansion_ratio"] if has_ratios(block) else [])}
    return {name: value for name, value in meant(block, defaults).items() if name not in free}


def difference(own: Options, wanted: Options) -> tuple[Options, Options]:
    """What differs between the options of two parts; of parts of two types, that alone."""
    if own.get("type") != wanted.get("type"):
        names = ["type"]
    else:
        names = [name for name in wanted if own[name] != wanted[name]]
    first, second = ({n: each[n] for n in names if n in each} for each in (own, wanted))
    return first, second


def has_ratios(block: BlockSpec) -> bool:
    """Whether each repeat of a block may have an expansion ratio of its own."""
    return "expansion_ratio" in block.per_repeat
