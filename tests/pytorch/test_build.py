"""What a built module is good for."""

from __future__ import annotations

import copy
import inspect
import io
import os
import pickle
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch

import efspec
from efspec.blocks import BLOCKS
from efspec.resources import shipped_specs

SMALL = ["input.size=64"]
STRANGE = {
    "tokens_to_map_and_back": {
        "efspec": 1,
        "name": "zigzag",
        "input": {"size": [64, 96]},
        "defaults": {"drop_path": {"linear": 0.1}},
        "stem": {"type": "conv_stem", "width": 16},
        "stages": [
            {"width": 16, "blocks": [{"type": "mb3d"}, {"type": "mb4d"}, {"type": "mb3d"}]},
            {"width": 24, "downsample": {"type": "conv"}, "blocks": [{"type": "mb3d"}]},
        ],
        "head": {"type": "features", "stages": [0, 1], "norm": "layer"},
    }
}


SMALL_ATTENTION = {"num_heads": 2, "key_dim": 4, "attn_ratio": 1}
EVERY_BLOCK: dict[str, object] = {
    "efspec": 1,
    "name": "every_block",
    "input": {"size": 32},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {
            "width": 8,
            "blocks": [
                {"type": "mb4d", "expansion_ratio": 2},
                {"type": "ffn", "expansion_ratio": 2},
                {"type": "attn_ffn", "expansion_ratio": 2, "stride": 2, **SMALL_ATTENTION},
            ],
        },
        {
            "width": 16,
            "downsample": {"type": "attention", **SMALL_ATTENTION},
            "blocks": [{"type": "mb3d", "expansion_ratio": 2, **SMALL_ATTENTION}],
        },
    ],
    "head": {"type": "distilled", "classes": 10},
}
CXX = os.environ.get("CXX", "g++")
"""The compiler that torch's inductor calls."""
FUSED = 1e-5
"""Fused loops add in another order, in 32 bits."""


def module_and_input(source: object) -> tuple[torch.nn.Module, torch.Tensor]:
    changes = SMALL if isinstance(source, str) else []
    plan = efspec.resolve(efspec.load(source, set=changes))  # type: ignore[arg-type]
    return efspec.build(plan).eval(), torch.randn(2, *plan.input)


def equal(a: object, b: object) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return all(map(torch.equal, a, b))
    assert isinstance(a, torch.Tensor)
    assert isinstance(b, torch.Tensor)
    return torch.equal(a, b)


SOURCES = pytest.mark.parametrize(
    "source", ["v1_l1", "v2_s0", *STRANGE.values()], ids=["v1_l1", "v2_s0", *STRANGE]
)


@SOURCES
@torch.no_grad()
def test_copies_and_restores(source: object) -> None:
    module, x = module_and_input(source)
    y = module(x)
    assert equal(copy.deepcopy(module)(x), y)
    assert equal(pickle.loads(pickle.dumps(module))(x), y)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    assert equal(torch.load(buffer, weights_only=False)(x), y)


