"""The list of known problems, and when they apply."""

from __future__ import annotations

import re

import pytest

from efspec.doctor.packages import PACKAGES
from efspec.doctor.problems import PROBLEMS, in_range, known_problems, release


@pytest.mark.parametrize(
    ("version", "wanted", "inside"),
    [
        ("2.13.0+cpu", "==2.13", True),
        ("2.13.0", ">=2.11,<2.13", False),
        ("2.7", ">2.7.0", False),
        ("2.7.1", ">2.7.0", True),
        ("2.10.0", ">=2.9", True),
        ("9.0b1", "<=9.0", True),
        ("1.0", "", True),
        ("3.11.7", ">=3.14", False),
        ("3.11.7", " >= 3.11 , < 3.14", True),
    ],
)
def test_ranges(version: str, wanted: str, inside: bool) -> None:
    assert in_range(version, wanted) is inside


def test_releases() -> None:
    assert release("2.13.0+cpu") == (2, 13)
    assert release("0.29.2rc1") == (0, 29, 2)
    assert release("") == release("odd") == ()


def test_every_problem_is_of_what_efspec_uses_and_has_a_source() -> None:
    names = {package.name for package in PACKAGES} | {"python"}
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)
    for problem in PROBLEMS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.name)
        assert problem.between.keys() <= names
        assert not problem.broken or problem.broken in problem.between
        assert problem.message
        assert problem.fix
        assert problem.source
        for wanted in problem.between.values():
            in_range("1.0", wanted)  # it can be read


def names(
    versions: dict[str, str], broken: tuple[str, ...] = (), platform: str = "linux"
) -> set[str]:
    return {problem.name for problem in known_problems(versions, broken, platform)}


def test_torchvision_of_another_build_shows_when_it_cannot_be_imported() -> None:
    versions = {"torch": "2.13.0+cpu", "torchvision": "0.28.0", "timm": "1.0.31"}
    assert names(versions, ("torchvision", "timm")) == {"torchvision-of-another-build"}
    assert not names(versions)


def test_problems_of_coremltools() -> None:
    old = {"python": "3.12.1", "coremltools": "9.0", "torch": "2.7.0", "numpy": "2.3.0"}
    assert names(old, platform="darwin") == set()
    assert names(old) == {"core-ml-runs-on-macos-only"}
    assert names({**old, "torch": "2.8.0"}, platform="darwin") == {"coremltools-and-newer-torch"}
    new = {**old, "torch": "2.15.0", "numpy": "2.4.6", "python": "3.14.0"}
    assert names(new, platform="darwin") == {
        "coremltools-and-newer-torch",
        "coremltools-and-newer-python",
        "coremltools-quantizer",
        "coremltools-shape-arithmetic",
    }
    del new["coremltools"]
    assert not names(new)
