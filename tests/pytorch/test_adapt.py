"""Checkpoints for other heads: new classes, backbones, and what detection code writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import efspec
from efspec.pytorch.adapt import adapt, complete
from efspec.pytorch.checkpoints import read_checkpoint
from efspec.pytorch.layouts import LAYOUTS
from efspec.pytorch.resize import interpolate, maps
from efspec.spec.schema import NetworkSpec
from tests.pytorch.test_golden import GOLDEN, TOLERANCE, checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

State = dict[str, Tensor]
HEADS = {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
TEN = ["head.classes=10"]


def backbone(model: str, stages: list[int], norm: str = "none") -> NetworkSpec:
    head = {"type": "features", "stages": stages, "norm": norm}
    return efspec.load({"extends": model, "head": head})


def saved(state: dict[str, Any], folder: Path) -> Path:
    file = folder / "checkpoint.pth"
    torch.save(state, file)
    return file


def mistakes(error: efspec.EfspecError) -> dict[str, efspec.Diagnostic]:
    return {diagnostic.name: diagnostic for diagnostic in error.diagnostics}


@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
@pytest.mark.parametrize("layout", ["official", "timm"])
def test_other_classes_need_a_new_head(model: str, layout: str, tmp_path: Path) -> None:
    state = checkpoint(model, layout)
    file = saved({"model": state}, tmp_path)
    spec = efspec.load(model, set=TEN)
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.build(spec, weights=file)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == "misshapen-keys"
    assert "--new-head" in diagnostic.fix
    assert f"head.weight is {tuple(state['head.weight'].shape)}, not (10, " in diagnostic.message

    with pytest.warns(efspec.CheckpointWarning) as told:
        module = efspec.build(spec, weights=file, seed=3, new_head=True)
    dist = "dist_head" if layout == "official" else "head_dist"
    assert [str(warning.message) for warning in told] == [
        "initial weights, not the checkpoint's: head (2), head_dist (2)",
        f"left out of the checkpoint: head (2), {dist} (2)",
    ]
    found = module.state_dict()
    initial = efspec.build(spec, seed=3).state_dict()
    kept = adapt(efspec.resolve(efspec.load(model)), state).state
    for key, tensor in found.items():
        assert torch.equal(tensor, initial[key] if key in HEADS else kept[key]), key


def test_a_new_head_is_new_even_if_the_old_one_fits(tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load("v2_s0"))
    state = {key: tensor.bfloat16() for key, tensor in checkpoint("v2_s0", "timm").items()}
    adapted = adapt(plan, state, new_head=True)
    assert set(adapted.fresh) == set(adapted.dropped) == HEADS
    full = complete(plan, adapted, seed=7)
    initial = efspec.build(plan, seed=7).state_dict()
    assert list(full) == list(initial)
    for key in HEADS:
        assert torch.equal(full[key], initial[key].bfloat16())  # as the rest of the checkpoint
    assert full["norm.weight"] is adapted.state["norm.weight"]


def test_a_new_head_may_be_of_another_kind() -> None:
    linear = efspec.resolve(efspec.load("v2_s0", set=["head.type=linear"]))
    state = checkpoint("v2_s0", "timm")
    with pytest.raises(efspec.EfspecError) as caught:
        adapt(linear, state)
    assert mistakes(caught.value).keys() == {"extra-keys"}
    adapted = adapt(linear, state, new_head=True)
    assert set(adapted.fresh) == {"head.weight", "head.bias"}
    assert set(adapted.dropped) == HEADS


def test_a_new_head_excuses_nothing_else() -> None:
    plan = efspec.resolve(efspec.load("v2_s0", set=TEN))
    state = checkpoint("v2_s0", "timm")
    del state["norm.weight"], state["stem.conv1.conv.weight"]
    state["stages.4.blocks.0.ls2.gamma"] = torch.zeros(1)
    with pytest.raises(efspec.EfspecError) as caught:
        adapt(plan, state, new_head=True)
    found = mistakes(caught.value)
    assert found.keys() == {"missing-keys", "extra-keys"}
    assert found["missing-keys"].message.startswith("2 keys:")
    assert "stages.4.blocks.0.ls2.gamma" in found["extra-keys"].message


def statistics(model: str) -> Any:
    text = (GOLDEN / "official_stage_statistics.json").read_text()
    return json.loads(text)[model.removeprefix("v1_")]["stages"]


def assert_golden_maps(module: torch.nn.Module, model: str, stages: list[int]) -> None:
    """Each map of a backbone has the published statistics of its stage's output."""
    with torch.no_grad():
        result = module.eval()(torch.from_numpy(golden.image(2, 224)))
    outputs = result if isinstance(result, tuple) else (result,)
    for stage, x in zip(stages, outputs, strict=True):
        expected = statistics(model)[stage]
        assert abs(float(x.mean()) - expected["mean"]) < TOLERANCE
        assert abs(float(x.std(correction=0)) - expected["std"]) < TOLERANCE * 10
        assert abs(float(x.abs().max()) - expected["absmax"]) < TOLERANCE * 10


