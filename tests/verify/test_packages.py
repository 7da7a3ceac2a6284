"""Packages as others make them: with images, labels, no names; and what is compared with what."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from efspec.coreml.quiet import quiet
from efspec.errors import EfspecError
from efspec.verify import (
    Normal,
    Package,
    Report,
    module_reference,
    package_reference,
    read_package,
    verify,
)
from efspec.verify.images import random_images
from efspec.verify.package import HASH_KEY, OPS_KEY
from efspec.verify.run import Runner
from tests.verify.conftest import Small
from tests.verify.mutants import Patient, flip, replace, text
from tests.verify.networks import module, small, weights
from tests.verify.packages import MODEL, convert, main, model, working
from tests.verify.programs import Call, write

NORMAL = Normal((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


class FromPixels(nn.Module):
    """A network that takes pixels / 255 - mean, as it is left to do where there is one scale."""

    def __init__(self, network: nn.Module, softmax: bool = False) -> None:
        super().__init__()
        self.network = network
        self.softmax = softmax
        self.register_buffer("std", torch.tensor(NORMAL.std).reshape(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.network(x / self.std)
        return torch.softmax(y, -1) if self.softmax else y


def states(report: Report) -> dict[str, str]:
    return {f"{check.name} {check.precision}".strip(): check.state for check in report.checks}


def copied(package: Package, folder: Path) -> Path:
    return Path(shutil.copytree(package.path, folder / package.path.name))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_images_come_as_pixels(made: Small, tmp_path: Path, order: str) -> None:
    mean = NORMAL.mean if order == "RGB" else NORMAL.mean[::-1]
    network = FromPixels(module(made.plan, made.state)).eval()
    if order == "BGR":
        network = nn.Sequential(Flip(), network).eval()  # type: ignore[assignment]
    with working():
        import coremltools as ct

        source = ct.ImageType(
            name="image",
            shape=(1, *made.plan.input),
            scale=1 / 255,
            bias=[-one for one in mean],
            color_layout=order,
        )
    path = convert(network, (1, *made.plan.input), tmp_path, order, source=source)
    package = read_package(path)
    assert package.image is not None
    assert package.image.order == order
    reference = module_reference(made.plan, made.state, normal=NORMAL)
    report = verify(package, reference)
    assert states(report) == {
        "package fp64": "passed",
        "package fp32": "passed",
        "package fp16": "reported",
    }
    # The check sees how pixels are normalised.
    assert not verify(package, made.reference, images=1).agrees


class Flip(nn.Module):
    """The channels in the order that the network takes, from blue, green and red."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1)


def test_pixels_are_whole_numbers_and_the_same_each_time() -> None:
    one, other = (random_images((2, 3, 4, 5), 1, NORMAL)[0] for _ in range(2))
    assert one.pixels is not None
    assert other.pixels is not None
    assert torch.equal(one.pixels, other.pixels)
    assert torch.equal(one.pixels, one.pixels.round())
    assert 0 <= float(one.pixels.min()) < 10 < 245 < float(one.pixels.max()) <= 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (NORMAL.mean, NORMAL.std))
    assert torch.allclose(one.normal, (one.pixels / 255 - mean) / std, atol=1e-6)
    assert not torch.equal(one.normal, random_images((2, 3, 4, 5), 1, NORMAL, seed=1)[0].normal)
    with pytest.raises(EfspecError, match=r"wrong-length"):
        random_images((1, 1, 4, 4), 1, NORMAL)


def test_labels_come_with_probabilities(made: Small, tmp_path: Path) -> None:
    labels = [f"label {n}" for n in range(10)]
    network = nn.Sequential(module(made.plan, made.state), nn.Softmax(-1)).eval()
    shape = (1, *made.plan.input)
    package = read_package(convert(network, shape, tmp_path, "labels", labels=labels, half=True))
    assert package.program.operations[-1].kind == "classify"
    report = verify(package, made.reference, images=2)
    assert states(report) == {"package fp32": "passed", "package fp16": "passed"}
    (check, _) = report.checks
    assert check.figures is not None
    assert check.figures.same_top == 2
    assert verify(package, package_reference(package), images=1).agrees
    assert verify(made.package, package_reference(package), tolerance=0.03).agrees


