"""Supernets as files: all or nothing, and of the same space only."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch

from efspec.errors import EfspecError
from efspec.spec.candidates import largest
from efspec.supernet import (
    MetaPaths,
    Slimmable,
    Supernet,
    encode_supernet,
    load_supernet,
    space_hash,
)
from tests.supernet.spaces import V1, V2, filled, images, space


def written(net: Supernet, folder: Path) -> Path:
    file = folder / "supernet.safetensors"
    file.write_bytes(encode_supernet(net))
    return file


@pytest.mark.parametrize("kind", [Slimmable, MetaPaths])
def test_what_is_written_is_read(kind: type[Slimmable | MetaPaths], tmp_path: Path) -> None:
    net, other = filled(kind(space(V2))), kind(space(V2))
    load_supernet(other, written(net, tmp_path))
    state = other.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    assert encode_supernet(net) == encode_supernet(other)


@pytest.mark.parametrize(
    "other",
    [
        MetaPaths(space(V2)),
        Slimmable(space(V1)),
        Slimmable(space({**V2, "head": {"type": "distilled", "classes": 6}})),
        Slimmable(space({**V2, "defaults": {"act": "relu", "layer_scale": 0.5}})),
    ],
    ids=["kind", "blocks", "head", "activation"],
)
def test_another_supernets_file_is_refused(other: Supernet, tmp_path: Path) -> None:
    net = Slimmable(space(V2))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(EfspecError, match=r"error\[other-supernet\]"):
        load_supernet(net, written(other, tmp_path))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_a_checkpoint_is_no_supernet(tmp_path: Path) -> None:
    net = Slimmable(space(V2))
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(EfspecError, match=r"error\[other-supernet\]"):
        load_supernet(net, tmp_path / "weights.pth")


def test_what_does_not_change_tensors_does_not_change_the_hash() -> None:
    first = space_hash(space(V2))
    same = {
        "name": "other",
        "description": "another",
        "constraints": {"params": {"max": 1e6}},
        "objective": {"score": 1, "terms": {"params_folded": {"unit": 1e6, "exponent": -1}}},
        "defaults": {"layer_scale": 0.5, "drop_path": 0.1},
    }
    assert {space_hash(space({**V2, key: value})) for key, value in same.items()} == {first}
    assert space_hash(space({**V2, "input": {"size": 96}})) != first


def test_it_copies_and_pickles() -> None:
    net, x = filled(Slimmable(space(V2))), images(space(V2))
    with torch.no_grad():
        wanted = net(x, largest(space(V2)))
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert torch.equal(other(x, largest(space(V2))), wanted)
