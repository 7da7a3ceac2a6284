"""Every mistake in a description is a diagnostic, where it is written.

A case in `mistakes` is a file `<diagnostic>/<case>.json`, and in `<case>.txt` the command that
reads it and what that says.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import efspec
from efspec.importers import import_networks
from efspec.importers.imported import MAX_NETWORKS
from tests.importers.conftest import Import, Mistakes
from tests.spec.diagnostics import rendered, working_in

CORPUS = Path(__file__).parent / "mistakes"
CASES = sorted(CORPUS.glob("*/*.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_case(case: Path, update_golden: bool) -> None:
    golden = case.with_suffix(".txt")
    command = golden.read_text().splitlines()[0]
    start, *words = command.split(" --")
    assert start == f"$ efspec import {case.name}"
    options: dict[str, Any] = dict(word.split(" ") for word in words)  # as import_networks has them
    with working_in(case.parent), pytest.raises(efspec.EfspecError) as error:
        import_networks(Path(case.name), **options)
    found = list(error.value.diagnostics)
    assert case.parent.name in {diagnostic.name for diagnostic in found}
    text = f"{command}\n{rendered(found)}"
    if update_golden:
        golden.write_text(text)
    assert golden.read_text() == text


def test_no_golden_file_without_a_case() -> None:
    assert {case.with_suffix(".txt") for case in CASES} == set(CORPUS.glob("*/*.txt"))


def test_all_mistakes_of_all_networks_are_told(mistakes: Mistakes) -> None:
    good = '{"d": [1], "e": [[2]], "w": [8]}'
    found = mistakes(f'{good}\n{{"d": [0], "e": [[2]], "w": [0]}}\n{{\n{good}\n7', "jsonl")
    assert [(d.name, d.line) for d in found] == [
        ("out-of-range", 2),
        ("out-of-range", 2),
        ("json-syntax", 3),
        ("not-a-network", 5),
    ]


def test_only_the_first_hundred_mistakes_are_told(mistakes: Mistakes) -> None:
    found = mistakes('{"d": 0}\n' * 2000, "jsonl", family="v2")
    assert len(found) == 101
    assert found[-1].name == "too-many-mistakes"


def test_there_may_be_many_networks_but_not_any_number(mistakes: Mistakes) -> None:
    line = '{"extends": "v2_s0"}\n'
    (one,) = mistakes(line * (MAX_NETWORKS + 1), "jsonl")
    assert one.name == "too-many-networks"


def test_a_file_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nope.json", tmp_path):
        with pytest.raises(efspec.EfspecError) as error:
            import_networks(path)
        assert error.value.diagnostics[0].name == "unreadable-file"


def test_large_files_are_refused(mistakes: Mistakes) -> None:
    for ending in ("json", "jsonl", "yaml"):
        (one,) = mistakes('{"d": [' + "1," * 2**20, ending)
        assert one.name == "file-too-large"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)
FIELDS = (
    *("d", "e", "w", "a", "r", "ks", "name", "spec", "extends", "layers", "vit_num"),
    *("architecture", "depths", "embed_dims", "num_vit", "mlp_ratios", "img_size", "downsamples"),
    *("width", "depth", "expansion_ratios", "expansion_ratios_S0", "pretrained_cfg", "model_args"),
    *("input_size", "drop_path_rate", "layer_scale_init_value"),
)
FITTING = st.sampled_from(
    [4, [2, 2, 6, 4], [32, 48, 96, 176], {"S0": [1, 2]}, {"0": [4, 4]}, "efficientformer_l1", None]
)


NETWORKS = st.dictionaries(st.sampled_from(FIELDS), FITTING | VALUES, max_size=6)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NETWORKS, st.sampled_from(["v1", "v2", None]))
def test_anything_is_a_network_or_a_diagnostic(imported: Import, data: Any, family: Any) -> None:
    with suppress(efspec.EfspecError):
        assert imported(json.dumps(data), family=family)
