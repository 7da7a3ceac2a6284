"""The script for Macs, with modules in the place of coremltools that act as it is known to."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from coremltools.proto import FeatureTypes_pb2, Model_pb2

from efspec.latency import mac_script
from efspec.latency.profile import Profile, ProfiledOp
from efspec.latency.profiles import read_profile
from efspec.spec.source_map import Source


class MLNeuralEngineComputeDevice:
    """Named as coremltools names it."""


class MLCPUComputeDevice:
    """Named as coremltools names it."""


class Model:
    """A model of which every prediction takes a microsecond longer than the one before."""

    load_duration_in_nano_seconds = 31_000_000

    def __init__(self, path: str, compute_units: str) -> None:
        assert (path, compute_units) == ("network.mlpackage", "unit CPU_AND_NE")
        self.last_predict_duration_in_nano_seconds = 0
        self.inputs: list[dict[str, Any]] = []

    def get_spec(self) -> Any:
        spec = Model_pb2.Model()
        taken = spec.description.input.add(name="image").type.multiArrayType
        array = FeatureTypes_pb2.ArrayFeatureType
        taken.CopyFrom(array(shape=(1, 3, 32, 32), dataType=array.FLOAT16))
        spec.description.metadata.userDefined.update({"efspec.ops": "{}", "mine": "secret"})
        return spec

    def get_compiled_model_path(self) -> str:
        return "network.mlmodelc"

    def predict(self, inputs: dict[str, Any]) -> None:
        assert inputs["image"].shape == (1, 3, 32, 32)
        assert inputs["image"].dtype == np.float32
        self.last_predict_duration_in_nano_seconds += 1000


class Plan:
    """A compute plan of a constant, a convolution and an activation."""

    OPS = (("weight", None, None), ("conv", 0.75, MLNeuralEngineComputeDevice), ("act", 0.25, None))

    def __init__(self) -> None:
        ops = [
            SimpleNamespace(operator_name=f"ios16.{name}", outputs=[SimpleNamespace(name=name)])
            for name, _, _ in self.OPS
        ]
        block = SimpleNamespace(operations=ops)
        program = SimpleNamespace(functions={"main": SimpleNamespace(block=block)})
        self.model_structure = SimpleNamespace(program=program)

    @staticmethod
    def load_from_path(path: str, compute_units: str) -> Plan:
        assert (path, compute_units) == ("network.mlmodelc", "unit CPU_AND_NE")
        return Plan()

    def _of(self, op: Any) -> Any:
        return next(one for one in self.OPS if one[0] == op.outputs[0].name)

    def get_estimated_cost_for_mlprogram_operation(self, op: Any) -> Any:
        weight = self._of(op)[1]
        return None if weight is None else SimpleNamespace(weight=weight)

    def get_compute_device_usage_for_mlprogram_operation(self, op: Any) -> Any:
        device = self._of(op)[2]
        return None if device is None else SimpleNamespace(preferred_compute_device=device())


@pytest.fixture
def coremltools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that does what the script asks of coremltools."""
    fake: Any = ModuleType("coremltools")
    fake.__version__ = "9.0"
    fake.ComputeUnit = {name: f"unit {name}" for name in mac_script.UNITS.values()}
    fake.models = SimpleNamespace(MLModel=Model)
    plan: Any = ModuleType("coremltools.models.compute_plan")
    plan.MLComputePlan = Plan
    monkeypatch.setitem(sys.modules, "coremltools", fake)
    monkeypatch.setitem(sys.modules, "coremltools.models.compute_plan", plan)
    monkeypatch.setitem(sys.modules, "coremltools.proto.FeatureTypes_pb2", FeatureTypes_pb2)
    monkeypatch.setattr(mac_script, "device", lambda: "Apple M3 Pro")
    monkeypatch.setattr(mac_script.platform, "mac_ver", lambda: ("15.2", ("", "", ""), "arm64"))


@pytest.mark.usefixtures("coremltools")
def test_what_the_script_writes_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    mac_script.main(["network.mlpackage", "--units", "ane", "--runs", "100"])
    text = capsys.readouterr().out
    written = json.loads(text)
    warm = 1000 * mac_script.WARM_UPS
    assert written["samples_ns"] == [warm + 1000 * (i + 1) for i in range(100)]
    assert [op["kind"] for op in written["ops"]] == ["ios16.conv", "ios16.act"]
    found = read_profile(Source("it", text))
    assert isinstance(found, Profile)
    assert found.prediction is not None
    assert (found.prediction.p50_ns, found.prediction.n) == (warm + 50_500, 100)
    assert found.ops == (ProfiledOp("conv", 0.75, "ane"), ProfiledOp("act", 0.25, ""))
    assert found.load_ns == 31_000_000
    assert found.metadata == {"efspec.ops": "{}"}
    assert found.said["precision"] == "fp16"
    assert found.said["os"] == "macOS 15.2"
    assert found.said["runtime"] == "Core ML, coremltools 9.0"
    assert found.said["unit"] == "ane"


def test_an_image_is_made_for_a_package_that_takes_one() -> None:
    kind = FeatureTypes_pb2.FeatureType()
    kind.imageType.CopyFrom(FeatureTypes_pb2.ImageFeatureType(height=32, width=48))
    assert mac_script.example(kind).size == (48, 32)
    assert mac_script.precision([SimpleNamespace(type=kind)]) is None


def test_fewer_runs_than_tell_anything_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mac_script.main(["network.mlpackage", "--runs", "99"])
    assert "at least 100" in capsys.readouterr().err


def test_the_script_needs_nothing_of_efspec(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path(mac_script.__file__).read_text()
    assert "import efspec" not in text
    assert "from efspec" not in text
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit):
        exec(compile(text, "profile_coreml.py", "exec"), {"__name__": "__main__", "sys": sys})
