"""A checkpoint's tensors for a network: under its names, in its shapes, complete; and back.

What is done besides renaming is recorded, so that whoever loads a checkpoint can say it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from efspec.deploy import relative_offsets
from efspec.errors import Diagnostic, EfspecError
from efspec.plan import Plan
from efspec.pytorch import dense, layouts
from efspec.pytorch.build import build_module
from efspec.pytorch.layouts import LAYOUTS, Layout
from efspec.pytorch.resize import Retargeted, retarget

_SHOWN = 12
"""How many keys of a kind a diagnostic lists before it counts the rest."""
_LENGTH = 200
"""How many characters of a key are shown."""
_HEADS = ("head", "head_dist")
_MAP_NORM = re.compile(r"norm\d+")
_SAME_NETWORK = "check that the checkpoint and the spec are of one network"
_SAME_SIZES = "check the widths, the input size and the number of classes of the spec"
_NEW_HEAD = "give the spec the head that was trained, or take a new one (`--new-head`)"
_FROM_SIZE = "say the input size that it was trained at (`--from-size`)"


@dataclass(frozen=True)
class Adapted:
    """A checkpoint's tensors for a network.

    Attributes:
        layout: The layout that they were in.
        is_dense: Whether the authors' detection or segmentation code wrote it.
        state: Tensors by efspec's own names, less those of `fresh`.
        retargeted: Tables that were interpolated.
        fresh: Own names of tensors that keep their initial values.
        dropped: Keys of the checkpoint that were left out.
    """

    layout: Layout
    is_dense: bool
    state: dict[str, Tensor]
    retargeted: tuple[Retargeted, ...]
    fresh: tuple[str, ...]
    dropped: tuple[str, ...]

    def remarks(self) -> list[str]:
        """What was done besides renaming, a sentence each."""
        tables = defaultdict(list)
        for table in self.retargeted:
            maps = "{}x{} to {}x{}".format(*table.source, *table.target)
            tables[maps].append(table.key.rpartition(".")[0])
        said = [
            f"attention biases interpolated from {maps}: {', '.join(names)}"
            for maps, names in tables.items()
        ]
        if self.is_dense:
            said.insert(0, f"attention biases of detection or segmentation code: {dense.TRAINED}")
        if self.fresh:
            said.append(f"initial weights, not the checkpoint's: {_parts(self.fresh)}")
        if self.dropped:
            said.append(f"left out of the checkpoint: {_parts(self.dropped)}")
        return said


def adapt(
    plan: Plan,
    state: Mapping[str, Tensor],
    layout: Layout | None = None,
    file: str = "",
    *,
    new_head: bool = False,
    from_size: tuple[int, int] | None = None,
) -> Adapted:
    """The tensors of a checkpoint under efspec's own names and of the right shapes.

    Attention biases of another input size are interpolated. A backbone takes a classifier's
    checkpoint: what it has no place for is left out, and norms on its maps stay initial. Of a
    detector's checkpoint the backbone is taken.

    Args:
        plan: The network.
        state: Tensors by their names in the checkpoint.
        layout: How they are named; None to take the layout that fits best.
        file: Where they come from, for diagnostics.
        new_head: Whether the linear heads stay initial, and a norm before them that the
            checkpoint lacks.
        from_size: Height and width in pixels of the images that it was trained on; None for the
            plan's where all tables fit, else for a square.

    Raises:
        EfspecError: When keys are missing, extra or misshapen, or the size that it was trained at
            is another or cannot be told; all of them are listed.
    """
    state, dropped = dense.backbone(state)
    is_dense = dense.is_dense(state)
    if is_dense:
        state = dense.with_trained_biases(state)
    layout = detect(plan, state) if layout is None else layout
    wanted = layouts.tensors(plan, layout)
    fresh = _initial(plan, wanted, state, new_head, is_dense)
    wanted = {key: tensor for key, tensor in wanted.items() if key not in fresh}
    known = {tensor.key for tensor in wanted.values()}
    surplus = [key for key in state if key not in known]
    spare = _spare(plan, layout, known, surplus, new_head, is_dense)
    found = {key: state[tensor.key] for key, tensor in wanted.items() if tensor.key in state}
    tables, retargeted, unfit = retarget(plan, found, from_size)
    found |= tables

    missing = {key: tensor.key for key, tensor in wanted.items() if key not in found}
    misshapen = {
        key: f"{wanted[key].key} is {tuple(tensor.shape)}, not {wanted[key].shape}"
        for key, tensor in found.items()
        if key not in unfit and tuple(tensor.shape) != wanted[key].shape
    }
    untold = [f"{wanted[key].key} {reason}" for key, reason in unfit.items()]

    def diagnostic(name: str, keys: Iterable[str], fix: str) -> list[Diagnostic]:
        text = listed(list(keys))
        expected = f"the weights of {plan.name}, in the {layout} layout"
        return [Diagnostic(name=name, message=text, file=file, expected=expected, fix=fix)]

    mistakes: list[Diagnostic] = []
    if missing:
        mistakes += diagnostic("missing-keys", missing.values(), _fix(missing, _SAME_NETWORK))
    if extra := [key for key in surplus if key not in spare]:
        mistakes += diagnostic("extra-keys", extra, _SAME_NETWORK)
    if misshapen:
        mistakes += diagnostic("misshapen-keys", misshapen.values(), _fix(misshapen, _SAME_SIZES))
    if untold and from_size:
        mistakes += diagnostic("wrong-source-size", untold, _FROM_SIZE)
    elif untold:
        mistakes += diagnostic("unknown-source-size", untold, _FROM_SIZE)
    if mistakes:
        raise EfspecError(mistakes)
    own = {**plan.parameters(), **plan.buffers()}
    return Adapted(
        layout,
        is_dense,
        {key: found[key].reshape(own[key]) for key in wanted},
        retargeted,
        fresh,
        (*dropped, *spare),
    )


def detect(plan: Plan, state: Mapping[str, Tensor]) -> Layout:
    """The layout in which most of a checkpoint's names are names of the network's tensors."""

    def hits(layout: Layout) -> int:
        return sum(tensor.key in state for tensor in layouts.tensors(plan, layout).values())

    return max(LAYOUTS, key=hits)


def complete(plan: Plan, adapted: Adapted, seed: int = 0) -> dict[str, Tensor]:
    """All tensors of a network by their own names: a checkpoint's, and the initial ones of a seed.

    Initial ones are of the type that most of the checkpoint's have.
    """
    if not adapted.fresh:
        return adapted.state
    types = Counter(t.dtype for t in adapted.state.values() if t.is_floating_point())
    state = build_module(plan, seed).state_dict()
    for key, tensor in state.items():
        if key in adapted.state:
            state[key] = adapted.state[key]
        elif tensor.is_floating_point() and types:
            state[key] = tensor.to(types.most_common(1)[0][0])
    return dict(state)


def lay_out(plan: Plan, state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The checkpoint of a layout, index tables included, of tensors by efspec's own names."""
    named = {
        tensor.key: state[key].reshape(tensor.shape)
        for key, tensor in layouts.tensors(plan, layout).items()
    }
    tables = layouts.index_tables(plan, layout)
    return named | {key: torch.from_numpy(relative_offsets(op)) for key, op in tables.items()}