def test_backbones_give_several_maps(tmp_path: Path) -> None:
    plan = small(name="maps", head={"type": "features", "stages": [0, 1]})
    state = weights(plan)
    path = tmp_path / "maps.mlpackage"
    with working():
        import coremltools as ct

        traced = torch.jit.trace(module(plan, state), torch.zeros(1, *plan.input))
        options = {"compute_precision": ct.precision.FLOAT32, "skip_model_load": True}
        source = ct.TensorType(name="image", shape=(1, *plan.input))
        target = ct.target.iOS17
        converted = ct.convert(traced, inputs=[source], minimum_deployment_target=target, **options)
        converted.save(str(path))
        del converted
    report = verify(read_package(path), module_reference(plan, state), images=1)
    assert report.agrees
    assert len(report.checks) == 3 * len(plan.outputs())
    assert all(c.figures is not None and c.figures.same_top is None for c in report.checks)

    patient = Patient(path)
    outputs = main(patient.message).outputs
    outputs[0], outputs[1] = outputs[1], outputs[0]
    patient.write()
    with pytest.raises(EfspecError, match=r"error\[other-network\]: it gives 16x8x8, 8x16x16"):
        verify(read_package(path), module_reference(plan, state))


def test_export_is_the_trace(made: Small, tmp_path: Path) -> None:
    shape = (1, *made.plan.input)
    path = convert(module(made.plan, made.state), shape, tmp_path, "exported", exported=True)
    report = verify(read_package(path), package_reference(made.package), images=1)
    assert report.agrees
    assert report.against == "single.mlpackage"
    assert verify(read_package(path), made.reference, images=1).agrees


@pytest.mark.parametrize("ios", [15, 18])
def test_other_targets(made: Small, tmp_path: Path, ios: int) -> None:
    shape = (1, *made.plan.input)
    network = module(made.plan, made.state)
    package = read_package(convert(network, shape, tmp_path, "other", half=True, ios=ios))
    casts = dict(package_report(package, made).ops).get("cast", 0)
    assert casts == (2 if ios == 15 else 0)  # before iOS 16, half precision stays inside


def package_report(package: Package, made: Small) -> Report:
    """What is found of a package, with its twin that may have no casts."""
    report = verify(package, made.reference, twin=made.package, images=1)
    assert report.agrees
    return report


# Where a package departs, as far as its names tell


