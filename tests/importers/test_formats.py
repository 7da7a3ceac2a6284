"""What each format means: families, lists, results of searches, and files of several networks."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import efspec
from efspec.importers import Format, document, import_networks
from efspec.importers.detect import SIGNS
from efspec.importers.imported import MODELS
from efspec.importers.official import SPELLINGS
from efspec.spec import loads
from tests.importers.conftest import Import, Mistakes, alike

ENCODING = {"d": [1, 2, 3], "e": [[4], [3, 2], [4, 3, 2]], "w": [16, 24, 32]}


def assumed(one: Any) -> dict[str, str]:
    return {assumption.field: assumption.value for assumption in one.assumed}


def ratios(spec: Any) -> list[Any]:
    return [[block.expansion_ratio for block in stage.blocks] for stage in spec.stages]


def test_an_encoding_is_taken_literally(imported: Import) -> None:
    (one,) = imported({**ENCODING, "a": [0, 1, 2], "r": [64, 96]}, family="v2")
    assert one.spec.input.height_width == (64, 96)
    assert [stage.width for stage in one.spec.stages] == [16, 24, 32]
    kinds = [[(b.type, b.repeat) for b in stage.blocks] for stage in one.spec.stages]
    attention = [("ffn", 1), ("attn_ffn", 2)]
    assert kinds == [[("ffn", 1)], [("ffn", 1), ("attn_ffn", 1)], attention]
    assert ratios(one.spec) == [[4.0], [3.0, 2.0], [4.0, (3.0, 2.0)]]
    assert assumed(one)["defaults.drop_path"] == "0"
    assert "attending blocks" not in assumed(one)


def test_both_families_are_assumed_to_attend_as_little_as_the_published(imported: Import) -> None:
    for family, count in (("v1", "1"), ("v2", "2")):
        (one,) = imported(ENCODING, family=family)
        assert assumed(one)["attending blocks"] == count
    assert [b.type for b in one.spec.stages[-1].blocks] == ["ffn", "attn_ffn"]


def test_only_networks_of_the_same_family_tell_what_is_not_said(imported: Import) -> None:
    sizes = {"w": [40, 80, 192, 384], "d": [5, 5, 15, 10], "e": 4}  # those of v2_l
    for family, count in (("v1", "1"), ("v2", "6")):
        (one,) = imported(sizes, family=family)
        assert assumed(one)["attending blocks"] == count


def test_the_shares_of_a_flat_list(imported: Import) -> None:
    base = {"d": [1, 2, 2], "w": [16, 24, 32]}
    expected = imported({**base, "e": [[1], [2, 3], [4, 5]]})[0].spec
    flat = [1, 2, 3, 4, 5]
    shares = [1, 9, 9, 2, 3, 9, 4, 5, 9]
    for e in (flat, shares):
        assert imported({**base, "e": e})[0].spec == expected
    each = imported({**base, "e": [1, 2, 3]})[0].spec
    assert each == imported({**base, "e": [[1], [2, 2], [3, 3]]})[0].spec
    assert (
        imported({**base, "e": 2}, family="v2")[0]
        .spec.stages[1]
        .blocks[0]
        .model_dump()["expansion_ratio"]
        == 2
    )


@pytest.mark.parametrize(
    ("data", "family", "why"),
    [
        ({"architecture": "efficientformerv2_s1"}, "v2", "architecture"),
        ({"architecture": "efficientformer_l1.snap_dist_in1k"}, "v1", "architecture"),
        ({"model_name": "efficientformer_l1"}, "v1", "architecture"),
        ({"depths": [1], "embed_dims": [8], "norm_eps": 1e-5}, "v2", "norm_eps"),
        ({"depths": [1], "embed_dims": [8], "num_vit": 1, "pool_size": 5}, "v1", "pool_size"),
        ({"depths": [2], "embed_dims": [8], "mlp_ratios": [[1, 2]]}, "v2", "differ by block"),
        ({"depth": [3, 2, 6, 4], "width": [48, 96, 224, 448]}, "v1", "v1_l1"),
        ({"d": [2, 2, 6, 4], "w": [32, 48, 96, 176], "e": 4}, "v2", "v2_s0"),
        (ENCODING, "v2", "differ by block"),
    ],
)
def test_what_tells_the_family(imported: Import, data: Any, family: str, why: str) -> None:
    (one,) = imported(data)
    (said,) = (a for a in one.assumed if a.field == "family")
    assert said.value == family
    assert why in said.reason
    (told,) = imported(data, family=family)
    assert told.spec == one.spec
    assert "family" not in assumed(told)


def test_options_of_the_authors_code(imported: Import) -> None:
    data = {"width": [16, 16, 32, 32], "depth": [1, 1, 1, 1], "vit_num": 1, "e_ratios": 2}
    options = {"act_layer": "swish", "num_classes": 7, "distillation": False, "resolution": 96}
    (one,) = imported(
        {**data, **options, "use_layer_scale": False, "drop_path_rate": 0.2}, family="v2"
    )
    spec = one.spec
    assert (spec.defaults.act, spec.defaults.layer_scale, spec.input.size) == ("silu", None, 96)
    assert spec.head.model_dump() == {"type": "linear", "classes": 7, "norm": "auto"}
    assert spec.defaults.model_dump()["drop_path"] == {"linear": 0.2}
    flags = [False, False, False]
    (one,) = imported({**data, "downsamples": flags}, family="v2")  # only where widths differ
    assert [stage.downsample is not None for stage in one.spec.stages] == [
        False,
        False,
        True,
        False,
    ]


def test_v1_has_its_stem_and_its_pools(imported: Import) -> None:
    data = {"depths": [1, 1], "embed_dims": [8, 16], "num_vit": 1, "pool_size": 5}
    (one,) = imported({**data, "act_layer": "relu6"})
    assert one.spec.stem.model_dump()["act"] == "relu"
    assert one.spec.defaults.act == "relu6"
    assert one.spec.stages[0].blocks[0].model_dump()["pool_size"] == 5
    assert assumed(one)["stem"] == "two 3x3 convolutions of stride 2, relu"


def test_results_of_searches(imported: Import) -> None:
    spec = json.loads(efspec.dump(efspec.load("v2_s0"), format="json"))
    for data in (
        spec,
        {"spec": spec, "mes": 61.5, "top1": {"mean": 1}},
        {"spec": {"extends": "v2_s0"}},
    ):
        (one,) = imported(data)
        assert one.spec == efspec.load("v2_s0")
        assert not one.assumed
    (one,) = imported({"mes": 61.5, "spec": spec, "odd\nkey": 1})
    assert one.left_out == ("mes", "odd\nkey")
    (one,) = imported({"spec": spec}, name="other")
    assert one.spec.name == "other"
    assert alike(one.spec, efspec.load("v2_s0"))


def test_json_lines(imported: Import) -> None:
    lines = "".join(json.dumps({"spec": {"extends": name}}) + "\n\n" for name in ("v2_s0", "v2_s1"))
    for ending in ("json", "jsonl", "ndjson", "txt"):
        found = imported(lines, ending)
        assert [one.spec for one in found] == [efspec.load("v2_s0"), efspec.load("v2_s1")]
    lines = "".join(efspec.dump(one.spec, format="json") for one in found)
    assert imported(lines, variant="v2_s1") == found[1:]


def test_lists_and_names(imported: Import) -> None:
    other = {"architecture": "efficientformerv2_s0"}
    both = {"small": ENCODING, "large": other}
    for data in ([ENCODING, other], both, {"all": [ENCODING, other]}, {"all": {"a": ENCODING}}):
        assert len(imported(data)) == str(data).count("'w'") + str(data).count("architecture")
    found = imported(both)
    assert [one.spec.name for one in found] == ["small", "large"]
    assert imported(both, variant="large") == found[1:]


def test_equal_names_are_numbered(imported: Import) -> None:
    named = {**ENCODING, "name": "Net"}
    found = imported([ENCODING, named, named, {**ENCODING, "name": "net_2"}])
    assert [one.spec.name for one in found] == ["net", "Net_2", "Net_3", "net_2_2"]
    assert "another one is called Net" in str(found[1].assumed[-1])


def test_yaml_is_as_good(imported: Import) -> None:
    text = "# a comment\nd: [1, 2, 3]\ne: [[4], [3, 2], [4, 3, 2]]\nw: [16, 24, 32]\n"
    expected = imported(ENCODING)[0].spec
    for ending in ("yaml", "yml", "txt"):
        assert imported(text, ending)[0].spec == expected
    assert (
        imported("{d: [1, 2, 3], e: [[4], [3, 2], [4, 3, 2]], w: [16, 24, 32]}", "txt")[0].spec
        == expected
    )


def test_standard_input(monkeypatch: pytest.MonkeyPatch, imported: Import) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(ENCODING).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    (one,) = import_networks(Path("-"))
    assert one.spec.name == "imported"
    assert alike(one.spec, imported(ENCODING)[0].spec)


def test_a_format_can_be_told(imported: Import, mistakes: Mistakes) -> None:
    neutral = {"depths": [1], "embed_dims": [8], "num_vit": 0}
    (one,) = imported(neutral, format=Format.timm, family="v2")
    assert one.format == "timm"
    (wrong, *_) = mistakes(neutral, format=Format.ofa)
    assert wrong.name == "unknown-family"
    assert {d.name for d in mistakes(neutral, format=Format.ofa, family="v2")} >= {"missing-field"}
    named = {"one": neutral}
    assert imported(named, format=Format.timm, family="v2")[0].spec.name == "one"


def test_signs_are_fields_of_the_formats() -> None:
    for form, models in MODELS.items():
        fields = {field for model in models.values() for field in model.model_fields}
        own = {"model_args", "model_name", "pretrained_cfg"} if form == "timm" else set()
        assert SIGNS[form] <= fields | own | (SPELLINGS.keys() if form == "official" else set())
    assert set(SPELLINGS.values()) <= MODELS[Format.official]["v2"].model_fields.keys()


def test_every_import_loads_to_an_equal_spec(imported: Import, tmp_path: Path) -> None:
    for data in (
        ENCODING,
        {"architecture": "efficientformer_l1"},
        {"spec": {"extends": "v1_l1"}, "x": 1},
    ):
        (one,) = imported(data)
        text = document(one, "a file\n\u2028evil: true")
        assert loads(text) == one.spec
        header = [line for line in text.splitlines() if line.startswith("#")]
        assert header[0].startswith("# Imported by efspec from a file??evil: true (")
        assert text.splitlines()[len(header)] == "efspec: 1"
        assert all(len(line) <= 100 for line in text.splitlines())
        for assumption in one.assumed:
            assert f"{assumption.field}: " in text
