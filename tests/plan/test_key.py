"""Keys of parts: what they tell apart, and that their text is all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import efspec
from efspec.plan import Plan, parts
from efspec.plan.key import BlockKey, block_key, parse_key
from efspec.resources import shipped_specs

NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
WORDS = st.from_regex(r"[a-z][\w.+-]{0,8}", fullmatch=True)


def keys(plan: Plan) -> list[BlockKey]:
    return [block_key(plan, part) for part in parts(plan)]


def plan(**changes: str) -> Plan:
    options = [f"{name.replace('__', '.')}={value}" for name, value in changes.items()]
    return efspec.resolve(efspec.load("v2_s0", set=options))


@pytest.mark.parametrize("name", shipped_specs())
def test_text_is_the_key(name: str) -> None:
    for key in keys(efspec.resolve(efspec.load(name))):
        assert parse_key(key.text) == key


@given(
    type_=WORDS,
    sizes=st.dictionaries(NAMES, st.integers(0, 10**6), max_size=3),
    options=st.dictionaries(NAMES, WORDS, max_size=3),
    shape=st.lists(st.integers(1, 9999), min_size=1, max_size=4),
)
def test_any_key_is_read_as_it_is_written(
    type_: str, sizes: dict[str, int], options: dict[str, str], shape: list[int]
) -> None:
    type_ = type_.replace(".", "_").replace("+", "_").replace("-", "_")
    key = BlockKey(
        type_, tuple(sorted(sizes.items())), tuple(sorted(options.items())), tuple(shape)
    )
    assert parse_key(key.text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FFN",
        "FFN() @ ",
        "FFN(a=1, a=2) @ 3",
        "FFN(b=1, a=2) @ 3",
        "FFN(a=01) @ 3",
        f"FFN(a={'9' * 400}) @ 3",
        f"FFN(a=1) @ {'9' * 400}",
        "FFN(a=x) @ 3",
        "FFN(a=1;) @ 3",
        "FFN(a=1) @ 3x",
        "FFN(a=1) @ 3\n",
        " FFN(a=1) @ 3",
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse_key(text) is None


def test_what_training_alone_has_makes_no_difference() -> None:
    dropping = plan(defaults__drop_path="{linear: 0.1}", defaults__layer_scale="0.5")
    bare = plan(defaults__layer_scale="null")
    assert keys(plan()) == keys(dropping) == keys(bare)


@pytest.mark.parametrize(
    "change",
    [
        {"defaults__act": "relu"},
        {"stages__0__blocks__0__expansion_ratio": "3"},
        {"stages__2__blocks__1__stride": "1"},
        {"stages__3__blocks__1__talking_heads": "false"},
        {"stages__3__blocks__1__num_heads": "4"},
        {"stages__3__width": "184"},
        {"input__size": "256"},
        {"input__channels": "1"},
        {"head__classes": "10"},
        {"head__type": "linear"},
        {"head__norm": "layer"},
    ],
    ids=str,
)
def test_what_a_device_runs_makes_a_difference(change: dict[str, str]) -> None:
    assert set(keys(plan())) != set(keys(plan(**change)))


def test_equal_blocks_share_a_key() -> None:
    found = {part.path: block_key(plan(), part) for part in parts(plan())}
    assert found["stages.0.blocks.0"] == found["stages.0.blocks.1"]
    assert str(found["stages.0.blocks.0"]) == "FFN(hidden_dim=128; act=gelu) @ 32x56x56"
    head = "Head(num_classes=1000; head=linear, head_dist=linear, norm=batch_norm2d) @ 176x7x7"
    assert str(found["head"]) == head


def test_tokens_and_maps_differ() -> None:
    found = keys(efspec.resolve(efspec.load("v1_l1")))
    assert found[-1].options == (
        ("head", "linear"),
        ("head_dist", "linear"),
        ("input", "tokens"),
        ("norm", "layer_norm"),
    )
    assert found[-3].text == "MapToTokens() @ 448x7x7"


def test_features_heads_list_their_maps() -> None:
    pyramid = plan(head="{type: features, stages: [1, 3], norm: layer}")
    key = keys(pyramid)[-1]
    assert key.text == "Head(; input=tokens, norm1=layer_norm, norm3=layer_norm) @ 48x28x28x176x7x7"