def test_part_is_named_where_ops_are_not(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    patient = Patient(path)
    del patient.message.description.metadata.userDefined[OPS_KEY]
    flip("conv", 22, "weight")(patient)
    patient.write()
    report = verify(read_package(path), made.reference, images=1)
    (departure,) = report.departures
    assert (departure.op, departure.path) == ("", "stages.1.blocks.0")
    assert departure.message.startswith("no op after `input_61` gives")


def test_op_is_named_against_a_package_of_the_same_ops(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    patient = Patient(path)
    del patient.message.description.metadata.userDefined[OPS_KEY]
    op = flip("linear", 2, "bias")(patient)
    patient.write()
    report = verify(read_package(path), package_reference(made.package), images=1)
    (departure,) = report.departures
    assert (departure.op, departure.kind, departure.path) == (op, "linear", "")


def test_nothing_is_named_against_a_package_of_other_ops(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    patient = Patient(path)
    replace("silu", 0, "relu")(patient)
    patient.write()
    report = verify(read_package(path), package_reference(made.package), images=1)
    assert report.departures == ()
    (remark,) = report.remarks
    assert remark.startswith("no op is named: the two packages have other ops")


def test_half_precision_departs_where_it_is_far_off(made: Small, tmp_path: Path) -> None:
    path = Path(shutil.copytree(made.half, tmp_path / "half.mlpackage"))
    patient = Patient(path)
    ids = made.package.ids()
    op = text("conv", 14, "pad_type", "same")(patient)
    table = {f"{name}_cast_fp16": id_ for name, id_ in ids.items()} | {"logits": ids["logits"]}
    patient.message.description.metadata.userDefined[OPS_KEY] = json.dumps(table)
    patient.write()
    (departure,) = verify(read_package(path), made.reference, images=1).departures
    assert (departure.op, departure.path) == (op, ids[op.removesuffix("_cast_fp16")])


# Names and specs


def failed(package: Path, made: Small) -> list[str]:
    report = verify(read_package(package), made.reference, images=1)
    return [f"{c.name}: {c.message}" for c in report.checks if c.state == "failed"]


def test_name_that_is_not_the_plans(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    message = model(path)
    for op in main(message).operations:
        for binding in (b for argument in op.inputs.values() for b in argument.arguments):
            if binding.name == "input_95":
                binding.name = "renamed"
        for output in op.outputs:
            output.name = "renamed" if output.name == "input_95" else output.name
    (path / MODEL).write_bytes(message.SerializeToString())
    assert failed(path, made) == ["named after the plan: wrong: renamed, input_95"]


def test_label_that_is_not_the_name(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    message = model(path)
    op = next(op for op in main(message).operations if op.type == "silu")
    op.attributes["name"].immediateValue.tensor.strings.values[0] = "other"
    (path / MODEL).write_bytes(message.SerializeToString())
    assert failed(path, made) == ["named after the plan: wrong: other"]


def test_id_that_the_plan_has_not(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    message = model(path)
    table = made.package.ids() | {"input_95": "stages.9.blocks.0"}
    message.description.metadata.userDefined[OPS_KEY] = json.dumps(table)
    (path / MODEL).write_bytes(message.SerializeToString())
    assert failed(path, made) == ["named after the plan: wrong: input_95"]


def test_spec_that_it_was_not_made_of(made: Small, tmp_path: Path) -> None:
    path = copied(made.package, tmp_path)
    message = model(path)
    message.description.metadata.userDefined[HASH_KEY] = made.plan.hash
    (path / MODEL).write_bytes(message.SerializeToString())
    assert failed(path, made) == []
    message.description.metadata.userDefined[HASH_KEY] = "0" * 64
    (path / MODEL).write_bytes(message.SerializeToString())
    expected = f"its spec is {'0' * 12}, not {made.plan.hash[:12]}"
    assert failed(path, made) == [f"made from this spec: {expected}"]


# The rest


def test_what_is_no_number_is_no_agreement(tmp_path: Path) -> None:
    call = Call("real_div", {"y": (1, 3, 4, 4)}, {"x": "%image", "y": 0.0})
    package = read_package(write(tmp_path / "x.mlpackage", [call], ["y"]))
    assert not verify(package, package_reference(package), tolerance=1.0).agrees


def test_it_says_what_it_does_not_show(made: Small) -> None:
    report = verify(made.package, made.reference, images=1)
    assert any("Neural Engine" in text for text in report.unproved)
    assert report.as_dict()["agrees"] is True


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML runs packages on macOS only")
def test_core_ml_computes_it_on_every_unit(made: Small) -> None:
    report = verify(made.package, made.reference, images=2)
    assert {c.precision for c in report.checks if c.name == "Core ML"} == {
        "CPU_ONLY",
        "CPU_AND_GPU",
        "CPU_AND_NE",
    }
    assert report.agrees


def test_core_ml_is_asked_on_a_mac(made: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be asked of it, with the program run here in its place."""
    from efspec.verify import device

    package = made.package
    runner = Runner(package.program, "fp16")

    class Model:
        def __init__(self, path: str, compute_units: object) -> None:
            assert path == str(package.path)
            self.units = compute_units

        def predict(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            (y,) = runner.run(torch.from_numpy(values["image"]))
            return {"logits": y.numpy()}

    with quiet():
        import coremltools

    monkeypatch.setattr(device, "is_available", lambda: True)
    monkeypatch.setattr(coremltools.models, "MLModel", Model)
    report = verify(package, made.reference, images=1)
    assert [c.precision for c in report.checks if c.name == "Core ML"] == list(device.UNITS)
    assert report.agrees
