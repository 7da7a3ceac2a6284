"""timm's model arguments, and the configurations that it stores with weights."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Classes, Expected, Flag, Gamma, Items, LayerScale, Rate, Ratio
from efspec.errors import fail, suggestion
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
    Text,
    Widths,
    only,
)
from efspec.importers.description import Description, Format
from efspec.importers.outline import Family
from efspec.importers.published import Published, published
from efspec.spec.source_map import Loc, Node, field_text

ABOUT_WEIGHTS = frozenset(
    {
        "classifier",
        "crop_mode",
        "crop_pct",
        "custom_load",
        "description",
        "first_conv",
        "file",
        "fixed_input_size",
        "hf_hub_filename",
        "hf_hub_id",
        "interpolation",
        "label_descriptions",
        "label_names",
        "label_offset",
        "license",
        "mean",
        "min_input_size",
        "notes",
        "num_features",
        "origin_url",
        "paper_ids",
        "paper_name",
        "pretrained",
        "source",
        "state_dict",
        "std",
        "tag",
        "test_crop_mode",
        "test_crop_pct",
        "test_input_size",
        "test_pool_size",
        "url",
    }
)
"""What a stored configuration says of weights and of their images, which a spec does not."""
NO_DROPOUT = "efspec has no dropout"

Channels = Annotated[int, Expected("an integer from 1")]
InputSize = Annotated[
    Items[int], Field(min_length=3, max_length=3), Expected("[channels, height, width]")
]


class TimmArguments(Foreign):
    """What timm's two classes have in common; an architecture gives what is not written."""

    family: ClassVar[Family]

    architecture: Text = ""
    """Name of the function that makes the model."""
    depths: Annotated[Depths | None, Means("depths")] = None
    embed_dims: Annotated[Widths | None, Means("widths")] = None
    in_chans: Annotated[Channels, Means("channels")] = 3
    num_classes: Annotated[Classes, Means("classes")] = 1000
    global_pool: Annotated[Any, only("avg", because="efspec's classifiers average")] = "avg"
    downsamples: Annotated[Flags | None, Means("downsamples")] = None
    act_layer: Annotated[ActName, Means("act")] = "gelu"
    drop_rate: Annotated[Any, only(0, because=NO_DROPOUT)] = 0.0
    proj_drop_rate: Annotated[Any, only(0, because=NO_DROPOUT)] = 0.0
    drop_path_rate: Annotated[Rate, Means("drop_path")] = 0.0
    norm_layer: Annotated[Any, only("batchnorm2d", because="maps have batch norms")] = "batchnorm2d"
    device: Annotated[Any, only(None, because="a spec is for every device")] = None
    dtype: Annotated[Any, only(None, because="a spec is for every type of numbers")] = None
    input_size: InputSize | None = None
    """Channels, height and width, as a stored configuration has them."""

    @field_validator("architecture")
    @classmethod
    def _known(cls, value: str) -> str:
        names = architectures()
        if value and value.partition(".")[0] not in names:
            raise PydanticCustomError(
                "unknown-value",
                "there is no {value} here",
                {
                    "value": ascii(value[:40]),
                    "expected": ", ".join(names),
                    "fix": suggestion(value, names),
                },
            )
        if value and names[value.partition(".")[0]].family != cls.family:
            raise PydanticCustomError(
                "conflicting-options",
                "it is no {wanted} network, and such a one is asked for",
                {
                    "wanted": cls.family.upper(),
                    "expected": ", ".join(n for n in names if names[n].family == cls.family),
                    "fix": "leave out `--family`",
                },
            )
        return value

    def label(self) -> str:
        """See `Foreign.label`."""
        return self.name or self.architecture.partition(".")[0]

    def given(self) -> dict[str, Any]:
        """See `Foreign.given`; arguments go before what the architecture gives."""
        architecture = self.architecture.partition(".")[0]
        values = dict(architectures()[architecture].known) if architecture else {}
        if self.input_size:
            channels, height, width = self.input_size
            size = height if height == width else (height, width)
            values |= {"channels": channels, "size": size}
        return {**values, **super().given()}


