"""What differs between two specs, and how their stages and blocks belong together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.resources import shipped_specs
from efspec.spec.compare import MAX_CELLS, Change, Structure, compare
from tests.strategies import networks

FFN: dict[str, Any] = {"type": "ffn"}
ATTENTION: dict[str, Any] = {"type": "attn_ffn"}


def spec(*stages: list[dict[str, Any]], **fields: Any) -> Any:
    """A spec of stages that get wider, each with a downsample but the first."""
    written = [
        {"width": 8 * (i + 1), "blocks": blocks} | ({"downsample": {"type": "conv"}} if i else {})
        for i, blocks in enumerate(stages)
    ]
    common: dict[str, Any] = {
        "efspec": 1,
        "name": "net",
        "input": {"size": 64},
        "stem": {"type": "conv_stem", "width": 8},
        "stages": written,
        "head": {"type": "linear", "classes": 10},
    }
    return efspec.load(common | fields)


def told(structure: Structure) -> list[tuple[Any, ...]]:
    return [
        (change.change, change.a, change.b, *((o.name, o.a, o.b) for o in change.options))
        for change in structure.changes
    ]


@pytest.mark.parametrize("name", shipped_specs())
def test_a_spec_does_not_differ_from_itself(name: str) -> None:
    one, other = efspec.load(name), efspec.load(name, set=["name=other", "description=''"])
    structure = compare(one, other)
    assert structure.changes == ()
    assert structure.stages == tuple((i, i) for i in range(len(one.stages)))


def test_what_is_written_in_another_way_is_the_same() -> None:
    short = spec([{"type": "ffn", "repeat": 2}], defaults={"act": "relu", "drop_path": 0.1})
    block = {"type": "ffn", "act": "relu", "drop_path": 0.1, "expansion_ratio": 4}
    stem = {"type": "conv_stem", "width": 8, "act": "relu"}
    long = spec([block, block], stem=stem, input={"size": [64, 64], "channels": 3})
    assert compare(short, long).changes == ()


def test_options_are_told_with_both_values() -> None:
    before = spec([{"type": "ffn", "repeat": 3, "expansion_ratio": [4, 4, 3]}], [ATTENTION])
    after = spec(
        [{"type": "ffn", "repeat": 3, "expansion_ratio": [4, 2, 3]}],
        [ATTENTION | {"num_heads": 4, "stride": 2}],
        input={"size": [64, 96]},
        head={"type": "linear", "classes": 20},
    )
    assert told(compare(before, after)) == [
        ("changed", "input", "input", ("size", [64, 64], [64, 96])),
        ("changed", "stages.0.blocks.1", "stages.0.blocks.1", ("expansion_ratio", 4.0, 2.0)),
        (
            "changed",
            "stages.1.blocks.0",
            "stages.1.blocks.0",
            ("stride", 1, 2),
            ("num_heads", 8, 4),
        ),
        ("changed", "head", "head", ("classes", 10, 20)),
    ]


def test_a_block_put_in_between_is_one_that_was_added() -> None:
    ratios = [1, 2, 3, 4]
    before = spec([FFN | {"expansion_ratio": ratio} for ratio in ratios])
    after = spec([FFN | {"expansion_ratio": ratio} for ratio in [1, 2, 9, 3, 4]])
    (change,) = compare(before, after).changes
    assert (change.change, change.a, change.b) == ("added", None, "stages.0.blocks.2")
    assert {option.name: option.b for option in change.options}["expansion_ratio"] == 9
    assert all(option.a is None for option in change.options)
    (change,) = compare(after, before).changes
    assert (change.change, change.a, change.b) == ("removed", "stages.0.blocks.2", None)


def test_a_stage_put_in_between_is_one_that_was_added() -> None:
    before = spec([FFN, FFN], [FFN, FFN], [FFN, ATTENTION])
    stages = before.model_dump()["stages"]
    extra = {"width": 12, "downsample": {"type": "conv"}, "blocks": ({"type": "mb4d"},)}
    fields = before.model_dump() | {"stages": [stages[0], extra, *stages[1:]]}
    structure = compare(before, efspec.load(fields))
    assert structure.stages == ((0, 0), (None, 1), (1, 2), (2, 3))
    assert [(c.change, c.b) for c in structure.changes] == [
        ("added", "stages.1"),
        ("added", "stages.1.downsample"),
        ("added", "stages.1.blocks.0"),
    ]


def test_other_types_are_told_with_the_options_that_both_have() -> None:
    (change,) = compare(spec([FFN]), spec([ATTENTION | {"expansion_ratio": 2}])).changes
    assert (change.change, change.type_a, change.type_b) == ("changed", "ffn", "attn_ffn")
    assert [option.name for option in change.options] == ["expansion_ratio"]
    before = spec([FFN], [FFN])
    stages = before.model_dump()["stages"]
    stages[1]["downsample"] = {"type": "attention"}
    (change,) = compare(before, efspec.load(before.model_dump() | {"stages": stages})).changes
    assert (change.a, change.type_a, change.type_b) == ("stages.1.downsample", "conv", "attention")


def test_downsamples_come_and_go() -> None:
    before = spec([FFN], [FFN])
    stages = before.model_dump()["stages"]
    stages[1].update(downsample=None, width=8)
    after = efspec.load(before.model_dump() | {"stages": stages})
    assert [(c.change, c.a, c.b) for c in compare(before, after).changes] == [
        ("changed", "stages.1", "stages.1"),
        ("removed", "stages.1.downsample", None),
    ]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=64), networks(max_size=64))
def test_both_ways_tell_the_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, other = efspec.load(a), efspec.load(b)
    forth, back = compare(one, other), compare(other, one)
    assert bool(forth.changes) == bool(back.changes)
    for structure, first, second in ((forth, one, other), (back, other, one)):
        lefts = [i for i, _ in structure.stages if i is not None]
        rights = [j for _, j in structure.stages if j is not None]
        assert lefts == list(range(len(first.stages)))
        assert rights == list(range(len(second.stages)))


def balance(changes: tuple[Change, ...]) -> int:
    """How many blocks more there are."""
    signs = {"added": 1, "removed": -1, "changed": 0}
    return sum(signs[c.change] for c in changes if ".blocks." in (c.a or c.b or ""))


@pytest.mark.parametrize(("rows", "columns"), [(40, 30), (1024, 1000)])
def test_long_stages_are_aligned_too(rows: int, columns: int) -> None:
    """Beyond `MAX_CELLS` they are paired in order."""
    assert (rows * columns > MAX_CELLS) == (rows > 1000)

    def stage(count: int, period: int) -> dict[str, Any]:
        ratios = [1 + i % period for i in range(count)]
        return {"type": "ffn", "repeat": count, "expansion_ratio": ratios}

    one, other = spec([stage(rows, 5)]), spec([stage(columns, 7)])
    assert balance(compare(one, other).changes) == columns - rows
