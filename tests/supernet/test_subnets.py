"""Members on their own: what is extracted computes what the supernet does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import efspec
from efspec.errors import EfspecError
from efspec.pytorch.checkpoints import encode
from efspec.spec.candidates import Candidate, candidate_of, largest, smallest
from efspec.spec.schema import NetworkSpec
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import read_space
from efspec.supernet import MetaPaths, Slimmable, Supernet, calibrate, extract
from tests.supernet.spaces import V1, V2, at_size, candidates, filled, images, space

RANDOM = 50


def assert_extracts(net: Supernet, of: list[Candidate]) -> None:
    """With statistics of their own, the spec's module gives the same bits."""
    x, batch = images(net.layout.space), images(net.layout.space, seed=1)
    for candidate in of:
        statistics = calibrate(net, candidate, [batch])
        spec, state = extract(net, candidate, statistics)
        module = efspec.build(spec).eval()
        module.load_state_dict(state)
        with torch.no_grad():
            found = net(x, candidate, statistics)
            assert torch.isfinite(found).all()
            assert torch.equal(module(x), found)
        assert candidate_of(net.layout.space, spec) == candidate


@pytest.mark.parametrize("kind", [Slimmable, MetaPaths])
@pytest.mark.parametrize("fields", [V1, V2], ids=["small_v1", "small_v2"])
def test_extracted_is_the_supernets(
    kind: type[Slimmable | MetaPaths], fields: dict[str, object]
) -> None:
    net = filled(kind(space(fields)))
    assert_extracts(net, candidates(space(fields), RANDOM))


def test_extracted_is_the_supernets_in_digits() -> None:
    net = filled(Slimmable(at_size("digits", 32)))
    assert_extracts(net, candidates(net.layout.space, RANDOM))


def test_extracted_is_the_supernets_in_v2() -> None:
    net = filled(Slimmable(at_size("v2", 64)))
    assert_extracts(net, candidates(net.layout.space, RANDOM))


@pytest.mark.parametrize(
    ("kind", "of", "networks"),
    [
        (Slimmable, "v2", ("v2_s0", "v2_s1", "v2_s2", "v2_l")),
        (MetaPaths, "v1", ("v1_l1", "v1_l3", "v1_l7")),
    ],
)
def test_published_networks_are_extracted(
    kind: type[Slimmable | MetaPaths], of: str, networks: tuple[str, ...]
) -> None:
    net = filled(kind(read_space(of)))
    published = [candidate_of(net.layout.space, efspec.load(name)) for name in networks]
    assert_extracts(net, published)


def test_it_builds_from_what_is_extracted(tmp_path: Path) -> None:
    of = space(V2)
    net = filled(Slimmable(of))
    spec, state = extract(net, smallest(of), name="found")
    assert spec.name == "found"
    assert efspec.load(_written(spec, tmp_path)) == spec
    file = tmp_path / "found.safetensors"
    file.write_bytes(encode(efspec.resolve(spec), state, file.suffix))
    x = images(of)
    with torch.no_grad():
        assert torch.equal(efspec.build(spec, weights=file).eval()(x), net(x, smallest(of)))


def _written(spec: NetworkSpec, folder: Path) -> Path:
    file = folder / "found.yaml"
    file.write_text(efspec.dump(spec))
    return file


def test_what_is_extracted_is_apart() -> None:
    of = space(V2)
    net = filled(Slimmable(of))
    _, state = extract(net, largest(of))
    kept = {key: tensor.clone() for key, tensor in state.items()}
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.zero_()
    assert all(torch.equal(state[key], kept[key]) for key in kept)


@pytest.mark.parametrize("kind", [Slimmable, MetaPaths])
def test_nothing_is_extracted_without_statistics(kind: type[Slimmable | MetaPaths]) -> None:
    net = kind(space(V2))
    with pytest.raises(EfspecError, match="no-statistics"):
        extract(net, largest(space(V2)))


def test_statistics_follow_the_images() -> None:
    """The first batch norm's are those of its convolution; the supernet's are left alone."""
    net = filled(Slimmable(space(V2)))
    of = net.layout.space
    batches = [images(of, 3, seed) for seed in range(4)]
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    found = calibrate(net, smallest(of), batches).tensors
    assert all(torch.equal(before[name], buffer) for name, buffer in net.named_buffers())

    state = net.state(smallest(of))
    weight, bias = (state[f"stem.conv1.conv.{name}"] for name in ("weight", "bias"))
    with torch.no_grad():
        results = [torch.conv2d(x, weight, bias, 2, 1).transpose(0, 1).flatten(1) for x in batches]
    means = torch.stack([result.mean(1) for result in results]).mean(0)
    variances = torch.stack([result.var(1) for result in results]).mean(0)
    assert torch.allclose(found["stem.conv1.bn.running_mean"], means, atol=1e-6)
    assert torch.allclose(found["stem.conv1.bn.running_var"], variances, atol=1e-6)
    assert found["stem.conv1.bn.num_batches_tracked"] == len(batches)


def test_the_same_channels_after_other_inputs_have_other_statistics() -> None:
    """Which is why they are found for each member."""
    of = space(V2)
    net = filled(Slimmable(of))
    deep = largest(of)
    shallow = Candidate((deep.stages[0].replaced(depth=1, expansion_ratio=(2,)), *deep.stages[1:]))
    one, other = (calibrate(net, c, [images(of, 4)]).tensors for c in (deep, shallow))
    key = "stages.1.downsample.conv.bn.running_mean"
    assert net.state(deep)[key].data_ptr() == net.state(shallow)[key].data_ptr()
    assert not torch.allclose(one[key], other[key])


@pytest.mark.parametrize("of", [space(V2), space(V1)], ids=lambda of: of.name)
def test_calibration_needs_images(of: SpaceSpec) -> None:
    with pytest.raises(EfspecError, match="no-batches"):
        calibrate(Slimmable(of), largest(of), [])