@SOURCES
@torch.no_grad()
def test_pickle_restores_in_a_process_that_never_built_it(source: object, tmp_path: Path) -> None:
    module, x = module_and_input(source)
    file = tmp_path / "module.pkl"
    file.write_bytes(pickle.dumps((module, x, module(x))))
    script = (
        f"import pickle, torch; torch.set_grad_enabled(False);"
        f"module, x, y = pickle.loads(open({str(file)!r}, 'rb').read());"
        "z = module(x); pairs = zip(z, y) if isinstance(y, tuple) else [(z, y)];"
        "assert all(torch.equal(a, b) for a, b in pairs)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@torch.no_grad()
def test_a_changed_module_pickles_with_its_changes() -> None:
    module, x = module_and_input("v2_s0")
    module.head = torch.nn.Linear(176, 5)
    module.head_dist = torch.nn.Linear(176, 5)
    assert equal(pickle.loads(pickle.dumps(module))(x), module(x))


@SOURCES
@torch.no_grad()
def test_works_with_torchs_compilers(source: object) -> None:
    module, x = module_and_input(source)
    y = module(x)
    assert equal(torch.export.export(module, (x,)).module()(x), y)
    assert equal(torch.compile(module, fullgraph=True, backend="eager")(x), y)


@pytest.mark.skipif(not shutil.which(CXX), reason=f"there is no C++ compiler {CXX}")
@torch.no_grad()
def test_compiles_to_machine_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # what is there is not compiled
    stages: Any = EVERY_BLOCK["stages"]
    types = {block["type"] for stage in stages for block in stage["blocks"]}
    assert types == {block.model_fields["type"].default for block in BLOCKS}
    module, x = module_and_input(EVERY_BLOCK)
    y = module(x)
    compiled = torch.compile(module, fullgraph=True, backend="inductor")(x)
    assert float((compiled - y).abs().max()) <= FUSED * float(y.abs().max())


@SOURCES
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@torch.no_grad()
def test_traces(source: object) -> None:
    module, x = module_and_input(source)
    assert equal(torch.jit.trace(module, x)(x), module(x))


def test_trains_under_distributed_data_parallel(tmp_path: Path) -> None:
    module, x = module_and_input("v2_s0")
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(module.train())
        logits, distilled = parallel(x)
        (logits.sum() + distilled.sum()).backward()
        assert all(p.grad is not None for p in module.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_training_returns_both_heads_and_drops_paths() -> None:
    plan = efspec.resolve(efspec.load("v2_l", set=[*SMALL, "defaults.drop_path={linear: 0.9}"]))
    module = efspec.build(plan).train()
    x = torch.randn(2, *plan.input)
    both = module(x)
    assert isinstance(both, tuple)
    assert len(both) == 2
    frozen = copy.deepcopy(module)
    for m in frozen.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.eval()
    torch.manual_seed(0)
    first = frozen(x)[0]
    torch.manual_seed(1)
    for gamma in (p for name, p in frozen.named_parameters() if name.endswith("gamma")):
        torch.nn.init.ones_(gamma)
    assert not torch.equal(first, frozen(x)[0])


def test_initial_weights_are_the_papers() -> None:
    module = efspec.build(efspec.load("v2_s1"), seed=3)
    state = module.state_dict()
    pointwise = state["stages.3.blocks.0.mlp.fc1.conv.weight"]
    assert abs(float(pointwise.std()) - 0.02) < 0.001
    assert float(state["head.weight"].std()) == pytest.approx(0.02, rel=0.02)
    assert not state["head.bias"].any()
    assert not state["stages.3.blocks.5.token_mixer.attention_biases"].any()
    assert set(state["stages.0.blocks.0.ls2.gamma"].tolist()) == {torch.tensor(1e-5).item()}
    query = state["stages.3.blocks.5.token_mixer.q.conv.weight"]
    bound = query[0].numel() ** -0.5  # PyTorch's default for convolutions
    assert float(query.abs().max()) <= bound
    assert float(query.abs().max()) > 0.99 * bound


def test_seed_decides_the_weights_and_leaves_the_global_state() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, same, other = (efspec.build(efspec.load("v2_s0"), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    states = [m.state_dict()["stem.conv1.conv.weight"] for m in (one, same, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_tracebacks_and_inspection_show_the_source() -> None:
    module, _ = module_and_input("v2_s0")
    assert "class V2S0(nn.Module):" in inspect.getsource(type(module))
    with pytest.raises(RuntimeError) as error:
        module(torch.randn(1, 4, 64, 64))
    shown = "".join(traceback.format_exception(error.value))
    assert "x = self.stem(x)" in shown


def test_every_shipped_spec_builds() -> None:
    for name in shipped_specs():
        plan = efspec.resolve(efspec.load(name))
        module = efspec.build(plan)
        assert sum(p.numel() for p in module.parameters()) == efspec.score(plan).params, name
