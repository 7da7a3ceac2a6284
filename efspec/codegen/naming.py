"""Names of classes: what a block is called, and how its variants are told apart."""

from __future__ import annotations

import builtins
import keyword
from collections import defaultdict

from efspec.plan import Block, Module
from efspec.record import Record

Key = tuple[type[Block], tuple[tuple[str, object], ...]]
"""What decides a class: the block's type and its structural options."""

SUPPORT_NAMES = frozenset({"Blocks", "DropPath", "LayerScale", "LayerScale2d", "Stage"})
_RESERVED = SUPPORT_NAMES | {"Tensor", "nn", "torch", "relative_offsets", "trunc_normal"}


def key_of(module: Module) -> Key:
    """The key of a module's class."""
    return type(module.block), module.variant


def class_names(modules: list[Module], root: Module, root_name: str) -> dict[Key, str]:
    """A name for each class; variants of one name get the options in which they differ."""
    groups: dict[str, dict[Key, None]] = defaultdict(dict)
    for module in modules:
        groups[module.block.class_name()][key_of(module)] = None
    names: dict[Key, str] = {key_of(root): root_name}
    taken = {root_name, *_RESERVED}
    for base, keys in groups.items():
        differing = _differing([dict(variant) for _, variant in keys])
        for key in keys:
            options = dict(key[1])
            name = base + "".join(_word(o, options[o]) for o in differing if o in options)
            unique, number = name, 1
            while unique in taken:
                number += 1
                unique = f"{name}{number}"
            names[key] = unique
            taken.add(unique)
    return names


def class_name(spec_name: str) -> str:
    """Class name of a network: `v2_s1` as `V2S1`; one that Python or a block uses is lengthened."""
    name = _camel(spec_name)
    if name in _RESERVED or keyword.iskeyword(name) or hasattr(builtins, name):
        name += "Network"
    return name


def _differing(variants: list[dict[str, object]]) -> list[str]:
    """Options that are not the same in all variants, in order; a record has no word for a name."""
    options = dict.fromkeys(
        option
        for variant in variants
        for option, value in variant.items()
        if not isinstance(value, Record)
    )
    missing = object()
    return [o for o in options if len({repr(v.get(o, missing)) for v in variants}) > 1]


def _word(option: str, value: object) -> str:
    """An option's value as part of a class name."""
    if value is None or value is False:
        return f"No{_camel(option)}"
    if value is True:
        return _camel(option)
    if isinstance(value, str) and value.isidentifier():
        return _camel(value)
    digits = "".join(c if c.isalnum() else "_" for c in str(value)).strip("_")
    return f"{_camel(option)}{digits}"


def _camel(name: str) -> str:
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in name).split()
    return "".join(word[0].upper() + word[1:] for word in words)
