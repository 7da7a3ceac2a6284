"""Examining an installation: what is there, what is too old, and what cannot be imported."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from efspec import resources
from efspec.doctor import PACKAGES, Package, examination
from efspec.doctor.examination import (
    Check,
    Report,
    examine,
    examine_data,
    examine_packages,
    examine_python,
    import_error,
    steps,
    version_of,
    wanted_versions,
)

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def quiet(description: str) -> None:
    del description


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed; changes are what is examined. Nothing is imported."""
    installed = {package.name: "1000.0" for package in PACKAGES} | {"efspec": "0.1.0"}
    monkeypatch.setattr(examination, "version_of", lambda name: installed.get(name, ""))
    monkeypatch.setattr(examination, "import_error", lambda module: "")
    return installed


def test_all_is_well(versions: dict[str, str]) -> None:
    report = examine()
    assert report.is_ok
    assert {check.state for check in report.checks} == {"ok"}
    assert [check.name for check in report.checks][:2] == ["python", "efspec"]
    assert {check.version for check in report.checks} >= {"1000.0", versions["efspec"]}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_missing_package_counts_when_it_is_needed(
    versions: dict[str, str], package: Package
) -> None:
    del versions[package.name]
    report = examine()
    assert report.is_ok is not package.needed
    (check,) = (check for check in report.checks if check.state != "ok")
    assert (check.name, check.state, check.version) == (package.name, "missing", "")
    assert check.fix.startswith(("pip install ", "pip install '"))
    assert package.name in check.fix
    assert check.purpose == package.purpose


def test_what_is_too_old(versions: dict[str, str]) -> None:
    versions["torch"] = "1.13.1+cpu"
    check = by_name(examine_packages(quiet))["torch"]
    wanted = wanted_versions("torch")
    assert (check.state, check.message) == ("too old", f"efspec wants {wanted}")
    assert check.fix == f"pip install 'torch{wanted}'"
    assert not examine().is_ok


def test_what_cannot_be_imported(versions: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = "RuntimeError: operator torchvision::nms does not exist"
    monkeypatch.setattr(
        examination,
        "import_error",
        lambda module: said if module in ("timm", "torchvision") else "",
    )
    report = examine()
    checks = by_name(list(report.checks))
    assert report.is_ok  # neither is needed
    assert (checks["timm"].state, checks["timm"].message) == ("broken", said)
    assert "torchvision-of-another-build" in {problem.name for problem in report.problems}
    assert versions["torchvision"] == checks["torchvision"].version


def test_every_step_is_told(versions: dict[str, str]) -> None:
    del versions["timm"]
    told: list[str] = []
    examine(told.append)
    probed = sum(package.probed for package in PACKAGES) - 1
    assert len(told) == steps() == probed + 1  # and other packages' types
    assert "importing torch" in told


def test_python_and_efspec(versions: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    python, efspec = examine_python(quiet)
    assert (python.state, efspec.state) == ("ok", "ok")
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    python, _ = examine_python(quiet)
    assert (python.state, python.version) == ("too old", "3.9.1")
    del versions["efspec"]
    _, efspec = examine_python(quiet)
    assert (efspec.state, efspec.needed) == ("missing", False)


def test_files_that_come_with_efspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {check.state for check in examine_data(quiet)} == {"ok"}
    monkeypatch.setattr(resources, "folder", lambda kind: tmp_path / kind)
    checks = examine_data(quiet)
    assert [check.name for check in checks] == ["specs", "schemas", "templates"]
    assert {check.state for check in checks} == {"missing"}
    assert not Report(tuple(checks), ()).is_ok


def test_imports_are_really_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "works": "",
        "fails": "raise RuntimeError('operator \\x1b does not\\nexist')",
        "leaves": "raise SystemExit(3)",
        "dies": "import os; os.kill(os.getpid(), 9)",
        "hangs": "import time; time.sleep(1000)",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert import_error("works") == ""
    assert import_error("fails") == "exist"
    assert import_error("leaves") == "it cannot be imported"
    assert import_error("dies") == "importing it ends Python with signal 9"
    assert "No module named" in import_error("there_is_none")
    monkeypatch.setattr(examination, "TIMEOUT", 0.2)
    assert import_error("hangs") == "importing it takes longer than 0.2 seconds"


def test_files_in_the_working_directory_are_not_what_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "safetensors.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert import_error("safetensors") == ""


def test_versions_are_those_of_the_metadata() -> None:
    assert version_of("pydantic") == metadata.version("pydantic")
    assert version_of("no-such-package-at-all") == ""


def test_every_package_that_the_project_depends_on_is_examined() -> None:
    project = tomllib.loads(PROJECT.read_text())["project"]
    everywhere = (d for d in project["dependencies"] if "darwin" not in d)
    needed = {dependency.split(">")[0].lower() for dependency in everywhere}
    assert {package.name.lower() for package in PACKAGES if package.needed} == needed
    (torch,) = (d for d in project["dependencies"] if d.startswith("torch>="))
    assert f"torch{wanted_versions('torch')}" == torch
