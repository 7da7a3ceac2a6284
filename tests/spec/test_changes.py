"""`extends`, `set` and `--set`: what a changed spec is."""

from __future__ import annotations

from pathlib import Path

import pytest

from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.options import ResidualSpec
from efspec.errors import EfspecError
from efspec.spec import NetworkSpec, load, loads


def ratio(spec: NetworkSpec, stage: int) -> object:
    block = spec.stages[stage].blocks[0]
    assert isinstance(block, ResidualSpec)
    return block.expansion_ratio


def test_extending_alone_changes_nothing() -> None:
    assert loads("extends: v2_s1") == load("v2_s1")
    assert load({"extends": "v2_s1"}) == load("v2_s1")
    assert loads('{"extends": "v2_s1"}', input_format="json") == load("v2_s1")


def test_mappings_merge_and_lists_replace() -> None:
    base = load("v2_s1")
    spec = loads("extends: v2_s1\nname: mine\ninput: {channels: 1}\nhead: {classes: 10}")
    assert (spec.name, spec.input.size, spec.input.channels) == ("mine", 224, 1)
    assert spec.head.type == "distilled"
    assert spec.stages == base.stages
    text = "extends: v2_s1\nstages:\n  - {width: 32, blocks: [{type: ffn}]}"
    assert len(loads(text).stages) == 1


def test_another_type_drops_the_fields_of_the_old_one() -> None:
    spec = loads("extends: v2_s1\nhead: {type: features, stages: [0, 3]}")
    assert spec.head == FeaturesHeadSpec(stages=(0, 3))


def test_null_replaces() -> None:
    text = "extends: v2_s1\ndefaults: {layer_scale: null}"
    assert loads(text).defaults.layer_scale is None


def test_set_changes_single_elements() -> None:
    text = """
extends: v2_s1
set:
  stages.2.width: 128
  stages.0.blocks.0.expansion_ratio: [2, 3, 4]
  defaults.act: relu
  head.norm: layer
"""
    spec, base = loads(text), load("v2_s1")
    assert spec.stages[2].width == 128
    assert spec.stages[2].blocks == base.stages[2].blocks
    assert ratio(spec, 0) == (2, 3, 4)
    assert ratio(spec, 1) == ratio(base, 1)
    assert (spec.defaults.act, base.defaults.act) == ("relu", "gelu")


def test_options_come_last_and_in_order() -> None:
    text = "extends: v2_s1\nset: {stages.2.width: 128}"
    options = ["stages[2].width=64", "stages.2.width = 72", "defaults.layer_scale="]
    spec = loads(text, set=options)
    assert spec.stages[2].width == 72
    assert spec.defaults.layer_scale is None
    assert load("v2_s1", set=["input.size=[64, 96]"]).input.height_width == (64, 96)
    assert load("v2_s1", set=["defaults.layer_scale=1e-6"]).defaults.layer_scale == 1e-6
    assert load("v2_s1", set=["description=a = b"]).description == "a = b"


def test_the_type_alone_can_be_set() -> None:
    assert load("v2_s1", set=["stages.3.downsample.type=conv"]).stages[3].downsample == (
        load("v2_s1").stages[2].downsample
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    inner.joinpath("base.yaml").write_text("extends: v2_s0\nname: base\nset: {input.size: 64}\n")
    inner.joinpath("middle.json").write_text('{"extends": "base.yaml", "name": "middle"}')
    outer = tmp_path / "outer.yaml"
    outer.write_text("extends: inner/middle.json\nhead: {classes: 7}\n")
    spec = load(outer)
    assert (spec.name, spec.input.size, spec.head.type) == ("middle", 64, "distilled")


def test_mistakes_are_told_where_they_were_written(tmp_path: Path) -> None:
    base, over = tmp_path / "base.yaml", tmp_path / "over.yaml"
    base.write_text("extends: v2_s0\nstem: {width: wide}\n")
    over.write_text("extends: base.yaml\nhead: {classes: 0}\n")
    with pytest.raises(EfspecError) as info:
        load(over, set=["name=1st"])
    places = {(Path(d.file).name, d.line) for d in info.value.diagnostics}
    assert places == {("base.yaml", 2), ("over.yaml", 2), ("--set name=1st", 0)}