def _initial(
    plan: Plan,
    wanted: Mapping[str, layouts.Tensor],
    state: Mapping[str, Tensor],
    new_head: bool,
    is_dense: bool,
) -> tuple[str, ...]:
    """Own names of the tensors that a checkpoint need not hold."""
    there = {key.partition(".")[0] for key, tensor in wanted.items() if tensor.key in state}

    def stays(part: str) -> bool:
        if _MAP_NORM.fullmatch(part):  # those of detection code are over whole maps: other norms
            return is_dense or part not in there
        return new_head and (part in _HEADS or (part == "norm" and part not in there))

    return tuple(key for key in wanted if stays(key.partition(".")[0]))


def _spare(
    plan: Plan,
    layout: Layout,
    known: Iterable[str],
    surplus: Iterable[str],
    new_head: bool,
    is_dense: bool,
) -> dict[str, None]:
    """Those of the surplus keys that may be left out, in order."""
    parts = {key.partition(".")[0] for key in known}
    norm, *heads = layouts.classifier_parts(plan, layout)
    backbone = layouts.is_backbone(plan)

    def may_go(key: str) -> bool:
        part = key.partition(".")[0]
        if _MAP_NORM.fullmatch(part):
            return part not in parts and (backbone or is_dense)
        if backbone:
            return part in (norm, *heads) or layouts.is_behind(plan, layout, key)
        return new_head and part in heads

    return dict.fromkeys(key for key in surplus if may_go(key))


def _fix(keys: Iterable[str], otherwise: str) -> str:
    """What to do about own keys: a new head if all are of the head."""
    parts = {key.partition(".")[0] for key in keys}
    return _NEW_HEAD if parts <= {"norm", *_HEADS} else otherwise


def _parts(keys: Iterable[str]) -> str:
    """Keys by the part of a network that they are of, counted."""
    counts = Counter(_part(key) for key in keys)
    return ", ".join(f"{_printable(part)} ({count})" for part, count in counts.items())


def _part(key: str) -> str:
    first, second, *_ = [*key.split(".", 2), ""]
    return f"{first}.{second}" if second.isdecimal() else first


def listed(keys: list[str]) -> str:
    """Keys under each other, after how many there are."""
    shown = "\n    ".join(_printable(key) for key in keys[:_SHOWN])
    more = f"\n    and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} {'key' if len(keys) == 1 else 'keys'}:\n    {shown}{more}"


def _printable(key: str) -> str:
    """A key as it may be shown: a file can hold any text."""
    text = "".join(c if c.isprintable() else "?" for c in key[:_LENGTH])
    return text if len(key) <= _LENGTH else f"{text}..."