@pytest.mark.parametrize("stages", [[0, 1, 2, 3], [1, 2], [0]], ids=str)
@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
def test_a_backbone_takes_a_classifier(model: str, stages: list[int], tmp_path: Path) -> None:
    file = saved(checkpoint(model, "official"), tmp_path)
    with pytest.warns(efspec.CheckpointWarning) as told:
        module = efspec.build(backbone(model, stages), weights=file)
    (said,) = (str(warning.message) for warning in told)
    assert said.startswith("left out of the checkpoint: ")
    norm = "norm (2)" if model == "v1_l1" else "norm (5)"
    assert said.endswith(f"{norm}, head (2), dist_head (2)")
    for index in range(1, 7):  # the authors' list, where stages and downsamples alternate
        assert (f"network.{index} (" in said) == (index > 2 * stages[-1])
    assert_golden_maps(module, model, stages)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_backbone_takes_every_layout_and_misses_nothing(layout: Any) -> None:
    plan = efspec.resolve(backbone("v2_s0", [1, 2]))
    source = "official" if layout == "official" else "timm"
    state = checkpoint("v2_s0", source)
    adapted = adapt(plan, state, layout)
    assert not adapted.fresh
    assert len(adapted.state) + len(adapted.dropped) == len(state)
    del state[next(key for key in state if key not in adapted.dropped)]
    state["surplus"] = torch.zeros(1)
    with pytest.raises(efspec.EfspecError) as caught:
        adapt(plan, state, layout)
    assert mistakes(caught.value).keys() == {"missing-keys", "extra-keys"}


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_norms_on_maps_that_a_classifier_lacks_stay_initial(norm: str, tmp_path: Path) -> None:
    spec = backbone("v2_s0", [1, 3], norm)
    state = checkpoint("v2_s0", "timm")
    with pytest.warns(efspec.CheckpointWarning) as told:
        module = efspec.build(spec, weights=saved(state, tmp_path))
    count = 5 if norm == "batch" else 2
    said = f"initial weights, not the checkpoint's: norm1 ({count}), norm3 ({count})"
    assert said in [str(warning.message) for warning in told]
    assert torch.equal(module.state_dict()["norm3.weight"], torch.ones(176))
    # What the backbone wrote itself holds them, and then all of them are needed.
    own = module.state_dict()
    own["norm3.weight"] = torch.full((176,), 2.0)
    efspec.load_weights(module, spec, saved(own, tmp_path))
    assert torch.equal(module.state_dict()["norm3.weight"], torch.full((176,), 2.0))
    del own["norm3.bias"]
    with pytest.raises(efspec.EfspecError, match="missing-keys"):
        efspec.load_weights(module, spec, saved(own, tmp_path))


def test_the_authors_number_norms_on_maps_by_their_list() -> None:
    plan = efspec.resolve(backbone("v1_l1", [1, 3], "layer"))
    state = checkpoint("v1_l1", "official")
    state["norm2.weight"], state["norm2.bias"] = torch.full((96,), 2.0), torch.ones(96)
    adapted = adapt(plan, state)
    assert torch.equal(adapted.state["norm1.weight"], state["norm2.weight"])
    assert set(adapted.fresh) == {"norm3.weight", "norm3.bias"}


