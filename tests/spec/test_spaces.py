"""Search spaces: what is a member, what they need to be measured, and what is wrong with them."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import jsonschema
import pytest
import yaml

from efspec.cli.schema import all_schemas
from efspec.errors import EfspecError
from efspec.plan import Plan, parts
from efspec.plan.key import BlockKey, block_key
from efspec.spec import NetworkSpec, load, resolve
from efspec.spec.candidates import (
    Candidate,
    StageChoice,
    candidate_of,
    largest,
    member,
    part_specs,
    sample,
    size,
    smallest,
)
from efspec.spec.kinds import is_network, is_space
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import (
    dump_space,
    find_space,
    holds_space,
    read_space,
    shipped_spaces,
)

SMALL = """\
efspec: 1
name: small
input: {size: 32}
stem: {type: conv_stem}
stages:
  - {width: [4, 8], depth: [1, 2], block: {type: mb4d}, expansion_ratio: [1, 2]}
  - width: [8, 12]
    depth: [1, 2]
    downsample: {type: conv}
    block: {type: mb4d}
    attention: {type: mb3d, num_heads: 2, key_dim: 4}
    attention_depth: [0, 1, 2]
    expansion_ratio: [2]
head: {type: linear, classes: 3}
"""
DEEP = (
    "depth: [1024], block: {type: ffn}, expansion_ratio: [1]}\n"
    + (
        "  - {width: [4, 8], downsample: {type: conv}, depth: [1024], block: {type: ffn}, "
        "expansion_ratio: [1]}\n"
    )
    * 3
    + "  - {width: [4, 8], downsample: {type: conv}, depth: [1, 2]"
)
"""Stages with 4,096 blocks, and one more that begins as the first one of `SMALL` does."""


def read(text: str, folder: Path) -> SpaceSpec:
    file = folder / "space.yaml"
    file.write_text(text)
    return read_space(file)


def keys(spec: NetworkSpec) -> set[BlockKey]:
    plan = resolve(spec)
    return {block_key(plan, part) for part in parts(plan)}


def everything(space: SpaceSpec) -> list[Candidate]:
    stages = [
        [
            StageChoice(width, depth, attention, ratios)
            for width, (depth, attention) in product(stage.width, stage.depths())
            for ratios in product(stage.expansion_ratio, repeat=depth)
        ]
        for stage in space.stages
    ]
    return [Candidate(choices) for choices in product(*stages)]


@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces(name: str) -> None:
    space = read_space(name)
    assert space == read_space(f"search/{name}") == read_space(shipped_spaces()[name])
    text = shipped_spaces()[name].read_text()
    schema = yaml.safe_load(all_schemas()["space.schema.json"])
    jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize("name", shipped_spaces())
def test_what_is_written_reads_as_the_same(name: str, tmp_path: Path) -> None:
    text = dump_space(read_space(name), schema="space.schema.json")
    again = read(text, tmp_path)
    assert again == read_space(name)
    assert dump_space(again, schema="space.schema.json") == text


@pytest.mark.parametrize(
    ("space", "network"),
    [("v2", f"v2_{name}") for name in ("s0", "s1", "s2", "l")]
    + [("v1", f"v1_{name}") for name in ("l1", "l3", "l7")],
)
def test_published_networks_are_members(space: str, network: str) -> None:
    spec = load(network)
    again = member(read_space(space), candidate_of(read_space(space), spec), network)
    trained = {"description": spec.description, "defaults": spec.defaults}
    assert again.model_copy(update=trained) == spec


def test_the_largest_published_network_has_most_of_everything_but_ratios() -> None:
    space = read_space("v2")
    pairs = zip(largest(space).stages, candidate_of(space, load("v2_l")).stages, strict=True)
    for most, own in pairs:
        assert most.replaced(expansion_ratio=own.expansion_ratio) == own


@pytest.mark.parametrize("name", shipped_spaces())
def test_members_are_told_what_they_are(name: str) -> None:
    space, chance = read_space(name), random.Random(name)
    for candidate in (smallest(space), largest(space), *(sample(space, chance) for _ in range(50))):
        spec = member(space, candidate)
        resolve(spec)
        assert candidate_of(space, spec) == candidate


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_few_members_have_every_part(name: str) -> None:
    space, chance = read_space(name), random.Random(name)
    few = part_specs(space)
    known = set.union(*map(keys, few))
    assert len({spec.name for spec in few}) == len(few)
    for _ in range(100):
        assert keys(member(space, sample(space, chance))) <= known


def test_ratios_of_neighbours_are_not_crossed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = ", ".join(map(str, range(1, 65)))
    text = SMALL.replace("expansion_ratio: [1, 2]", f"expansion_ratio: [{ratios}]")
    text = text.replace("expansion_ratio: [2]", f"expansion_ratio: [{ratios}]")
    space, tried = read(text, tmp_path), 0

    def counted(spec: NetworkSpec) -> Plan:
        nonlocal tried
        tried += 1
        return resolve(spec)

    monkeypatch.setattr("efspec.spec.candidates.resolve", counted)
    part_specs(space)
    first, second = 2, 2 * 3  # widths, and where attention begins
    assert tried == first * 64 + second * 63 + first * second


def test_all_members_of_a_small_space(tmp_path: Path) -> None:
    space = read(SMALL, tmp_path)
    whole = everything(space)
    assert size(space) == len(whole) == len(set(whole))
    known = set.union(*map(keys, part_specs(space)))
    assert set.union(*(keys(member(space, candidate)) for candidate in whole)) == known
    chance = random.Random(0)
    assert {sample(space, chance) for _ in range(5000)} == set(whole)


def test_sizes() -> None:
    assert size(read_space("v2")) == (
        2 * 3 * 4 * 4
        * sum(2**n for n in range(2, 6)) ** 2
        * sum(3 * 2**n for n in range(6, 16))
        * (2 * (2**4 + 2**5) + 3 * sum(2**n for n in range(6, 11)))
    )  # fmt: skip


def test_a_stage_may_keep_the_width_of_the_one_before(tmp_path: Path) -> None:
    text = SMALL.replace("[4, 8]", "[8]").replace("[8, 12]", "[8]")
    text = text.replace("    downsample: {type: conv}\n", "")
    space = read(text, tmp_path)
    assert size(space) == len(everything(space))
    known = set.union(*map(keys, part_specs(space)))
    assert set.union(*(keys(member(space, c)) for c in everything(space))) == known


@pytest.mark.parametrize(
    ("old", "new", "name", "line"),
    [
        ("efspec: 1", "efspec: 2", "unsupported-format", 1),
        ("conv_stem}", "conv_stem, width: 8}", "conflicting-options", 4),
        ("[4, 8]", "[8, 4]", "not-in-order", 6),
        ("[4, 8]", "[4, 4]", "not-in-order", 6),
        ("[4, 8]", "[]", "empty-list", 6),
        ("[4, 8]", "4", "wrong-type", 6),
        ("{type: mb4d}", "{type: mb4d, repeat: 2}", "conflicting-options", 6),
        ("{type: mb4d}", "{type: mb4d, expansion_ratio: 2}", "conflicting-options", 6),
        ("{type: mb4d}", "{type: mb5d}", "unknown-type", 6),
        ("[0, 1, 2]", "[3]", "empty-space", 7),
        ("    downsample: {type: conv}\n", "", "width-mismatch", 7),
        ("    attention: {type: mb3d, num_heads: 2, key_dim: 4}\n", "", "conflicting-options", 7),
        ("{type: mb4d}", "{type: mb4d, drop_path: [0.1]}", "wrong-type", 6),
        ("{type: mb4d}", "{type: mb4d, drop_path: [0.1, 0.2]}", "wrong-type", 6),
        ("    attention_depth: [0, 1, 2]\n", "", "conflicting-options", 7),
        ("[0, 1, 2]", "[0]", "conflicting-options", 7),
        ("[4, 8]", "[1, 8]", "out-of-range", 6),
        ("mb3d, num_heads: 2, key_dim: 4", "mb4d, act: gelu, drop_path: 0.1",
         "conflicting-options", 11),
        ("depth: [1, 2]", DEEP, "too-many-blocks", 6),
        ("size: 32", "size: 8", "out-of-range", 3),
        ("classes: 3}", "classes: 3}\nconstraints: {mac: {max: 1}}", "unknown-field", 15),
        ("classes: 3}", "classes: 3}\nconstraints: {macs: {min: 2, max: 1}}", "empty-space", 15),
        ("classes: 3}", "classes: 3}\nconstraints: {macs: {max: .nan}}", "out-of-range", 15),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(old: str, new: str, name: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(EfspecError) as error:
        read(SMALL.replace(old, new, 1), tmp_path)
    assert (name, line) in {(d.name, d.line) for d in error.value.diagnostics}
    with pytest.raises(EfspecError) as together:
        read(SMALL.replace(old, new, 1) + "description: 7\n", tmp_path)
    wrong = [d for d in together.value.diagnostics if d.field == "description"]
    assert len(wrong) == (name != "unsupported-format")  # which may have other fields
    others = [d for d in together.value.diagnostics if d not in wrong]
    assert others == list(error.value.diagnostics)


def test_a_wrong_stage_hides_no_mistake_of_others(tmp_path: Path) -> None:
    text = SMALL.replace("[4, 8]", "[1, 8]").replace("[0, 1, 2]", "7")
    with pytest.raises(EfspecError) as error:
        read(text, tmp_path)
    assert [d.field for d in error.value.diagnostics] == [
        "stages[0].width[0]",
        "stages[1].attention_depth",
    ]


def test_what_a_block_may_not_say_is_told_at_its_fields(tmp_path: Path) -> None:
    block = "{type: mb4d, repeat: 2, expansion_ratio: [1], drop_path: [0.1, 0.2]}"
    with pytest.raises(EfspecError) as error:
        read(SMALL.replace("{type: mb4d}", block, 1), tmp_path)
    assert [(d.name, d.field, d.column) for d in error.value.diagnostics] == [
        ("conflicting-options", "stages[0].block.repeat", 64),
        ("conflicting-options", "stages[0].block.expansion_ratio", 84),
        ("wrong-type", "stages[0].block.drop_path", 100),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("expansion_ratio: [1, 2]", "expansion_ratio: [0.01, 0.02, 2]",
         [("no-channels", "stages[0].expansion_ratio[0]", 6, 75, "the smallest member")]),
        ("key_dim: 4}", "key_dim: 4, attn_ratio: 0.1}",
         [("no-channels", "stages[1].attention.attn_ratio", 11, 67, "the largest member")]),
        ("conv_stem}", "patch_stem, kernel: 2, stride: 1}",
         [("kernel-does-not-fit", "stem.kernel", 4, 34, "the smallest member")]),
        ("{type: conv}", "{type: attention, attn_ratio: 0.01}",
         [("no-channels", "stages[1].downsample.attn_ratio", 9, 47, "the smallest member")]),
        # Neither the smallest member nor the largest has a block without attention there.
        ("block: {type: mb4d}\n    attention: {type: mb3d, num_heads: 2, key_dim: 4}\n"
         "    attention_depth: [0, 1, 2]",
         "block: {type: attn_ffn, attn_ratio: 0.01}\n    attention: {type: mb3d, key_dim: 4}\n"
         "    attention_depth: [1, 2]",
         [("no-channels", "stages[1].block.attn_ratio", 10, 41,
           "members whose stage 1 has 8 channels")]),
    ],
)  # fmt: skip
def test_members_that_cannot_be_are_told(
    old: str, new: str, told: list[tuple[str, str, int, int, str]], tmp_path: Path
) -> None:
    assert old in SMALL
    with pytest.raises(EfspecError) as error:
        read(SMALL.replace(old, new, 1), tmp_path)
    found = error.value.diagnostics
    assert [(d.name, d.field, d.line, d.column) for d in found] == [one[:4] for one in told]
    for diagnostic, (*_, which) in zip(found, told, strict=True):
        assert diagnostic.message.startswith(f"in {which}: ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("stages.1.width=56", "stages[1].width"),
        ("stages.2.blocks.0.expansion_ratio=2", "stages[2].blocks[0].expansion_ratio"),
        ("stages.2.blocks.1.stride=1", "stages[2].blocks[1]"),
        ("stages.2.blocks.1.repeat=3", "stages[2].blocks"),
        ("stages.2.downsample.type=attention", "stages[2].downsample"),
        ("input.size=256", "input"),
        ("stem.act=relu", "stem"),
        ("defaults.act=relu", "stages[0].blocks[0]"),
        ("head.classes=10", "head"),
    ],
)
def test_what_is_outside_is_told(change: str, field: str) -> None:
    with pytest.raises(EfspecError) as error:
        candidate_of(read_space("v2"), load("v2_s0", set=[change]))
    assert field in {d.field for d in error.value.diagnostics}
    assert {d.name for d in error.value.diagnostics} == {"outside-space"}


@pytest.mark.parametrize(
    ("change", "field", "message", "expected"),
    [
        ("input.size=256", "input", "it is {size: [256, 256]}", "{size: [224, 224]}"),
        ("head.classes=10", "head", "it is {classes: 10}", "{classes: 1000}"),
        ("stem.act=relu", "stem", "it is {act: relu}", "{act: gelu}"),
        ("stages.3.downsample.type=conv", "stages[3].downsample",
         "it is {type: conv}", "{type: attention}"),
        ("stages.3.blocks.0.act=relu", "stages[3].blocks[0]", "it is {act: relu}", "{act: gelu}"),
        ("stages.3.blocks.0.type=mb4d", "stages[3].blocks[0]",
         "it is {type: mb4d}", "{type: ffn}"),
        ("stages.2.blocks.1.stride=1", "stages[2].blocks[1]", "it is {stride: 1}", "{stride: 2}"),
        ("stages.3.blocks=[{type: attn_ffn, repeat: 2}, {type: ffn, repeat: 2}]",
         "stages[3].blocks[1]", "it is behind a block with attention", "one before all of these"),
        ("stages.0.blocks.0.repeat=6", "stages[0].blocks",
         "6 blocks, 0 of them with attention", "2, 3, 4 or 5 blocks, 0 with attention"),
    ],
)  # fmt: skip
def test_what_would_be_inside_is_told(change: str, field: str, message: str, expected: str) -> None:
    with pytest.raises(EfspecError) as error:
        candidate_of(read_space("v2"), load("v2_s0", set=[change]))
    told = [(d.field, d.message, d.expected) for d in error.value.diagnostics]
    assert told == [(field, message, expected)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SMALL, "space"),
        ("stages: [{depth: 1, block: ffn}, 7]", "space"),  # wrong, and meant for one
        ("stages: [{blocks: []}]", "network"),
        ("extends: v2_s1", "network"),
        ("stages: [{width: 8, block: {type: ffn}}]", ""),
        ("stages: [{depth: [1], blocks: [{type: ffn}]}]", ""),
        ("stages: {depth: [1]}", ""),
        ("[stages]", ""),
    ],
)
def test_what_a_file_is(text: str, kind: str) -> None:
    data = yaml.safe_load(text)
    assert (is_space(data), is_network(data)) == (kind == "space", kind == "network")


def test_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_space("nope") is find_space("") is find_space("a\0b") is None
    with pytest.raises(EfspecError, match="did you mean `digits`"):
        read_space("digit")
    assert all(map(holds_space, shipped_spaces().values()))
    (tmp_path / "broken.yaml").write_text("[")
    assert not holds_space(tmp_path / "broken.yaml")
    with pytest.raises(EfspecError, match="this is a search space, and a network is wanted"):
        load(shipped_spaces()["v2"])
