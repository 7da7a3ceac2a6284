"""Profiles of real packages, with made-up times, come back as latencies of the parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from efspec.coreml.options import Normal, PackageOptions
from efspec.coreml.package import pack
from efspec.deploy import deploy
from efspec.errors import EfspecError
from efspec.latency.apportion import apportion, check_mapped, check_network
from efspec.latency.profile import Prediction, ProfiledOp
from efspec.plan import Plan, ops_by_part, parts
from efspec.plan.key import block_key
from efspec.pytorch.build import build_module, deployed
from efspec.spec.loader import loads
from efspec.spec.resolve import resolve
from efspec.verify import Package, read_package
from tests.cli.conftest import TINY

TOKENS = """\
efspec: 1
name: tokens
input: {size: 64}
stem: {type: patch_stem, width: 8, kernel: 8, stride: 8}
stages:
  - {width: 8, blocks: [{type: mb4d, repeat: 3}, {type: mb3d, repeat: 2, num_heads: 2, key_dim: 4}]}
head: {type: distilled, classes: 5}
"""
PYRAMID = TINY.replace(
    "{type: linear, classes: 10}", "{type: features, stages: [0, 1], norm: batch}"
)
TOTAL = 10_000_000
LABELS = tuple("abcdefghij")


def plan_of(text: str) -> Plan:
    return resolve(loads(text))


def packed(plan: Plan, folder: Path, **options: Any) -> Package:
    network, weights = deployed(plan, build_module(plan, 0).state_dict())
    path = folder / "network.mlpackage"
    pack(network, weights, PackageOptions(**options)).write(path)
    return read_package(path)


def timed(package: Package, plan: Plan, part_ns: Mapping[str, int]) -> list[ProfiledOp]:
    """The ops of a package, with times so that those of each part take what they are to."""
    placed = ops_by_part(deploy(plan).plan)
    part_of = {op.id: path for path, ops in placed.items() for op in ops}
    names: dict[str, list[str]] = {path: [] for path in part_ns}
    for op in package.program.operations:
        for output in op.outputs[:1]:  # Core ML calls an op after its first output
            if op_id := package.ids().get(output.name):
                names[part_of[op_id]].append(output.name)
    return [
        ProfiledOp(name, part_ns[path] / len(inside), "ane")
        for path, inside in names.items()
        for name in inside
    ]


@pytest.mark.parametrize("by_names", [False, True], ids=["table", "names"])
@pytest.mark.parametrize("text", [TINY, TOKENS, PYRAMID], ids=["tiny", "tokens", "pyramid"])
def test_a_profile_of_a_package_gives_its_parts(text: str, by_names: bool, tmp_path: Path) -> None:
    plan = plan_of(text)
    package = packed(plan, tmp_path)
    wanted = {part.path: 1000 * (i + 1) for i, part in enumerate(parts(plan))}
    ops = timed(package, plan, wanted)
    prediction = Prediction(round(sum(op.weight for op in ops)))
    found = apportion(plan, ops, prediction, None if by_names else package.ids())
    assert found.unmapped == ()
    assert found.beside == 0
    # A conversion between maps and tokens may be no op of its own.
    assert set(found.silent) <= {"stages.0.blocks.to_tokens"}
    assert {path: round(ns) for path, ns in found.times.items()} == {
        path: ns for path, ns in wanted.items() if path not in found.silent
    }
    keys = {part.path: block_key(plan, part) for part in parts(plan)}
    assert found.rows.keys() == {keys[path] for path in found.times}
    for key, figure in found.rows.items():
        equal = [ns for path, ns in wanted.items() if keys[path] == key]
        assert figure.p50_ns == round(sum(equal) / len(equal))
        assert figure.method == "apportioned"
        if len(equal) > 1:
            assert figure.n == len(equal)
            assert figure.range == (
                round(equal[0] + 100 * (len(equal) - 1)),
                equal[-1] - 100 * (len(equal) - 1),
            )
        else:
            assert (figure.n, figure.p10_ns, figure.p90_ns) == (None, None, None)


def test_ops_beside_the_network_are_in_no_part(tmp_path: Path) -> None:
    plan = plan_of(TINY)
    package = packed(plan, tmp_path, image=Normal((0.5,) * 3, (0.25,) * 3), labels=LABELS)
    ids = package.ids()
    assert "" in ids.values()
    ops = [ProfiledOp(name, 1.0, "cpu") for name in ids]
    found = apportion(plan, ops, Prediction(TOTAL), ids)
    assert found.unmapped == ()
    assert found.beside == pytest.approx(list(ids.values()).count("") / len(ids))
    assert sum(found.times.values()) == pytest.approx(TOTAL * (1 - found.beside))


def test_units_and_ops_of_no_part_are_told() -> None:
    plan = plan_of(TINY)
    ops = [
        ProfiledOp("stem_conv1_conv", 6.0, "ane"),
        ProfiledOp("stem_conv1_conv_split_2", 2.0, "ane"),  # a compiler's word behind it
        ProfiledOp("logits", 1.0, "cpu"),
        ProfiledOp("logits_2", 0.4, ""),
        ProfiledOp("image_cast", 0.6, "cpu"),
    ]
    found = apportion(plan, ops, Prediction(TOTAL))
    assert found.times == {"stem": TOTAL * 0.8, "head": TOTAL * 0.1}
    assert list(found.units) == ["ane", "cpu", "not said"]
    assert found.units["ane"] == pytest.approx(0.8)
    assert [name for name, _ in found.unmapped] == ["image_cast", "logits_2"]
    assert found.silent == tuple(part.path for part in parts(plan))[1:-1]
    with pytest.raises(EfspecError, match=r"unmapped-ops.*10\.0% .*image_cast 6\.0%, logits_2"):
        check_mapped(found, "it")
    check_mapped(apportion(plan, ops[:3], Prediction(TOTAL)), "it")


def test_a_part_is_as_uncertain_as_the_prediction() -> None:
    plan = plan_of(TINY)
    ops = [ProfiledOp("stem_act", 1.0, ""), ProfiledOp("head", 3.0, "")]
    found = apportion(plan, ops, Prediction(1000, 900, 1200, 50), None)
    stem = block_key(plan, parts(plan)[0])
    assert found.rows[stem].range == (225, 300)


def test_packages_of_other_networks_are_refused() -> None:
    plan = plan_of(TINY)
    check_network(plan, plan_of(TINY.replace("name: tiny", "name: other")), "it")
    for text in (TINY.replace("repeat: 2", "repeat: 3"), TINY.replace("width: 16", "width: 24")):
        with pytest.raises(EfspecError, match="other-network"):
            check_network(plan, plan_of(text), "it")
