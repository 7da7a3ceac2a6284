"""What makes two parts of networks the same to a device: the key that latencies are kept under."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property

from efspec.plan.memo import remembered
from efspec.plan.module import Module, Plan, Value, snake_case
from efspec.plan.parts import Part, head_steps
from efspec.record import Record

TRAINING_ONLY = frozenset({"layer_scale", "drop_path"})
"""Fields of blocks that leave nothing in a network that is deployed."""

MAX_DIGITS = 12
"""How long a size in a key may be; no network has such."""

_WORD = re.compile(r"[\w.+-]+")
_PAIRS = r"(?:\w+=[\w.+~-]+(?:, \w+=[\w.+~-]+)*)?"
KEY_PATTERN = rf"^(\w+)\(({_PAIRS})(?:; ({_PAIRS}))?\) @ (\d+(?:x\d+)*)$"
"""A key as it is written: `FFN(hidden_dim=128; act=gelu) @ 32x56x56`."""

_KEY = re.compile(KEY_PATTERN)


class BlockKey(Record):
    """What a part is to a device, whatever network it is in and wherever it stands there.

    Attributes:
        type: Name of its class.
        sizes: Its sizes by name, in alphabetic order; those of the input are not among them.
        options: Its structural decisions by name as words, in alphabetic order.
        input: Sizes of its input: channels, height and width; features heads list several maps.
    """

    type: str
    sizes: tuple[tuple[str, int], ...]
    options: tuple[tuple[str, str], ...]
    input: tuple[int, ...]

    @cached_property
    def text(self) -> str:
        """The key as tables and diagnostics write it."""
        sizes = ", ".join(f"{name}={value}" for name, value in self.sizes)
        options = ", ".join(f"{name}={word}" for name, word in self.options)
        inside = f"{sizes}; {options}" if options else sizes
        return f"{self.type}({inside}) @ {'x'.join(map(str, self.input))}"

    def __str__(self) -> str:
        return self.text


def parse_key(text: str) -> BlockKey | None:
    """The key of a text as `BlockKey.text` writes it; None for any other."""
    match = _KEY.match(text)
    if match is None:
        return None
    type_, written, options, shape = match.groups()
    pairs, sides = _pairs(written), shape.split("x")
    if not all(map(_is_size, [*(value for _, value in pairs), *sides])):
        return None
    sizes = {name: int(value) for name, value in pairs}
    key = _key(type_, sizes, dict(_pairs(options or "")), tuple(map(int, sides)))
    return key if key.text == text else None  # another order, or a number with zeros before it


def block_key(plan: Plan, part: Part) -> BlockKey:
    """The key of a part of a network."""
    return _module_key(part.module) if part.module else _head_key(plan, part)


def _is_size(text: str) -> bool:
    return text.isdecimal() and len(text) <= MAX_DIGITS


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (p.partition("=") for p in text.split(", ") if p)]


@remembered
def _module_key(module: Module) -> BlockKey:
    shape = module.inputs[0].shape
    given = {"dim", "height", "width"}  # the input says them
    sizes: dict[str, int] = {}
    options: dict[str, str] = {}
    for name, value in (*module.arguments.items(), *module.variant):
        if name in TRAINING_ONLY or name in given:
            continue
        if type(value) is int and name in module.arguments:
            sizes[name] = value
        elif (name, value) != ("input", "map"):
            options[name] = _word(value)
    return _key(module.block.class_name(), sizes, options, (shape.channels, *(shape.space or ())))


def _head_key(plan: Plan, part: Part) -> BlockKey:
    """The key of what the network's own class holds: its layers, and the shapes they start from."""
    options = {"input": "tokens"} if part.input.layout == "tokens" else {}
    made: set[Value] = set()
    shape: list[int] = []
    for step in head_steps(plan):
        for value in step.inputs:
            if value not in made:
                shape += [value.channels, *(value.shape.space or ())]
        made.update(step.inputs, step.outputs)
        if step.name:
            options[step.name] = snake_case(type(step.op).__name__)
    sizes = {} if part.output.space else {"num_classes": part.output.channels}
    return _key("Head", sizes, options, tuple(shape))


def _key(
    type_: str, sizes: dict[str, int], options: dict[str, str], input_: tuple[int, ...]
) -> BlockKey:
    return BlockKey(type_, tuple(sorted(sizes.items())), tuple(sorted(options.items())), input_)


def _word(value: object) -> str:
    """A value as a word; what is no word stands for itself as a short hash."""
    text = "none" if value is None else str(value).lower() if type(value) is bool else str(value)
    if _WORD.fullmatch(text):
        return text
    return f"~{hashlib.sha256(repr(value).encode()).hexdigest()[:12]}"
