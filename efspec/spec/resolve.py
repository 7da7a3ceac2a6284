"""A spec to a plan: repeats and inherited options are spelled out, and the network is traced."""

from __future__ import annotations

import math
from collections.abc import Iterator

from efspec.blocks.network import Chain, Network, Stage
from efspec.blocks.options import BlockSpec, Site
from efspec.errors import Diagnostic, EfspecError
from efspec.plan import Block, BlockError, Module, Plan, map_shape, remembered, trace
from efspec.plan.module import OpStep
from efspec.spec.dump import drop_rates, spec_hash
from efspec.spec.schema import LinearSchedule, NetworkSpec, StageSpec
from efspec.spec.source_map import Loc, field_text

MAX_PARAMETERS = 2_000_000_000

Mistakes = list[tuple[Loc, Diagnostic]]


def resolve(spec: NetworkSpec) -> Plan:
    """The plan of a spec.

    Raises:
        EfspecError: When its parts do not make a network; holds all mistakes found.
    """
    mistakes: Mistakes = []
    owners: list[list[Loc]] = []
    network = _network(spec, owners, mistakes)
    height, width = spec.input.height_width
    module = None
    if network:
        try:
            module = trace(network, map_shape(spec.input.channels, height, width))
        except BlockError as error:
            mistakes += [_located(path, diagnostic, owners) for path, diagnostic in error.mistakes]
    if module and not mistakes:
        count = parameter_count(module)
        if count > MAX_PARAMETERS:
            mistakes.append((("stages",), _too_many(count)))
    if mistakes or module is None:
        raise EfspecError(_placed(spec, mistakes))
    return Plan(spec.name, spec.description, spec_hash(spec), module)


@remembered
def parameter_count(module: Module) -> int:
    """How many trainable parameters a module and all below it have."""
    return sum(
        sum(math.prod(shape) for shape in step.op.parameters().values())
        if isinstance(step, OpStep)
        else parameter_count(step.module)
        for step in module.steps
    )


def _network(spec: NetworkSpec, owners: list[list[Loc]], mistakes: Mistakes) -> Network | None:
    """The network's block; None where a stage has no block that could be made.

    Args:
        spec: The spec.
        owners: Takes, for every stage, the spec field behind each of its blocks.
        mistakes: Takes the mistakes of blocks that cannot be made.
    """
    act, schedule = spec.defaults.act, spec.defaults.drop_path
    rates = drop_rates(spec)
    # A network that never drops holds no drop path, as the published ones of these sizes.
    remaining = iter(rates if any(rates) else [None] * len(rates))
    stages = []
    for i, stage in enumerate(spec.stages):
        blocks: list[Block] = []
        owners.append([])
        for loc, entry, site in _sites(spec, i, stage, remaining):
            try:
                blocks.append(entry.block(site))
                owners[i].append(loc)
            except BlockError as error:
                mistakes += [(_option(loc, d, entry, site), d) for _, d in error.mistakes]
        downsample = None
        if stage.downsample:
            try:
                downsample = stage.downsample.block(stage.width, act)
            except BlockError as error:
                loc = ("stages", i, "downsample")
                mistakes += [((*loc, d.field), d) for _, d in error.mistakes]
        stages.append(Stage(downsample=downsample, blocks=Chain(items=tuple(blocks))))
    if not all(owners):
        return None
    linear = schedule.linear if isinstance(schedule, LinearSchedule) else 0.0
    return Network(
        stem=spec.stem.block(act),
        stages=tuple(stages),
        head=spec.head.head(),
        num_classes=getattr(spec.head, "classes", None),
        drop_path=linear or None,
    )


def _sites(
    spec: NetworkSpec, number: int, stage: StageSpec, rates: Iterator[float | None]
) -> Iterator[tuple[Loc, BlockSpec, Site]]:
    """Every block of a stage: its field, its entry and its site."""
    defaults = spec.defaults
    for j, entry in enumerate(stage.blocks):
        for index in range(entry.repeat):
            site = Site(
                width=stage.width,
                index=index,
                act=defaults.act,
                layer_scale=defaults.layer_scale,
                drop_path=next(rates),
            )
            yield ("stages", number, "blocks", j), entry, site


def _option(loc: Loc, diagnostic: Diagnostic, entry: BlockSpec, site: Site) -> Loc:
    """The field that an entry's mistake is about; of a list, the element of the repeat."""
    if isinstance(getattr(entry, diagnostic.field, None), tuple):
        return (*loc, diagnostic.field, site.index)
    return (*loc, diagnostic.field)


def _located(
    path: tuple[str, ...], diagnostic: Diagnostic, owners: list[list[Loc]]
) -> tuple[Loc, Diagnostic]:
    """A mistake of the traced network, and the spec field behind the module that made it."""
    # A pyramid's network calls its stages one by one, as `stages.0`.
    parts = ".".join(path).split(".")
    loc: Loc = tuple(parts[:1])
    if parts[0] == "stages" and len(parts) > 2:
        loc = ("stages", int(parts[1]), parts[2])
        if parts[2] == "blocks" and len(parts) > 3 and parts[3].isdecimal():
            loc = owners[int(parts[1])][int(parts[3])]
    return (*loc, diagnostic.field) if diagnostic.field else loc, diagnostic


def _too_many(count: int) -> Diagnostic:
    return Diagnostic(
        name="too-many-parameters",
        message=f"{count:,} parameters",
        expected=f"at most {MAX_PARAMETERS:,}",
        fix="lower widths, ratios or repeats",
    )


def _placed(spec: NetworkSpec, mistakes: Mistakes) -> list[Diagnostic]:
    """Each mistake once, where the spec was written."""
    placed = []
    for loc, diagnostic in dict.fromkeys(mistakes):
        diagnostic = diagnostic.replaced(field=field_text(loc))
        if spec.source_map:
            diagnostic = diagnostic.replaced(**spec.source_map.place(loc))
        placed.append(diagnostic)
    return placed