def detector(model: str, size: int) -> tuple[dict[str, Any], State]:
    """What detection code saves for images of a size, and the biases in it that count."""
    plan = efspec.resolve(efspec.load(model, set=[f"input.size={size}"]))
    trained = {height * width for height, width in maps(plan).values()}
    state: State = {}
    biases: State = {}
    for key, tensor in checkpoint(model, "official").items():
        if key.split(".")[0] in ("norm", "head", "dist_head"):
            continue
        if not key.endswith("attention_biases"):
            state[f"backbone.{key}"] = tensor
            continue
        queries = (7, 14)[tensor.shape[1] == 196]
        count = (queries * size // 224) ** 2
        assert count in trained
        same = tensor if size == 224 else torch.from_numpy(golden.fill(key, (8, count)))
        biases[key] = same
        state[f"backbone.{key}"] = torch.zeros_like(tensor)
        state[f"backbone.{key}_seg"] = same
        idxs = key.replace("biases", "bias_idxs")
        state[f"backbone.{idxs}"] = torch.ones(49, tensor.shape[1], dtype=torch.long)
        state[f"backbone.{idxs}_seg"] = torch.zeros(count, count, dtype=torch.long)
    if model.startswith("v1"):  # group norms over whole maps, which the spec language has not
        for i, width in enumerate([48, 96, 224, 448]):
            norm = f"backbone.norm{2 * i}"
            state[f"{norm}.weight"] = state[f"{norm}.bias"] = torch.full((width,), 9.0)
    state["neck.fpn_convs.0.conv.weight"] = torch.zeros(4)
    state["rpn_head.rpn_cls.weight"] = torch.zeros(4)
    return {"meta": {"epoch": 12}, "state_dict": state}, biases


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
def test_a_detector_gives_its_backbone(model: str, norm: str, tmp_path: Path) -> None:
    file = saved(detector(model, 224)[0], tmp_path)
    with pytest.warns(efspec.CheckpointWarning) as told:
        module = efspec.build(backbone(model, [0, 1, 2, 3], norm), weights=file)
    said = [str(warning.message) for warning in told]
    assert said[0] == "attention biases of detection or segmentation code: attention_biases_seg"
    norms = "".join(f", norm{2 * i} (2)" for i in range(4)) if model == "v1_l1" else ""
    assert said[-1] == f"left out of the checkpoint: neck (1), rpn_head (1){norms}"
    if norm == "none":
        assert len(said) == 2
        assert_golden_maps(module, model, [0, 1, 2, 3])
    else:
        assert module.state_dict()["norm2.weight"].unique().tolist() == [1]


@pytest.mark.parametrize("size", [512, 640])
def test_a_detector_of_another_size_is_retargeted(size: int, tmp_path: Path) -> None:
    content, biases = detector("v2_s0", 512)
    state = read_checkpoint(saved(content, tmp_path))
    head = {"type": "features", "stages": [3]}
    fields = {"extends": "v2_s0", "head": head, "input": {"size": size}}
    plan = efspec.resolve(efspec.load(fields))
    adapted = adapt(plan, state)
    assert len(adapted.retargeted) == (0 if size == 512 else len(biases))
    trained = dict(zip(maps(plan), biases.values(), strict=True))
    for key, target in maps(plan).items():
        side = 32 if "downsample" in key else 16
        expected = interpolate(trained[key], (side, side), target)
        assert torch.equal(adapted.state[key], expected)


def test_a_detector_can_become_a_classifier(tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load("v2_s0", set=TEN))
    state = read_checkpoint(saved(detector("v2_s0", 224)[0], tmp_path))
    with pytest.raises(efspec.EfspecError) as caught:
        adapt(plan, state)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == "missing-keys"
    assert "--new-head" in diagnostic.fix
    adapted = adapt(plan, state, new_head=True)
    assert {key.split(".")[0] for key in adapted.fresh} == {"norm", "head", "head_dist"}


@pytest.mark.parametrize("wrong", ["sparse", "quantized", "meta", "complex", "packed", "repeated"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_without_plain_values_are_refused(wrong: str, tmp_path: Path) -> None:
    match wrong:
        case "sparse":
            tensor = torch.eye(3).to_sparse()
        case "quantized":
            tensor = torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8)
        case "meta":
            tensor = torch.empty(3, device="meta")
        case "complex":
            tensor = torch.zeros(3, dtype=torch.complex128)
        case "repeated":
            tensor = torch.zeros(1).expand(2**20, 2**20)
        case "packed":
            tensor = torch.empty(3, dtype=torch.bits8)
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.build(efspec.load("v2_s0"), weights=saved({"head.weight": tensor}, tmp_path))
    assert mistakes(caught.value).keys() == {"unusable-tensors"}
    assert "head.weight" in str(caught.value)


def test_strange_keys_are_extra_keys() -> None:
    plan = efspec.resolve(backbone("v2_s0", [1]))
    strange = ["", ".", "stages", "stages.-1.x", f"stages.{'9' * 5000}.x", "\ud800", "a\x1b[2J\nb"]
    state = checkpoint("v2_s0", "timm") | dict.fromkeys(["norm", *strange], torch.zeros(1))
    with pytest.raises(efspec.EfspecError) as caught:
        adapt(plan, state)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == "extra-keys"
    title, *keys = diagnostic.message.split("\n    ")
    assert title == "7 keys:"  # `norm` is of a classifier
    assert keys == ["", ".", "stages", "stages.-1.x", f"stages.{'9' * 193}...", "?", "a?[2J?b"]


def test_a_backbone_takes_one_of_more_stages() -> None:
    wide, narrow = (efspec.resolve(backbone("v2_s0", s, "layer")) for s in ([0, 1, 3], [1, 2]))
    state = efspec.build(wide).state_dict()
    adapted = adapt(narrow, state)
    assert set(adapted.fresh) == {"norm2.weight", "norm2.bias"}
    assert {key.split(".")[0] for key in adapted.dropped} == {"norm0", "norm3", "stages"}
    state["norm1.typo"] = torch.zeros(1)
    with pytest.raises(efspec.EfspecError, match="extra-keys"):
        adapt(narrow, state)
