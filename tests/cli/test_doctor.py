"""`efspec doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest

from efspec.cli.targets import TARGETS
from efspec.doctor import PACKAGES, PROBLEMS, Check, Report
from efspec.doctor.examination import State
from tests.cli.conftest import Run


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What is found; the last one is printed."""
    reports: list[Report] = []
    monkeypatch.setattr("efspec.doctor.examine", lambda step: reports[-1])
    return reports


def check(name: str, state: State, needed: bool) -> Check:
    good = Check(name=name, state=state, needed=needed, purpose="this")
    return good if state == "ok" else good.replaced(message="it is odd", fix=f"pip install {name}")


def test_this_installation_is_fine(run: Run) -> None:
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\neverything that is needed works\n")
    assert all(f"\n{package.name} " in result.out for package in PACKAGES)


def test_what_is_missing_and_how_to_mend_it(run: Run, report: list[Report]) -> None:
    checks = (check("torch", "ok", True), check("onnx", "missing", False))
    report.append(Report(checks, PROBLEMS[:1]))
    result = run("doctor")
    assert result.code == 0
    assert "\nonnx: it is odd\n  fix: pip install onnx\n" in result.out
    assert "build -t onnx" + ("" if "onnx" in TARGETS else " (not in this release)") in result.out
    problem = PROBLEMS[0]
    assert f"known problem[{problem.name}]: {problem.message}\n  fix: {problem.fix}" in result.out
    assert f"  source: {problem.source}" in result.out
    report.append(Report((check("torch", "broken", True), check("jinja2", "ok", True)), ()))
    result = run("doctor")
    assert result.code == 1
    assert result.out.endswith("\ndoes not work: torch\n")


def test_json(run: Run, report: list[Report]) -> None:
    report.append(Report((check("torch", "too old", True),), PROBLEMS))
    result = run("doctor", "--json")
    assert result.code == 1
    found = json.loads(result.out)
    assert found["ok"] is False
    assert found["checks"][0]["fix"] == "pip install torch"
    assert [problem["name"] for problem in found["problems"]] == [p.name for p in PROBLEMS]


def test_help_says_what_counts(run: Run) -> None:
    text = " ".join(run("doctor", "--help").out.split())
    assert "Exit code 0 when everything that is needed works" in text
