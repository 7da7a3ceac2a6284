"""`efspec score --plot`: what is plotted, and where to."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


def texts(file: Path) -> set[str]:
    return {text.text or "" for text in ET.parse(file).iter(f"{SVG}text")}


def test_a_plot_is_written_beside_what_is_printed(run: Run, tmp_path: Path) -> None:
    specs = ("v2_s1", "v1_l1", "v2_s0")
    plain = run("score", *specs)
    for name in ("a.svg", "b.svg", "c.png"):
        assert run("score", *specs, "--plot", name) == plain
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert {*specs, "parameters (less is better)", "MACs (less is better)"} <= texts(
        tmp_path / "a.svg"
    )
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "b.svg", "c.png"}


@pytest.mark.parametrize("options", [["--json"], ["--by", "kind"], ["--sort", "macs"]])
def test_a_plot_goes_with_other_options(run: Run, tmp_path: Path, options: list[str]) -> None:
    plain = run("score", "v2_s1", "v2_s0", *options)
    assert run("score", "v2_s1", "v2_s0", *options, "--plot", "p.svg") == plain
    assert {"v2_s1", "v2_s0"} <= texts(tmp_path / "p.svg")


def test_axes_are_chosen(run: Run, tmp_path: Path) -> None:
    run("score", "v2_s1", "v2_s0", "--plot", "p.svg", "--x", "memory", "--y", "params_folded")
    found = texts(tmp_path / "p.svg")
    assert "peak memory of activations (less is better)" in found
    assert "parameters, batch norms folded (less is better)" in found


def test_where_a_latency_is_known_it_is_plotted(run: Run, tmp_path: Path) -> None:
    run("score", "v2_s1", "--latency-ms", "1.1", "--plot", "p.svg")
    found = texts(tmp_path / "p.svg")
    assert {"latency in ms (less is better)", "Mobile Efficiency Score (more is better)"} <= found


def test_json_lines_are_plotted_but_for_wrong_ones(run: Run, tmp_path: Path) -> None:
    lines = ['{"extends": "v2_s0"}', '{"efspec": 3}', '{"extends": "v2_s1"}']
    (tmp_path / "specs.jsonl").write_text("\n".join(lines))
    result = run("score", "specs.jsonl", "--plot", "p.svg", "--format", "jsonl")
    assert result.code == 1
    names = {json.loads(line)["name"] for line in result.out.splitlines()}
    assert names == {"v2_s0", "v2_s1"}
    assert names <= texts(tmp_path / "p.svg")


def test_without_a_right_spec_the_file_stays_as_it_was(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.svg").write_text("old")
    for specs in (["nope"], ["nope", "nope2"]):
        assert run("score", *specs, "--plot", "p.svg").code == 1
        assert (tmp_path / "p.svg").read_text() == "old"


@pytest.mark.parametrize("file", ["nope/p.svg", "folder.svg"])
def test_what_cannot_be_written_is_told(run: Run, tmp_path: Path, file: str) -> None:
    (tmp_path / "folder.svg").mkdir()
    result = run("score", "v2_s0", "v2_s1", "--plot", file)
    assert result.code == 1
    assert "error[cannot-access]: " in result.err


def test_without_matplotlib_nothing_is_scored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("efspec.extras.find_spec", lambda name: None)
    result = run("score", "v2_s0", "--plot", "p.svg")
    assert (result.code, result.out) == (1, "")
    assert "error[missing-package]: plots need matplotlib" in result.err
    assert "fix: pip install 'efspec[plot]'" in result.err
