"""The dictionaries and arguments of the authors' code, by family.

References:
    https://github.com/snap-research/EfficientFormer
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from efspec.blocks.options import Classes, Expected, Flag, Gamma, Rate
from efspec.errors import fail
from efspec.importers.arguments import (
    ActName,
    Count,
    Depths,
    Flags,
    Foreign,
    Means,
    Size,
    Some,
    StageRatios,
    Widths,
    only,
)
from efspec.importers.description import Description, Format
from efspec.importers.outline import Family
from efspec.spec.source_map import Loc, Node, field_text

SPELLINGS = {
    "EfficientFormer_width": "width",
    "widths": "width",
    "embed_dims": "width",
    "EfficientFormer_depth": "depth",
    "depths": "depth",
    "layers": "depth",
    "EfficientFormer_expansion_ratios": "expansion_ratios",
    "expansion_ratio": "expansion_ratios",
    "e_ratios": "expansion_ratios",
    "mlp_ratios": "expansion_ratios",
    "num_vit": "vit_num",
}
"""Other names of arguments: those of the dictionaries, of the classes, and of their like."""

RATIOS = Expected(
    "a number; a list with a number or a list of numbers for each stage; or such a list as a "
    'mapping from "0", "1", ... to what is of each stage'
)

_RATIOS_OF_VARIANT = re.compile(r"expansion_ratios_(\w+)")


class OfficialArguments(Foreign):
    """What the authors' two classes have in common."""

    is_complete: ClassVar[bool] = False

    width: Annotated[Widths | None, Means("widths")] = None
    depth: Annotated[Depths | None, Means("depths")] = None
    downsamples: Annotated[Flags | None, Means("downsamples")] = None
    """Whether there is a downsample behind each stage, besides where widths differ."""
    act_layer: Annotated[ActName, Means("act")] = "gelu"
    num_classes: Annotated[Classes, Means("classes")] = 1000
    drop_rate: Annotated[Any, only(0, because="efspec has no dropout")] = 0.0
    drop_path_rate: Annotated[Rate | None, Means("drop_path")] = None
    use_layer_scale: Flag = True
    layer_scale_init_value: Annotated[Gamma, Means("layer_scale")] = 1e-5
    distillation: Annotated[Flag, Means("distilled")] = True
    resolution: Annotated[Size, Means("size")] = 224
    down_patch_size: Annotated[Any, only(3, because="a downsample is a 3x3 convolution")] = 3
    down_stride: Annotated[Any, only(2, because="a downsample halves the map")] = 2
    down_pad: Annotated[Any, only(1, because="a downsample halves the map")] = 1
    fork_feat: Annotated[
        Any, only(False, because="set `head: {type: features, ...}` in the imported spec instead")
    ] = False
    init_cfg: Annotated[Any, only(None, because="a spec holds no weights")] = None
    pretrained: Annotated[Any, only(None, because="a spec holds no weights")] = None

    def given(self) -> dict[str, Any]:
        """See `Foreign.given`."""
        values = super().given()
        if not self.use_layer_scale:
            values["layer_scale"] = None
        if self.downsamples is not None and self.width is not None:
            pairs = zip(self.downsamples, self.width, self.width[1:], strict=False)
            values["downsamples"] = (False, *(flag or a != b for flag, a, b in pairs))
        return values


class OfficialV1(OfficialArguments):
    """Arguments of the authors' `EfficientFormer`."""

    origin: ClassVar[str] = "the default of the authors' EfficientFormer"

    width: Annotated[
        Widths | None,
        Field(min_length=4, max_length=4),  # its code asks for the fourth stage by number
        Means("widths"),
        Expected("a list with the channels of each of 4 stages"),
    ] = None
    vit_num: Annotated[Some | None, Means("attention")] = None
    expansion_ratios: Annotated[StageRatios, Means("ratios"), RATIOS] = 4.0
    pool_size: Annotated[Count, Means("pool_size")] = 3
    norm_layer: Annotated[Any, only("layernorm", because="tokens have layer norms")] = "layernorm"


class OfficialV2(OfficialArguments):
    """Arguments of the authors' `EfficientFormerV2`."""

    origin: ClassVar[str] = "the default of the authors' EfficientFormerV2"

    vit_num: Annotated[Count | None, Means("attention")] = None
    expansion_ratios: Annotated[StageRatios | None, Means("ratios"), RATIOS] = None
    norm_layer: Annotated[Any, only("batchnorm2d", because="maps have batch norms")] = "batchnorm2d"


MODELS: dict[Family, type[OfficialArguments]] = {"v1": OfficialV1, "v2": OfficialV2}


def official_descriptions(node: Node, path: Loc, name: str) -> Iterator[Description]:
    """The arguments of one network, or those of each variant that dictionaries have.

    Raises:
        EfspecError: When an argument is there under two names.
    """
    assert isinstance(node.value, dict)  # what is none has no signs of a format
    fields: dict[str, Node] = {}
    written: dict[str, Loc] = {}
    of_variants: dict[str, tuple[Node, Loc]] = {}
    for key, value in node.value.items():
        found = _RATIOS_OF_VARIANT.fullmatch(key)
        if found:
            of_variants[found[1]] = value, (*path, key)
            continue
        field = SPELLINGS.get(key, key)
        if field in fields:
            raise fail(
                "conflicting-options",
                f"it is the same as `{written[field][-1]}`, which is there too",
                field=field_text((*path, key)),
                fix="remove one of them",
                **value.key_place(),
            )
        fields[field], written[field] = value, (*path, key)
    tables = (fields[key].value for key in ("width", "depth") if key in fields)
    variants = {variant: None for table in tables if isinstance(table, dict) for variant in table}
    if not variants:
        yield _description(node, fields, written, path, name)
        return
    differing = {
        field: node.value
        for field, node in fields.items()
        if isinstance(node.value, dict) and not variants.keys().isdisjoint(node.value)
    }
    shared = {field: node for field, node in fields.items() if field not in differing}
    for variant in variants:
        own = shared | {f: table[variant] for f, table in differing.items() if variant in table}
        places = {field: (*written[field], variant) for field in differing}
        places.setdefault("expansion_ratios", (*path, f"expansion_ratios_{variant}"))
        if variant in of_variants:
            own["expansion_ratios"], places["expansion_ratios"] = of_variants[variant]
        nearest = own.get("width") or own.get("depth") or node
        yield _description(nearest, own, written | places, path, variant)


def _description(
    node: Node, fields: dict[str, Node], written: dict[str, Loc], path: Loc, name: str
) -> Description:
    if "expansion_ratios" in fields:
        fields = {**fields, "expansion_ratios": _by_stage(fields["expansion_ratios"])}
    return Description(
        format=Format.official,
        root=Node(dict(fields), node.source, node.at, node.key_at),
        path=path,
        name=name,
        written=written,
    )


def _by_stage(node: Node) -> Node:
    """A list in the place of a mapping from the numbers of all stages."""
    stages = node.value
    if not isinstance(stages, dict) or stages.keys() != {str(i) for i in range(len(stages))}:
        return node
    ordered = [stages[str(i)] for i in range(len(stages))]
    return Node(ordered, node.source, node.at, node.key_at)
