"""The Python interface; what each function needs is imported when it is called."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from efspec.errors import fail

if TYPE_CHECKING:
    from torch import nn

    from efspec.coreml.options import PackageOptions
    from efspec.cost import LatencySource, Mes, Score
    from efspec.plan import Plan
    from efspec.pytorch.layouts import Layout
    from efspec.pytorch.source import Source
    from efspec.spec.mes import MesSpec
    from efspec.spec.schema import NetworkSpec

    Network = NetworkSpec | Plan


class CheckpointWarning(UserWarning):
    """Something was done to a checkpoint besides renaming its tensors."""


def load(source: str | Path | Mapping[str, Any], *, set: Iterable[str] = ()) -> NetworkSpec:
    """The spec in a file, of a shipped name, or in a mapping.

    Args:
        source: A path to YAML or JSON, a name such as `v2_s1`, or the fields themselves.
        set: Changes such as `stages.2.width=128`, made after `extends` and `set` of the file.

    Raises:
        EfspecError: With every mistake of the spec.
    """
    from efspec.spec.loader import load as load_spec

    return load_spec(source, set=(set,) if isinstance(set, str) else tuple(set))


def dump(spec: NetworkSpec, *, format: Literal["yaml", "json"] = "yaml") -> str:
    """Text that loads to an equal spec: what differs from the defaults, in canonical form.

    Raises:
        EfspecError: When there is no such format.
    """
    from efspec.spec.dump import dump as dump_spec

    return dump_spec(spec, format=format)


def resolve(spec: Network) -> Plan:
    """The plan of a spec; a plan is its own.

    Raises:
        EfspecError: With every mistake that shows only once shapes are known.
    """
    from efspec.plan import Plan

    if isinstance(spec, Plan):
        return spec
    from efspec.spec.resolve import resolve as resolve_spec

    return resolve_spec(spec)


def score(
    spec: Network,
    *,
    latency: LatencySource | float | None = None,
    device: str | Path | None = None,
    mes: Mes | None = None,
) -> Score:
    """What a network costs: parameters, MACs, memory and, with a latency, MES.

    Args:
        spec: The network.
        latency: Milliseconds of the whole network, or a source that knows them.
        device: A device instead, shipped or a table's file, that says how long its parts take.
        mes: Constants of the Mobile Efficiency Score; those of the paper by default.

    Raises:
        EfspecError: When the spec cannot be resolved, a latency is none, the device's table does
            not say how long a part takes, the MES is too large a number, or its constants have no
            latency to go with.
    """
    from efspec.cost import given
    from efspec.cost import score as score_plan

    if isinstance(latency, bool) or (
        isinstance(latency, int | float) and not 0 < latency < math.inf
    ):
        raise fail("bad-latency", f"{latency} milliseconds", expected="a number above 0")
    if device is not None:
        if latency is not None:
            raise fail("conflicting-options", "both a latency and a device", fix="give one")
        from efspec.latency import device_source

        latency = device_source(device)
    if mes is not None and latency is None:
        raise fail("no-latency", "a MES needs a latency", fix="give `latency`, or no `mes`")
    source = given(latency) if isinstance(latency, int | float) else latency
    return score_plan(resolve(spec), source, mes or (load_mes() if source else None))


def load_mes(file: str | Path | None = None) -> Mes:
    """The constants of a Mobile Efficiency Score; without a file, those of the paper.

    Raises:
        EfspecError: With every mistake of the file.
    """
    from efspec.spec.mes import read_mes

    return mes_of(read_mes(Path(file) if file is not None else None))


def mes_of(spec: MesSpec) -> Mes:
    """The score that constants describe."""
    from efspec.cost import Mes, Term

    terms = {name: Term(term.unit, term.exponent) for name, term in spec.terms if term}
    return Mes(spec.score, terms)


def generate(spec: Network, *, templates: str | Path | None = None, deploy: bool = False) -> str:
    """Source of a standalone file that defines the network and imports only torch.

    Args:
        spec: The network.
        templates: A folder whose templates replace the shipped ones of their name.
        deploy: Whether to write the network that is leaner and computes the same in inference.

    Raises:
        EfspecError: When the spec cannot be resolved, or a template cannot be rendered.
    """
    from efspec.codegen import generate as generate_source

    plan = resolve(spec)
    if deploy:
        from efspec.deploy import deploy as rewrite

        plan = rewrite(plan).plan
    return generate_source(plan, Path(templates) if templates is not None else None)


def build(
    spec: Network,
    *,
    weights: str | Path | None = None,
    seed: int = 0,
    new_head: bool = False,
    from_size: int | tuple[int, int] | None = None,
    deploy: bool = False,
) -> nn.Module:
    """The network as a torch module, in training mode.

    Args:
        spec: The network.
        weights: A checkpoint in any known layout; without one, the weights are initial ones.
        seed: Seed of the initial weights.
        new_head: As `load_weights` takes it.
        from_size: As `load_weights` takes it.
        deploy: Whether to give, in eval mode, the network that is leaner and computes the same in
            inference; its state dict is one of its own.

    Raises:
        EfspecError: When the spec cannot be resolved, the seed is out of range, or the checkpoint
            is of another network.
    """
    from efspec.pytorch.build import build_module, deployed_module
    from efspec.pytorch.checkpoints import load_weights as load_checkpoint

    plan = resolve(spec)
    module = build_module(plan, seed)
    if weights is not None:
        source = _source(weights, None, new_head, from_size)
        _tell(load_checkpoint(module, plan, source).remarks())
    return deployed_module(plan, module) if deploy else module


def load_weights(
    module: nn.Module,
    spec: Network,
    path: str | Path,
    *,
    layout: Layout | None = None,
    new_head: bool = False,
    from_size: int | tuple[int, int] | None = None,
) -> Layout:
    """Fill a module with a checkpoint, all of it or nothing; gives the layout it was in.

    Attention biases of another input size are interpolated. A backbone, whose head is `features`,
    takes a classifier's checkpoint. What that changes is told as a `CheckpointWarning`.

    Args:
        module: What `build` gave for the spec.
        spec: The network.
        path: A `.pth`, `.pt` or `.safetensors` file.
        layout: How its tensors are named; None to find out.
        new_head: Whether the linear heads stay as they are in the module: for other classes, say.
        from_size: Input size that the checkpoint was trained at, in pixels: one number, or height
            and width. None to infer it from the attention biases, which tells squares only.

    Raises:
        EfspecError: With every missing, extra or misshapen key, or when there is no such layout.
    """
    from efspec.pytorch.checkpoints import load_weights as load_checkpoint

    source = _source(path, layout, new_head, from_size)
    adapted = load_checkpoint(module, resolve(spec), source)
    _tell(adapted.remarks())
    return adapted.layout


def export(
    spec: Network,
    folder: str | Path,
    *,
    targets: Iterable[str] = ("code", "weights", "coreml", "card"),
    weights: str | Path | None = None,
    seed: int = 0,
    new_head: bool = False,
    from_size: int | tuple[int, int] | None = None,
    dynamic_batch: bool = False,
    opset: int | None = None,
    license: str = "",
    package: PackageOptions | None = None,
    device: str | Path | None = None,
) -> dict[str, Path]:
    """Write what a user takes away into a folder, as `efspec build` does.

    Args:
        spec: The network.
        folder: Where to; it is made if need be.
        targets: What to write.
        weights: A checkpoint in any known layout; without one, the weights are initial ones.
        seed: Seed of the initial weights.
        new_head: As `load_weights` takes it.
        from_size: As `load_weights` takes it.
        dynamic_batch: Whether files of `onnx` and `torch` take a batch of any size, and not of 1.
        opset: Operator set of `onnx`; None for the one that most runtimes take it best in.
        license: What packages and ONNX files are to say of their license.
        package: What the package of `coreml` is to be like; see `efspec.coreml.options`.
        device: A device, shipped or a table's file, of which the card is to tell the latency.

    Returns:
        The path of each artefact, by target.

    Raises:
        EfspecError: As `build`, and when the folder cannot be written.
    """
    from efspec.cli.artefacts import write_artefacts
    from efspec.cli.targets import Ingredients, Options
    from efspec.latency import device_source
    from efspec.plan import Plan

    source = None if weights is None else _source(weights, None, new_head, from_size)
    remarks: list[str] = []
    known = device_source(device) if device is not None else None
    options = Options(dynamic_batch=dynamic_batch, license=license, package=package, device=known)
    if opset is not None:
        options = options.replaced(opset=opset)
    ingredients = Ingredients(
        resolve(spec),
        None if isinstance(spec, Plan) else spec,
        source,
        seed,
        options=options,
        remark=remarks.append,
    )
    written = write_artefacts(ingredients, Path(folder), tuple(targets))
    _tell(remarks)
    return {target: one.path for target, one in written.items()}


def _tell(remarks: Iterable[str]) -> None:
    """Warn the caller of the function that calls this."""
    for text in remarks:
        warnings.warn(text, CheckpointWarning, stacklevel=3)


def _source(
    path: str | Path,
    layout: Layout | None,
    new_head: bool,
    from_size: int | tuple[int, int] | None,
) -> Source:
    from efspec.pytorch.source import Source

    sides = (from_size, from_size) if isinstance(from_size, int) else from_size
    return Source(Path(path), layout, new_head, sides)
