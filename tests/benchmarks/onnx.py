"""Deployed networks in onnxruntime, against what torch's exporter makes of timm's.

The exporter needs onnxscript, which nothing else here does: `pip install onnxscript`.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections import Counter
from contextlib import redirect_stdout
from statistics import median
from typing import Any

import numpy as np
import onnx
import timm
import torch

import efspec
from efspec.deploy import deploy
from efspec.onnx.emit import emit, encode
from efspec.onnx.runtime import session
from efspec.pytorch.adapt import adapt
from tests.pytorch.test_golden import MODELS, TIMM_NAMES, checkpoint, golden
from tests.pytorch.test_random import filled

ROUNDS = 100
TOLERANCE = 1e-4
"""Largest difference of logits, which are of order one."""


def ours(model: str) -> bytes:
    """The file of a shipped network with golden weights."""
    plan = efspec.resolve(efspec.load(model))
    state = adapt(plan, checkpoint(model, "timm")).state
    deployed = deploy(plan)
    weights = deployed.of({key: tensor.numpy() for key, tensor in state.items()})
    return encode(emit(deployed.plan, weights))


def theirs(model: str) -> bytes:
    """The file of timm's network with the same weights."""
    module = timm.create_model(TIMM_NAMES[model]).eval()
    tables = {k: v for k, v in module.state_dict().items() if k.endswith("attention_bias_idxs")}
    module.load_state_dict(
        filled({k: v for k, v in module.state_dict().items() if k not in tables}) | tables
    )
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (torch.zeros(1, 3, 224, 224),), dynamo=True)
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def activations(file: bytes) -> Counter[str]:
    """How many activations of each kind there are in a file."""
    nodes = onnx.load_from_string(file).graph.node
    return Counter(node.op_type for node in nodes if node.op_type in ("Gelu", "Relu"))


def seconds(run: Any, name: str, x: np.ndarray) -> float:
    """Wall time of one image."""
    start = time.perf_counter()
    run.run(None, {name: x})
    return time.perf_counter() - start


def main(models: list[str]) -> None:
    """Run, and print medians and the ratio of each model."""
    x = golden.image(2, 224)[:1]
    for model in models:
        files = ours(model), theirs(model)
        assert activations(files[0]) == activations(files[1])
        runs = [session(file, threads=1) for file in files]
        inputs = [run.get_inputs()[0].name for run in runs]
        logits = [run.run(None, {name: x})[0] for run, name in zip(runs, inputs, strict=True)]
        assert np.abs(logits[0] - logits[1]).max() < TOLERANCE, "they compute different logits"
        rounds = [
            [seconds(run, name, x) for run, name in zip(runs, inputs, strict=True)]
            for _ in range(ROUNDS)
        ]
        mine, other = (1e3 * median(column) for column in zip(*rounds, strict=True))
        ratio = median(b / a for a, b in rounds)
        print(f"{model}  timm {other:7.2f} ms  efspec {mine:7.2f} ms  timm / efspec {ratio:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:] or MODELS)
