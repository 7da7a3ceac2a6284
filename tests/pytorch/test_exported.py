"""Files of torch.export: equal to the module, and taken by ExecuTorch."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import efspec
from efspec.deploy import deploy
from efspec.plan import Plan
from efspec.pytorch import exported, reference
from tests.pytorch.test_build import EVERY_BLOCK
from tests.pytorch.test_random import filled


def prepared(**changes: object) -> tuple[Plan, dict[str, torch.Tensor]]:
    plan = efspec.resolve(efspec.load({**EVERY_BLOCK, **changes}))
    return plan, filled(efspec.build(plan).state_dict())


def file_of(plan: Plan, state: dict[str, torch.Tensor], *, dynamic_batch: bool) -> bytes:
    """The file of a network as it is deployed."""
    deployed = deploy(plan)
    weights = deployed.of({key: tensor.numpy() for key, tensor in state.items()})
    program = exported.program(deployed.plan, weights, dynamic_batch=dynamic_batch)
    return exported.encode(program)


@pytest.mark.parametrize("dynamic_batch", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{}, {"input": {"size": [33, 49]}, "head": {"type": "features", "stages": [0, 1]}}],
    ids=["classifier", "backbone"],
)
def test_a_file_gives_what_the_module_gives(
    changes: dict[str, object], dynamic_batch: bool
) -> None:
    plan, state = prepared(**changes)
    file = file_of(plan, state, dynamic_batch=dynamic_batch)
    for batch in (1, 2, 3) if dynamic_batch else (1,):
        x = reference.images(plan, batch)
        expected = reference.outputs(plan, state, x)
        assert reference.difference(plan, exported.run(file, x), expected, "the file") < 1e-5


BYTES = """
import hashlib
import efspec
from efspec.pytorch import exported
from efspec.pytorch.build import arrays
plan = efspec.resolve(efspec.load({fields!r}))
program = exported.program(plan, arrays(efspec.build(plan)), dynamic_batch=True)
print(hashlib.sha256(exported.encode(program)).hexdigest())
"""


def test_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    script = BYTES.format(fields=EVERY_BLOCK)
    paths = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    printed = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, **paths}, cwd=folder,
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, folder in (("0", tmp_path), ("1", Path.cwd()))
    }  # fmt: skip
    assert len(printed) == 1


def test_what_torch_cannot_export_is_a_diagnostic(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise RuntimeError("no such operator\nand a page of advice")

    plan, state = prepared()
    monkeypatch.setattr(torch.export, "export", refuse)
    with pytest.raises(efspec.EfspecError, match=r"every_block: no such operator\n") as error:
        file_of(plan, state, dynamic_batch=False)
    assert error.value.diagnostics[0].name == "not-exportable"


@pytest.mark.skipif(
    find_spec("executorch") is None,
    reason="executorch is missing, which wants a torch of its own choice (pip install executorch)",
)
@pytest.mark.parametrize("backend", ["xnnpack", "coreml"])
@pytest.mark.filterwarnings("ignore")  # what executorch, torchao and coremltools tell each other
def test_executorch_takes_it(backend: str, tmp_path: Path) -> None:
    plan, state = prepared()
    file = tmp_path / "network.pt2"
    file.write_bytes(file_of(plan, state, dynamic_batch=False))
    from executorch.exir import to_edge_transform_and_lower

    if backend == "xnnpack":
        from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        # That of executorch 1.5.1 takes the softmax behind a convolution over the wrong axis, which
        # is what talking heads are: V2 needs it left to the portable kernels.
        others = [c for c in ALL_PARTITIONER_CONFIGS if c.__name__ != "SoftmaxConfig"]
        partitioner = XnnpackPartitioner(configs=others)
    else:
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        partitioner = CoreMLPartitioner()
    edge = to_edge_transform_and_lower(torch.export.load(file), partitioner=[partitioner])
    graph = edge.exported_program().graph_module.graph
    called = [str(node.target) for node in graph.nodes if node.op == "call_function"]
    assert "executorch_call_delegate" in called
    lowered = edge.to_executorch().buffer
    if backend == "coreml":  # only Apple's systems run it
        assert set(called) == {"executorch_call_delegate", "<built-in function getitem>"}
        return
    from executorch.runtime import Runtime

    x = reference.images(plan, 1)
    program = Runtime.get().load_program(lowered)  # whose memory the method lives in
    method = program.load_method("forward")
    found = [y.numpy() for y in method.execute([torch.from_numpy(x)])]
    reference.difference(plan, found, reference.outputs(plan, state, x), "ExecuTorch")
