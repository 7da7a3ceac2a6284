"""Core ML packages: what they compute, read back from disk, and what else they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

import efspec
from efspec.cli.packages import prove
from efspec.coreml import lint
from efspec.coreml.names import Names
from efspec.coreml.options import COMPRESSIONS, IMAGENET, IOS, PackageOptions
from efspec.coreml.package import Package, pack
from efspec.errors import EfspecError
from efspec.plan import Plan
from efspec.pytorch.adapt import adapt
from efspec.pytorch.build import build_module, deployed
from efspec.resources import shipped_specs
from efspec.verify import Package as Saved
from efspec.verify import module_reference, package_reference, read_package, verify
from efspec.verify.run import Runner
from tests.pytorch.test_build import EVERY_BLOCK
from tests.pytorch.test_golden import MODELS, checkpoint, golden, logits_of
from tests.pytorch.test_random import filled
from tests.strategies import networks
from tests.verify.packages import convert
from tests.verify.test_published import timms

GOLDEN_TOLERANCE = 1e-4
"""Of logits of order one, in single precision, through every layer in another order."""
OPS = {"v2_s0": 186, "v2_s1": 228, "v2_s2": 346, "v2_l": 464, "v1_l1": 142}
"""How many ops a package may have; tracing timm's models gives 202, 244, 370, 496 and 148."""
TINY = {
    "efspec": 1,
    "name": "tiny",
    "input": {"size": 32},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [{"width": 8, "blocks": [{"type": "attn_ffn", "num_heads": 2, "key_dim": 4}]}],
    "head": {"type": "distilled", "classes": 10},
}
LABELS = tuple(f"class {i}" for i in range(10))
State = dict[str, torch.Tensor]


def saved(package: Package, folder: Path, name: str = "network") -> Saved:
    path = folder / f"{name}.mlpackage"
    package.write(path)
    return read_package(path)


def network(fields: dict[str, Any]) -> tuple[Plan, State]:
    plan = efspec.resolve(efspec.load(fields))
    return plan, filled(build_module(plan).state_dict())


def of_published(model: str) -> tuple[Plan, State]:
    plan = efspec.resolve(efspec.load(model))
    return plan, dict(adapt(plan, checkpoint(model, "official")).state)


@pytest.mark.parametrize("model", MODELS)
def test_published_models(model: str, tmp_path: Path) -> None:
    plan, state = of_published(model)
    lean, weights = deployed(plan, state)
    single = saved(pack(lean, weights, PackageOptions(precision="fp32")), tmp_path, "single")
    half = saved(pack(lean, weights), tmp_path, "half")
    runner = Runner(single.program, "fp32")
    with torch.inference_mode():
        (first,) = runner.run(torch.from_numpy(golden.image(2, 224))[:1])
    assert np.abs(first.numpy() - logits_of(model, "official")[:1]).max() < GOLDEN_TOLERANCE
    report = verify(half, module_reference(plan, state, deployed=True), twin=single, images=1)
    assert [(c.name, c.precision, c.state) for c in report.checks if c.state != "passed"] == []
    counted = Counter(op.kind for op in half.program.operations)
    assert counted.total() == OPS.get(model, counted.total())
    if model.startswith("v2"):
        assert counted.keys().isdisjoint({"transpose", "mul", "avg_pool", "batch_norm"})


@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
def test_a_traced_package_agrees(model: str, tmp_path: Path) -> None:
    traced = read_package(convert(timms(model), (1, 3, 224, 224), tmp_path, "traced"))
    lean, weights = deployed(*of_published_by_timm(model))
    ours = saved(pack(lean, weights, PackageOptions(precision="fp32")), tmp_path)
    report = verify(ours, package_reference(traced), images=1)
    assert report.agrees, report
    assert len(ours.program.operations) < len(traced.program.operations)


def of_published_by_timm(model: str) -> tuple[Plan, State]:
    plan = efspec.resolve(efspec.load(model))
    return plan, dict(adapt(plan, checkpoint(model, "timm")).state)


