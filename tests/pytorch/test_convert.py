"""Converting between layouts: the identity there and back, and what others can load."""

from __future__ import annotations

import itertools
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

import efspec
from efspec.plan import Plan
from efspec.pytorch.adapt import adapt, complete, detect, lay_out
from efspec.pytorch.checkpoints import encode, read_checkpoint
from efspec.pytorch.layouts import LAYOUTS, Layout, index_tables, tensors
from efspec.pytorch.source import SUFFIXES
from tests.pytorch.states import State, assert_same_bits, random_state
from tests.pytorch.test_golden import MODELS, TIMM_NAMES, checkpoint, layout_of, logits_of
from tests.strategies import networks

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what timm warns of at import is not ours
    import timm

PAIRS = list(itertools.permutations(LAYOUTS, 2))
TOLERANCE = 1e-5
"""As in test_golden; the weights are the same to the bit, the sums are timm's."""


def convert(plan: Plan, state: State, source: Layout | None, target: Layout) -> State:
    """What `efspec convert` writes, in memory."""
    plain = {k: v for k, v in state.items() if not k.endswith("attention_bias_idxs")}
    adapted = adapt(plan, plain, source)
    assert adapted.remarks() == []
    return lay_out(plan, complete(plan, adapted), target)


@pytest.fixture(scope="module", params=MODELS)
def written(request: pytest.FixtureRequest) -> tuple[str, Plan, dict[Layout, State]]:
    """A network, and random weights of it in every layout."""
    plan = efspec.resolve(efspec.load(request.param))
    own = random_state(plan, torch.float16)
    return request.param, plan, {layout: lay_out(plan, own, layout) for layout in LAYOUTS}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_there_and_back_is_the_identity(
    written: tuple[str, Plan, dict[Layout, State]], source: Layout, target: Layout
) -> None:
    _, plan, states = written
    there = convert(plan, states[source], None, target)
    assert_same_bits(there, states[target])
    assert_same_bits(convert(plan, there, None, source), states[source])


def test_written_names_and_shapes_are_the_published_ones(
    written: tuple[str, Plan, dict[Layout, State]],
) -> None:
    model, plan, states = written
    for layout in ("official", "timm"):
        published = layout_of(model, layout)
        shapes = {key: tuple(tensor.shape) for key, tensor in states[layout].items()}
        tables = {key: shape for key, shape in shapes.items() if key not in published}
        assert {key: shapes[key] for key in published} == published
        assert tables.keys() == index_tables(plan, layout).keys()
        # One beside every table of biases; of timm's networks only V1's have them.
        beside = {key.replace("_biases", "_bias_idxs") for key in published if "_biases" in key}
        assert tables.keys() == (set() if layout == "timm" and model[:2] == "v2" else beside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
def test_types_are_kept(model: str, dtype: torch.dtype) -> None:
    plan = efspec.resolve(efspec.load(model))
    own = random_state(plan, dtype)
    for target in LAYOUTS:
        there = convert(plan, own, "efspec", target)
        assert {t.dtype for t in there.values()} == {dtype, torch.int64}
        assert_same_bits(convert(plan, there, target, "efspec"), own)


def published_indices(size: int, step: int) -> Tensor:
    """The authors' index table: offsets are numbered as they are met, queries outermost."""
    points = list(itertools.product(range(size), repeat=2))
    queries = [p for p in points if not (p[0] % step or p[1] % step)]
    numbers: dict[tuple[int, int], int] = {}
    offsets = [(abs(q[0] - k[0]), abs(q[1] - k[1])) for q in queries for k in points]
    rows = [numbers.setdefault(offset, len(numbers)) for offset in offsets]
    return torch.tensor(rows).view(len(queries), len(points))


@pytest.mark.parametrize(("model", "size"), [("v1_l1", 224), ("v2_s0", 224), ("v2_s0", 208)])
def test_written_index_tables_are_the_authors(model: str, size: int) -> None:
    plan = efspec.resolve(efspec.load(model, set=[f"input.size={size}"]))
    state = lay_out(plan, random_state(plan, torch.float32), "official")
    assert index_tables(plan, "official")
    for key, op in index_tables(plan, "official").items():
        assert torch.equal(state[key], published_indices(op.height, op.query_stride))


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_timm_loads_a_converted_checkpoint_and_gives_its_logits(model: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    converted = convert(plan, checkpoint(model, "official"), "official", "timm")
    theirs = timm.create_model(TIMM_NAMES[model]).eval()
    tables = {key: theirs.state_dict()[key] for key in index_tables(plan, "timm")}
    assert all(torch.equal(converted[key], table) for key, table in tables.items())
    theirs.load_state_dict(converted, strict=True)
    logits = theirs(torch.from_numpy(golden.image(2, 224))).numpy()
    assert abs(logits - logits_of(model, "official")).max() < TOLERANCE


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(networks())
def test_random_networks_survive_every_layout(fields: dict[str, Any]) -> None:
    plan = efspec.resolve(efspec.load(fields))
    own = random_state(plan, torch.float16)
    for layout in LAYOUTS:
        names = [tensor.key for tensor in tensors(plan, layout).values()]
        assert len(set(names)) == len(names)
        there = convert(plan, own, "efspec", layout)
        assert_same_bits(convert(plan, there, layout, "efspec"), own)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_hold_what_was_written_and_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    plan = efspec.resolve(efspec.load("v2_s0", set=["input.size=64"]))
    own = random_state(plan, torch.bfloat16)
    own["head.weight"] = torch.cat([own["head.weight"]] * 2)[:1000]  # a view
    own["head.bias"] = torch.nn.Parameter(own["head.bias"])
    own["norm.bias"] = own["norm.weight"]  # one memory for both
    own["head_dist.weight"] = own["head_dist.weight"].T.contiguous().T
    data = encode(plan, own, suffix)
    assert encode(plan, own, suffix) == data
    file = tmp_path / f"checkpoint{suffix}"
    file.write_bytes(data)
    assert len(data) < 1.2 * sum(t.numel() * t.element_size() for t in own.values()) + 200_000
    found = read_checkpoint(file)
    assert_same_bits(found, {key: tensor.detach() for key, tensor in own.items()})
    assert detect(plan, found) == "efspec"