class TimmV1(TimmArguments):
    """Arguments of timm's `EfficientFormer`."""

    family: ClassVar[Family] = "v1"
    origin: ClassVar[str] = "the default of timm's EfficientFormer"

    num_vit: Annotated[Some | None, Means("attention")] = None
    mlp_ratios: Annotated[Ratio, Means("ratios")] = 4.0
    pool_size: Annotated[Count, Means("pool_size")] = 3
    layer_scale_init_value: Annotated[Gamma, Means("layer_scale")] = 1e-5
    norm_layer_cl: Annotated[Any, only("layernorm", because="tokens have layer norms")] = (
        "layernorm"
    )
    img_size: Annotated[Size | None, Means("size")] = None


class TimmV2(TimmArguments):
    """Arguments of timm's `EfficientFormerV2`."""

    family: ClassVar[Family] = "v2"
    origin: ClassVar[str] = "the default of timm's EfficientFormerV2"

    num_vit: Annotated[Count, Means("attention")] = 0
    mlp_ratios: Annotated[StageRatios, Means("ratios")] = 4.0
    layer_scale_init_value: Annotated[LayerScale, Means("layer_scale")] = 1e-5
    norm_eps: Annotated[Any, only(1e-5, because="a batch norm's epsilon is 1e-5")] = 1e-5
    img_size: Annotated[Size, Means("size")] = 224
    distillation: Annotated[Flag, Means("distilled")] = True


MODELS: dict[Family, type[TimmArguments]] = {model.family: model for model in (TimmV1, TimmV2)}


def architectures() -> dict[str, Published]:
    """The published networks by the names that timm has for them."""
    prefixes = {"v1": "efficientformer", "v2": "efficientformerv2"}
    return {
        f"{prefixes[network.family]}_{network.name.partition('_')[2]}": network
        for network in published()
    }


def timm_description(node: Node, path: Loc, name: str) -> Description:
    """The arguments in a mapping, or in a configuration that is stored with weights.

    Where several say the same, `model_args` goes before the rest, and `pretrained_cfg`, which is
    of the weights before any change, comes last.

    Raises:
        EfspecError: When a part of a configuration is no mapping.
    """
    assert isinstance(node.value, dict)  # what is none has no signs of a format
    fields = dict(node.value)
    left_out = [key for key in fields if key in ABOUT_WEIGHTS]
    written: dict[str, Loc] = {}
    stored, own = _mapping(fields, "pretrained_cfg", path), _mapping(fields, "model_args", path)
    left_out += [f"pretrained_cfg.{key}" for key in stored if key in ABOUT_WEIGHTS]
    merged: dict[str, Node] = {}
    for prefix, part in (("pretrained_cfg", stored), ("", fields), ("model_args", own)):
        for key, value in part.items():
            # The pool of stored configurations is an image classifier's, and null here.
            is_stored_pool = key == "pool_size" and (
                prefix == "pretrained_cfg" or value.value is None
            )
            if key in ABOUT_WEIGHTS or is_stored_pool:
                continue
            field = "architecture" if key == "model_name" else key
            merged[field] = value
            written[field] = (*path, prefix, key) if prefix else (*path, key)
    return Description(
        format=Format.timm,
        root=Node(merged, node.source, node.at, node.key_at),
        path=path,
        name=name,
        written=written,
        left_out=tuple(left_out),
    )


def _mapping(fields: dict[str, Node], key: str, path: Loc) -> dict[str, Node]:
    """A part of a configuration, taken out of it."""
    node = fields.pop(key, None)
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise fail(
            "wrong-type",
            "it is no mapping",
            field=field_text((*path, key)),
            expected="a mapping",
            **node.place(),
        )
    return node.value