@pytest.mark.parametrize("rewritten", [False, True])
def test_random_specs(rewritten: bool, tmp_path: Path) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(networks())
    def check(fields: dict[str, Any]) -> None:
        plan, state = network(fields)
        if rewritten:
            emitted = deployed(plan, state)
        else:  # every op, those that deployment takes away included
            emitted = plan, {name: tensor.numpy() for name, tensor in state.items()}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        package = saved(pack(*emitted, PackageOptions(precision="fp32")), folder)
        reference = module_reference(plan, state, deployed=rewritten)
        report = verify(package, reference, images=1, tolerance=1e-3)
        assert report.agrees, [c for c in report.checks if c.state == "failed"]

    check()


def test_every_kind_of_block_in_half_precision() -> None:
    plan, state = network(EVERY_BLOCK)
    _, report = prove(plan, state, deployed(plan, state), PackageOptions(), {})
    assert report.agrees


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_compressed(compress: Any) -> None:
    spec = efspec.load("v2_s0", set=["input.size=64"])
    plan = efspec.resolve(spec)
    state = filled(build_module(plan).state_dict())
    emitted = deployed(plan, state)
    package, report = prove(plan, state, emitted, PackageOptions(compress=compress), {})
    whole = pack(*emitted)
    sizes = [sum(map(len, one.files.values())) for one in (package, whole)]
    least = {"int8": 0.55, "pal8": 0.6, "pal6": 0.5, "pal4": 0.4}[compress]
    assert sizes[0] < least * sizes[1]
    assert any(check.state == "reported" for check in report.checks)


@pytest.mark.parametrize("compress", ["int8", "pal4"])
def test_initial_weights_are_compressed(compress: Any) -> None:
    # Layer scales of 1e-5 and biases of zero: too small for steps, and nothing to a pass.
    plan = efspec.resolve(efspec.load("v2_s0", set=["input.size=64"]))
    state = dict(build_module(plan).state_dict())
    options = PackageOptions(compress=compress)
    assert prove(plan, state, deployed(plan, state), options, {})[1].agrees


@pytest.mark.parametrize("ios", IOS)
@pytest.mark.parametrize("options", [{}, {"image": IMAGENET}, {"labels": LABELS}])
def test_interfaces(ios: int, options: dict[str, Any], tmp_path: Path) -> None:
    plan, state = network(TINY)
    wanted = PackageOptions(ios=ios, **options)
    package, report = prove(plan, state, deployed(plan, state), wanted, {})
    assert report.agrees
    read = saved(package, tmp_path)
    assert read.version == {16: 7, 17: 8, 18: 9, 26: 10}[ios]
    assert (read.image is not None) == ("image" in options)
    assert read.labels == options.get("labels")
    outputs = ("classLabel", "classLabel_probs") if "labels" in options else ("logits",)
    assert read.program.outputs == outputs
    assert [one.name for one in read.program.inputs] == ["image"]


def test_images_are_normalised_exactly_at_the_border(tmp_path: Path) -> None:
    plan, state = network(TINY)
    lean, weights = deployed(plan, state)
    options = PackageOptions(precision="fp32", image=IMAGENET)
    package = saved(pack(lean, weights, options), tmp_path)
    pixels = torch.randint(256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(0)).float()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET.mean, IMAGENET.std))
    module = build_module(plan).eval()
    module.load_state_dict(state)
    with torch.inference_mode():
        (found,) = Runner(package.program, "fp32").run(pixels)
        expected = module((pixels / 255 - mean) / std)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_backbones_name_their_stages(tmp_path: Path) -> None:
    head = {"type": "features", "stages": [0, 1], "norm": "batch"}
    stages = [
        *TINY["stages"],
        {"width": 16, "downsample": {"type": "conv"}, "blocks": [{"type": "ffn"}]},
    ]
    plan, state = network({**TINY, "head": head, "stages": stages})
    package, report = prove(plan, state, deployed(plan, state), PackageOptions(), {})
    assert report.agrees
    assert saved(package, tmp_path).program.outputs == ("stages_0", "stages_1")


def test_what_a_package_says(tmp_path: Path) -> None:
    import coremltools as ct

    plan, state = network({**TINY, "description": "a small one"})
    lean, weights = deployed(plan, state)
    pack(lean, weights, metadata={"efspec.spec_hash": plan.hash}).write(tmp_path / "x.mlpackage")
    model = ct.models.MLModel(str(tmp_path / "x.mlpackage"), skip_model_load=True)
    assert model.short_description == "a small one"
    assert model.user_defined_metadata["efspec.spec_hash"] == plan.hash
    table = json.loads(model.user_defined_metadata["efspec.ops"])
    assert set(table.values()) <= {placed.id for placed in lean.ops()}
    assert table["stem_conv1_conv"] == "stem.conv1.conv"
    assert table["logits"] == "head"
    feature = model.get_spec().description.input[0].type.multiArrayType
    assert list(feature.shape) == [1, 3, 32, 32]
    assert feature.dataType == feature.FLOAT16


