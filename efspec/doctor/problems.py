"""What is known not to work together: the one list, each entry with where it is known from."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping

from efspec.record import Record

Release = tuple[int, ...]

_COMPARISONS: dict[str, Callable[[Release, Release], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


class Problem(Record):
    """Something that is known to go wrong.

    Attributes:
        name: Stable kebab-case name.
        between: Which versions it takes, by package; as `>=2.11` or `>=9,<9.1`, empty for any.
            `python` is the interpreter.
        message: What goes wrong.
        fix: The command, or what to do where there is none.
        source: Where it is known from.
        broken: The package that fails to be imported, where that is how it shows.
        platforms: Values of `sys.platform` on which it goes wrong; empty for all.
    """

    name: str
    between: Mapping[str, str]
    message: str
    fix: str
    source: str
    broken: str = ""
    platforms: tuple[str, ...] = ()


PROBLEMS = (
    Problem(
        name="torchvision-of-another-build",
        between={"torch": "", "torchvision": ""},
        broken="torchvision",
        message="torchvision is built for another torch: with the CPU file of torch 2.13.0, for "
        "one, that of PyPI stops with `operator torchvision::nms does not exist`; timm cannot be "
        "imported either",
        fix="pip install --force-reinstall torch torchvision  # both from one index; for CPU files "
        "--index-url https://download.pytorch.org/whl/cpu",
        source="seen with torch 2.13.0+cpu; pytorch/pytorch#122494, pytorch/vision#9085",
    ),
    Problem(
        name="coremltools-and-newer-torch",
        between={"coremltools": ">=9.0,<9.1", "torch": ">2.7.0"},
        message="coremltools 9.0 is tested up to torch 2.7.0, and warns of newer ones; networks "
        "of these families were converted with torch 2.13.0 and 2.14.1",
        fix="none is needed; pip install 'torch==2.7.0' to be where it is tested",
        source="coremltools 9.0, _deps/__init__.py; apple/coremltools#2610, #2615",
    ),
    Problem(
        name="coremltools-quantizer",
        between={"coremltools": ">=9.0,<9.1", "torch": ">=2.11"},
        message="coremltools' quantizer for torch.export cannot be imported: torch has no "
        "torch.ao.quantization.quantizer any more; conversion is not affected",
        fix="pip install 'torch<2.11'  # only if that quantizer is needed",
        source="apple/coremltools#2823",
    ),
    Problem(
        name="coremltools-shape-arithmetic",
        between={"coremltools": ">=9.0,<9.1", "numpy": ">=2.4"},
        message="coremltools cannot convert traced modules that compute with shapes: `only "
        "0-dimensional arrays can be converted to Python scalars`; exported ones convert",
        fix="pip install 'numpy<2.4'  # or torch.export in place of torch.jit.trace",
        source="apple/coremltools#2632",
    ),
    Problem(
        name="core-ml-runs-on-macos-only",
        between={"coremltools": ""},
        platforms=("linux", "win32"),
        message="coremltools writes packages here, but cannot run them; it logs that parts of it "
        "could not be loaded",
        fix="run them on a Mac",
        source="apple/coremltools#2658, #2465",
    ),
    Problem(
        name="coremltools-and-newer-python",
        between={"coremltools": ">=9.0,<9.1", "python": ">=3.14"},
        message="coremltools 9.0 names no Python above 3.13, and has no compiled parts for one",
        fix="use Python 3.11, 3.12 or 3.13",
        source="the classifiers of coremltools 9.0",
    ),
)


def known_problems(
    versions: Mapping[str, str], broken: Iterable[str], platform: str
) -> tuple[Problem, ...]:
    """The known problems that packages have together.

    Args:
        versions: Versions of what is installed, by name; `python` is the interpreter.
        broken: The packages that cannot be imported.
        platform: A value of `sys.platform`.
    """
    failing = set(broken)
    return tuple(
        problem
        for problem in PROBLEMS
        if all(
            name in versions and in_range(versions[name], wanted)
            for name, wanted in problem.between.items()
        )
        and (not problem.broken or problem.broken in failing)
        and (not problem.platforms or platform in problem.platforms)
    )


def in_range(version: str, wanted: str) -> bool:
    """Whether a version satisfies every condition of a range, as `>=2.11,<3`; builds aside."""
    for condition in filter(None, map(str.strip, wanted.split(","))):
        sign = next(sign for sign in _COMPARISONS if condition.startswith(sign))
        if not _COMPARISONS[sign](release(version), release(condition.removeprefix(sign))):
            return False
    return True


def release(version: str) -> Release:
    """The numbers of a version, without zeros at the end: of `2.13.0+cpu`, 2 and 13."""
    found = re.match(r"\d+(\.\d+)*", version.strip())
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
