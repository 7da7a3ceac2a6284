"""A spec to a plan: repeats and inherited options are spelled out, and the network is traced."""

from __future__ import annotations

import math
from collections.abc import Iterator

from efspec.blocks.conv_downsample import Downsample
from efspec.blocks.network import Chain, Network, Stage
from efspec.blocks.options import BlockSpec, Site
from efspec.errors import Diagnostic, EfspecError
from efspec.plan import Block, BlockError, Module, Plan, map_shape, remembered, trace
from efspec.plan.module import OpStep
from efspec.spec.dump import drop_rates, spec_hash
from efspec.spec.schema import LinearSchedule, NetworkSpec, StageSpec
from efspec.spec.source_map import Loc, Mistake, placed

MAX_PARAMETERS = 2_000_000_000


def resolve(spec: NetworkSpec) -> Plan:
    """The plan of a spec.

    Raises:
        EfspecError: When its parts do not make a network; holds all mistakes found.
    """
    mistakes: list[Mistake] = []
    module = _traced(spec, None, mistakes)
    if module is None or mistakes:
        raise EfspecError(placed(mistakes, spec.source_map))
    return Plan(spec.name, spec.description, spec_hash(spec), module)


def shape_mistakes(spec: NetworkSpec, depth: int | None = None) -> list[Mistake]:
    """What is wrong with a spec once its shapes are known.

    Args:
        spec: The spec.
        depth: How many of its stages are to be traced; None for all, and to count parameters.
    """
    mistakes: list[Mistake] = []
    _traced(spec, depth, mistakes)
    return mistakes


def _traced(spec: NetworkSpec, depth: int | None, mistakes: list[Mistake]) -> Module | None:
    """The module of a network, or of its first stages, without the blocks that cannot be made."""
    owners: list[list[Loc]] = []
    network = _network(spec, depth, owners, mistakes)
    height, width = spec.input.height_width
    try:
        module = trace(network, map_shape(spec.input.channels, height, width))
    except BlockError as error:
        mistakes += [_located(path, diagnostic, owners) for path, diagnostic in error.mistakes]
        return None
    count = parameter_count(module) if depth is None and not mistakes else 0
    if count > MAX_PARAMETERS:
        mistakes.append((("stages",), _too_many(count)))
    return module


@remembered
def parameter_count(module: Module) -> int:
    """How many trainable parameters a module and all below it have."""
    return sum(
        sum(map(math.prod, step.op.parameters().values()))
        if isinstance(step, OpStep)
        else parameter_count(step.module)
        for step in module.steps
    )


def _network(
    spec: NetworkSpec, depth: int | None, owners: list[list[Loc]], mistakes: list[Mistake]
) -> Network:
    """The network's block; what cannot be made is left out, or stood in for.

    Args:
        spec: The spec.
        depth: How many of its stages the network is to have; None for all.
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
        downsample: Block | None = None
        if stage.downsample:
            try:
                downsample = stage.downsample.block(stage.width, act)
            except BlockError as error:
                loc = ("stages", i, "downsample")
                mistakes += [((*loc, d.field), d) for _, d in error.mistakes]
                downsample = Downsample(out_dim=stage.width)  # for the shapes behind it
        stages.append(Stage(downsample=downsample, blocks=Chain(items=tuple(blocks))))
    linear = schedule.linear if isinstance(schedule, LinearSchedule) else 0.0
    return Network(
        stem=spec.stem.block(act),
        stages=tuple(stages[:depth]),
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