@pytest.mark.parametrize("name", shipped_specs())
def test_names_do_not_collide(name: str, tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load(name, set=["input.size=64"]))
    weights = {k: np.zeros(s, np.float32) for k, s in (plan.parameters() | plan.buffers()).items()}
    package = saved(pack(plan, weights), tmp_path)
    made = [one.name for op in package.program.operations for one in op.outputs]
    assert len(set(made)) == len(made)
    assert all(one.isidentifier() for one in made)
    assert package.ids().keys() == set(made)


def test_hostile_names() -> None:
    names = Names("image", "logits")
    hostile = [
        "a.b",
        "a_b",
        "a/b",
        "a b",
        "image",
        "logits",
        "1",
        "",
        "ä.b",
        "a_b_2",
        "a.b/c",
        "x\ny",
    ]
    given_names = [names.of(text) for text in hostile]
    assert len(set(given_names)) == len(hostile)
    assert all(name.isidentifier() and name.isascii() for name in given_names)
    assert {"image", "logits"}.isdisjoint(given_names)
    assert [names.ids[name] for name in given_names] == hostile


@pytest.mark.parametrize("options", [[], ["--compress", "pal4", "--image"]])
def test_the_same_bytes_in_another_process(options: list[str], tmp_path: Path) -> None:
    wide = {"width": 64, "downsample": {"type": "conv"}, "blocks": [{"type": "ffn"}]}
    (tmp_path / "tiny.json").write_text(json.dumps({**TINY, "stages": [wide]}))
    found = []
    for seed in ("0", "1"):
        command = [sys.executable, "-m", "efspec", "build", "tiny.json", "-o", seed, *options]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert "Failed to load" not in result.stderr
        files = sorted(path for path in (tmp_path / seed).rglob("*") if path.is_file())
        found.append({path.relative_to(tmp_path / seed): path.read_bytes() for path in files})
    assert found[0] == found[1]
    assert Path("tiny.mlpackage/Data/com.apple.CoreML/weights/weight.bin") in found[0]


def test_lint() -> None:
    def names(model: str, **options: Any) -> dict[str, int]:
        plan = efspec.resolve(efspec.load(model))
        weights = {
            k: np.ones(s, np.float32) for k, s in (plan.parameters() | plan.buffers()).items()
        }
        findings = pack(plan, weights, PackageOptions(**options)).findings
        return {finding.name: len(finding.ops) for finding in findings}

    lean_v2 = deployed(*network({**TINY, "input": {"size": 64}}))
    assert pack(*lean_v2).findings == ()
    assert pack(*lean_v2, PackageOptions(image=IMAGENET, labels=LABELS)).findings == ()
    assert names("v1_l1") == {"tokens": 4, "transposes": 5}
    assert names("v2_s0", precision="fp32").keys() == {"single-precision", "transposes"}
    bases = {rule.name: rule.basis for rule in lint.RULES}
    assert set(bases.values()) == {"fact", "inference"}
    assert all(rule.source and rule.message for rule in lint.RULES)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"precision": "fp8"}, "bad-option"),
        ({"ios": 15}, "bad-option"),
        ({"compress": "int3"}, "bad-option"),
        ({"labels": ("a",)}, "wrong-labels"),
        ({"labels": ("a",) * 10}, "wrong-labels"),
    ],
)
def test_options_that_do_not_go(options: dict[str, Any], name: str) -> None:
    plan, state = network(TINY)
    with pytest.raises(EfspecError, match=name):
        pack(*deployed(plan, state), PackageOptions(**options))


def test_tensors_of_another_network_are_refused() -> None:
    plan, state = network(TINY)
    lean, weights = deployed(plan, state)
    with pytest.raises(KeyError):
        pack(lean, {k: v for k, v in weights.items() if k != "head.weight"})
    with pytest.raises(ValueError, match=r"head\.weight is"):
        pack(lean, {**weights, "head.weight": weights["head.weight"][:5]})
