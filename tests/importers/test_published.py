"""The published networks, as their authors and timm describe them, are the shipped specs."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import timm
from timm.models import efficientformer as timm_v1
from timm.models import efficientformer_v2 as timm_v2

import efspec
from efspec.importers import ofa
from efspec.importers import timm as ours
from efspec.importers.arguments import Foreign
from efspec.importers.complete import IN_ALL_PUBLISHED
from efspec.spec import loads, spec_hash
from tests.importers.conftest import Import, alike

WIDTHS = {
    "l1": [48, 96, 224, 448],
    "l3": [64, 128, 320, 512],
    "l7": [96, 192, 384, 768],
    "S0": [32, 48, 96, 176],
    "S1": [32, 48, 120, 224],
    "S2": [32, 64, 144, 288],
    "L": [40, 80, 192, 384],
}
DEPTHS = {
    "l1": [3, 2, 6, 4],
    "l3": [4, 4, 12, 6],
    "l7": [6, 6, 18, 8],
    "S0": [2, 2, 6, 4],
    "S1": [3, 3, 9, 6],
    "S2": [4, 4, 12, 8],
    "L": [5, 5, 15, 10],
}
RATIOS = {
    "S0": ([4, 3, 3, 3, 4, 4], [4, 3, 3, 4]),
    "S1": ([4, 4, 3, 3, 3, 3, 4, 4, 4], [4, 4, 3, 3, 4, 4]),
    "S2": ([4, 4, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4], [4, 4, 3, 3, 3, 3, 4, 4]),
    "L": ([4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4], [4, 4, 4, 3, 3, 3, 3, 4, 4, 4]),
}
ATTENTION = {"l1": 1, "l3": 4, "l7": 8, "S0": 2, "S1": 2, "S2": 4, "L": 6}
DROP_PATH = {"S2": 0.02, "L": 0.1}
V1 = ("l1", "l3", "l7")
V2 = ("S0", "S1", "S2", "L")


def shipped(variant: str) -> str:
    return f"v{1 if variant in V1 else 2}_{variant.lower()}"


def timm_name(variant: str) -> str:
    return f"efficientformer{'' if variant in V1 else 'v2'}_{variant.lower()}"


def ratios_by_stage(variant: str) -> dict[str, list[int]]:
    first = ([4] * DEPTHS[variant][0], [4] * DEPTHS[variant][1])
    return {str(i): list(own) for i, own in enumerate((*first, *RATIOS[variant]))}


def assert_is_shipped(spec: Any, variant: str) -> None:
    """Equal in every field, in every cost, and in hash once it is called the same."""
    expected = efspec.load(shipped(variant))
    assert alike(spec, expected)
    own, theirs = efspec.score(spec), efspec.score(expected)
    names = ("params", "params_folded", "macs", "activation_bytes_peak", "blocks", "stages")
    assert [getattr(own, name) for name in names] == [getattr(theirs, name) for name in names]
    update = {"name": expected.name, "description": expected.description}
    assert spec_hash(spec.model_copy(update=update)) == spec_hash(expected)
    assert loads(efspec.dump(spec)) == spec


@pytest.mark.parametrize("variants", [V1, V2], ids=["v1", "v2"])
def test_dictionaries_of_several_variants(imported: Import, variants: tuple[str, ...]) -> None:
    tables: dict[str, Any] = {
        "EfficientFormer_width": {variant: WIDTHS[variant] for variant in variants},
        "EfficientFormer_depth": {variant: DEPTHS[variant] for variant in variants},
    }
    for variant in variants:
        if variant in V2:
            tables[f"expansion_ratios_{variant}"] = ratios_by_stage(variant)
    found = imported(tables)
    assert [one.spec.name for one in found] == list(variants)
    for one in found:
        assert_is_shipped(one.spec, one.spec.name)
        (said,) = (a for a in one.assumed if a.field == "attending blocks")
        assert said.value == str(ATTENTION[one.spec.name])
        (chosen,) = imported(tables, variant=one.spec.name)
        assert chosen == one


@pytest.mark.parametrize("variant", WIDTHS)
@pytest.mark.parametrize("names", [("width", "depth"), ("embed_dims", "layers")])
def test_arguments_of_one_network(imported: Import, variant: str, names: tuple[str, str]) -> None:
    data: dict[str, Any] = dict(zip(names, (WIDTHS[variant], DEPTHS[variant]), strict=True))
    data |= {"vit_num": ATTENTION[variant], "drop_path_rate": DROP_PATH.get(variant, 0.0)}
    data |= {"downsamples": [True] * (5 if variant == "S0" else 4)}  # as the authors have it
    if variant in V2:
        data |= {"e_ratios": ratios_by_stage(variant), "resolution": 224}
    (one,) = imported(data, family="v1" if variant in V1 else "v2")
    assert_is_shipped(one.spec, variant)
    assert one.spec.name == "net"
    assert not {"family", "attending blocks", "defaults.drop_path"} & {a.field for a in one.assumed}


@pytest.mark.parametrize("variant", WIDTHS)
def test_timm_arguments(imported: Import, variant: str) -> None:
    if variant in V1:
        data: dict[str, Any] = {
            "depths": timm_v1.EfficientFormer_depth[variant],
            "embed_dims": timm_v1.EfficientFormer_width[variant],
        }
    else:
        data = {
            "depths": timm_v2.EfficientFormer_depth[variant],
            "embed_dims": timm_v2.EfficientFormer_width[variant],
            "mlp_ratios": timm_v2.EfficientFormer_expansion_ratios[variant],
            "drop_path_rate": DROP_PATH.get(variant, 0.0),
        }
    (one,) = imported({**data, "num_vit": ATTENTION[variant]})
    assert_is_shipped(one.spec, variant)


@pytest.mark.parametrize("variant", WIDTHS)
def test_what_timm_stores_with_weights(imported: Import, variant: str) -> None:
    stored = timm.get_pretrained_cfg(timm_name(variant))
    assert stored is not None
    whole = json.loads(json.dumps(stored.to_dict()))
    top = {"architecture": timm_name(variant), "num_classes": 1000, "num_features": 3}
    for data in ({**whole, **top}, {**top, "global_pool": "avg", "pretrained_cfg": whole}):
        (one,) = imported(data)
        assert_is_shipped(one.spec, variant)
        assert one.spec.name == timm_name(variant)
        assert any(key.endswith("mean") for key in one.left_out)
    (other,) = imported({**top, "model_args": {"num_classes": 7}, "pretrained_cfg": whole})
    assert other.spec.head.model_dump()["classes"] == 7


@pytest.mark.parametrize("variant", WIDTHS)
def test_encodings(imported: Import, variant: str) -> None:
    depth = max(DEPTHS[variant])
    stages = (
        list(ratios_by_stage(variant).values())
        if variant in V2
        else [[4] * d for d in DEPTHS[variant]]
    )
    unused = 9  # no network has it
    nested = [[*own, unused, unused] for own in stages]
    slots = [ratio for own in stages for ratio in [*own, *[unused] * (depth - len(own))]]
    flat = [ratio for own in stages for ratio in own]
    for e in (stages, nested, slots, flat):
        (one,) = imported({"d": DEPTHS[variant], "e": e, "w": WIDTHS[variant]})
        assert_is_shipped(one.spec, variant)
    attention = {"a": ATTENTION[variant], "r": 256, "name": "mine", "ks": [3] * 3}
    (one,) = imported({"d": DEPTHS[variant], "e": 4, "w": WIDTHS[variant], **attention})
    assert (one.spec.name, one.spec.input.size) == ("mine", 256)


@pytest.mark.parametrize(
    ("model", "timms"),
    [(ours.TimmV1, timm_v1.EfficientFormer), (ours.TimmV2, timm_v2.EfficientFormerV2)],
)
def test_defaults_are_those_of_timm(model: type[Foreign], timms: Any) -> None:
    signature = inspect.signature(timms).parameters
    own = {"name", "architecture", "input_size"}
    assert model.model_fields.keys() - own == signature.keys()
    said_otherwise = {"depths", "embed_dims", "act_layer", "norm_layer", "norm_layer_cl"}
    for name, parameter in signature.items():
        if name not in said_otherwise and (model, name) != (ours.TimmV1, "num_vit"):
            assert model.model_fields[name].default == parameter.default


@pytest.mark.parametrize("variant", WIDTHS)
def test_what_timm_stores_is_known(variant: str) -> None:
    stored = timm.get_pretrained_cfg(timm_name(variant))
    assert stored is not None
    about_the_network = {"architecture", "input_size", "num_classes", "pool_size"}
    assert set(vars(stored)) - about_the_network <= ours.ABOUT_WEIGHTS


def test_what_is_assumed_of_all_networks_is_so() -> None:
    for variant in WIDTHS:
        spec = efspec.load(shipped(variant))
        known: dict[str, Any] = {
            "act": spec.defaults.act,
            "layer_scale": spec.defaults.layer_scale,
            "size": spec.input.size,
            "channels": spec.input.channels,
            "classes": spec.head.model_dump()["classes"],
            "distilled": spec.head.type == "distilled",
        }
        assert known.items() <= IN_ALL_PUBLISHED.items()
    fewest = {family: min(ATTENTION[v] for v in of) for family, of in (("v1", V1), ("v2", V2))}
    assert {family: model(d=[1], e=1, w=[1]).a for family, model in ofa.MODELS.items()} == fewest


ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("v1", {"depths": [1, 2, 1], "embed_dims": [8, 16, 24], "num_vit": 1, "num_classes": 5}),
    ("v1", {"depths": [2, 2], "embed_dims": [8, 16], "num_vit": 3, "mlp_ratios": 1.5}),
    ("v1", {"depths": [1, 3], "embed_dims": [8, 8], "downsamples": [False, False], "num_vit": 2}),
    ("v2", {"depths": [1, 1, 3, 2, 2], "embed_dims": [8, 8, 16, 16, 24], "num_vit": 1}),
    ("v2", {"depths": [1, 2], "embed_dims": [8, 16], "mlp_ratios": [2, [3, 1.7]], "num_vit": 2}),
    ("v2", {"depths": [1, 1, 4], "embed_dims": [8, 12, 16], "num_vit": 9, "distillation": False}),
    ("v2", {"depths": [2, 1], "embed_dims": [8, 16], "downsamples": [True, True], "in_chans": 1}),
    (
        "v2",
        {
            "depths": [1, 1, 1, 1],
            "embed_dims": [8, 16, 24, 32],
            "num_vit": 1,
            "layer_scale_init_value": None,
            "img_size": [128, 96],
            "act_layer": "hard_swish",
        },
    ),
]


@pytest.mark.parametrize(("family", "arguments"), ARGUMENTS)
def test_other_timm_arguments_make_the_same_network(
    imported: Import, family: str, arguments: dict[str, Any]
) -> None:
    timms = timm_v1.EfficientFormer if family == "v1" else timm_v2.EfficientFormerV2
    module = timms(**arguments)
    (one,) = imported(arguments, family=family)
    plan = efspec.resolve(one.spec)

    def compared(shapes: Any) -> list[Any]:
        # timm's V1 has biases for 7 by 7 positions, whatever the map.
        named = ((key, tuple(shape)) for key, shape in shapes)
        return sorted(s for key, s in named if family == "v2" or "attention_biases" not in key)

    own = compared(plan.parameters().items())
    assert own == compared((key, p.shape) for key, p in module.named_parameters())
