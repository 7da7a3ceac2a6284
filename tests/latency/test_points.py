"""Points files: what they say of networks, and what is wrong with wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from efspec.errors import EfspecError
from efspec.latency.points import observed, read_points

HEAD = """
efspec: 1
name: phone
protocol: {device: A phone, os: "1", runtime: Core ML, unit: all, precision: fp16}
sources: {paper: A paper.}
points:
"""
POINT = (
    "- {{name: {name}, spec: {spec}, model: {model}, ms: {ms}, step: 0.1, source: {source},"
    " status: {status}{more}}}\n"
)


def point(
    name: str = "s0",
    spec: str = "v2_s0",
    model: str = "s0",
    ms: float = 0.9,
    source: str = "paper",
    status: str = "verbatim",
    more: str = "",
) -> str:
    return POINT.format(
        name=name, spec=spec, model=model, ms=ms, source=source, status=status, more=more
    )


def write(folder: Path, *points: str) -> Path:
    file = folder / "points.yaml"
    file.write_text(HEAD + "".join(points))
    return file


def names(folder: Path, *points: str) -> list[str]:
    with pytest.raises(EfspecError) as error:
        observed(read_points(write(folder, *points)), folder)
    return [diagnostic.name for diagnostic in error.value.diagnostics]


def test_equal_prints_of_a_network_count_once(tmp_path: Path) -> None:
    file = write(tmp_path, point(), point(), point(ms=1.0), point(name="l", spec="v2_l", ms=2.7))
    first, second = observed(read_points(file), tmp_path)
    assert first.prints == ((0.9, 0.1), (1.0, 0.1))
    assert first.ms == pytest.approx(0.95)
    assert (second.name, second.ms, second.side) == ("l", 2.7, 224)


def test_networks_are_changed_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("efspec: 1\nextends: v2_s0\nname: own\n")
    file = write(tmp_path, point(spec="own.yaml", more=", set: [input.size=512], use: check"))
    (network,) = observed(read_points(file), tmp_path)
    assert (network.plan.name, network.plan.input, network.side) == ("own", (3, 512, 512), 512)
    assert network.use == "check"


def test_what_is_remembered_is_no_point(tmp_path: Path) -> None:
    assert names(tmp_path, point(status="memory")) == ["unknown-value"]


def test_mistakes_are_told_together(tmp_path: Path) -> None:
    wrong = [point(source="papre"), point(), point(spec="v2_s1")]
    assert names(tmp_path, *wrong) == ["unknown-source", "clashing-points"]
    missing = [point(spec="v2_s9"), point(name="x", spec="gone.yaml")]
    assert names(tmp_path, *missing) == ["no-such-spec", "no-such-spec"]
    assert names(tmp_path, point(ms=0)) == ["out-of-range"]
    assert names(tmp_path, point(ms=0.01)) == ["out-of-range"]
    assert names(tmp_path, point(ms=float("nan"))) != []
