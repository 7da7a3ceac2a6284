"""Examining an installation without importing what is heavy into this process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Literal

from efspec import resources
from efspec.doctor.packages import PACKAGES, Package
from efspec.doctor.problems import Problem, in_range, known_problems
from efspec.record import Record

TIMEOUT = 120
"""Seconds that one import may take: a cold disk is slow, a hanging import never ends."""
AT_ONCE = 4
"""How many imports are tried at a time."""
DATA = {"specs": "*.yaml", "schemas": "*.schema.json", "templates": "*.jinja"}
"""The kinds of files that efspec brings, and what they are called."""

State = Literal["ok", "missing", "too old", "broken"]
Step = Callable[[str], None]


class Check(Record):
    """What was found of one thing that efspec uses.

    Attributes:
        name: What was looked at.
        state: How it is.
        needed: Whether efspec is incomplete without it.
        purpose: What does not work without it.
        version: Its version; for files, where they are.
        message: What is wrong with it.
        fix: The command that mends it.
    """

    name: str
    state: State
    needed: bool
    purpose: str
    version: str = ""
    message: str = ""
    fix: str = ""


class Report(Record):
    """What was found of everything.

    Attributes:
        checks: Each thing, the needed ones first.
        problems: What is known to go wrong with what is there.
    """

    checks: tuple[Check, ...]
    problems: tuple[Problem, ...]

    @property
    def is_ok(self) -> bool:
        """Whether everything that is needed works."""
        return all(check.state == "ok" for check in self.checks if check.needed)


def examine(step: Step = lambda description: None) -> Report:
    """Look at everything that efspec uses.

    Args:
        step: Called at the start of each of `steps()` steps with what it does.
    """
    checks = tuple(check for part in PARTS for check in part(step))
    versions = {check.name: check.version for check in checks if check.version}
    broken = [check.name for check in checks if check.state == "broken"]
    return Report(checks, known_problems(versions, broken, sys.platform))


def steps() -> int:
    """How many steps `examine` takes."""
    return 1 + sum(package.probed and version_of(package.name) != "" for package in PACKAGES)


def examine_python(step: Step) -> list[Check]:
    """Python and efspec themselves."""
    del step
    version = ".".join(map(str, sys.version_info[:3]))
    own = version_of("efspec")
    wanted = metadata.metadata("efspec")["Requires-Python"] if own else ""
    is_old = not in_range(version, wanted)
    python = Check(
        name="python",
        state="too old" if is_old else "ok",
        needed=True,
        purpose="everything",
        version=version,
        message=f"efspec wants {wanted}" if is_old else "",
        fix="make an environment with a newer Python" if is_old else "",
    )
    efspec = Check(
        name="efspec",
        state="ok" if own else "missing",
        needed=False,
        purpose="knowing what it needs",
        version=own,
        message="" if own else "it runs from its folder, and is not installed",
        fix="" if own else "pip install .",
    )
    return [python, efspec]


def examine_packages(step: Step) -> list[Check]:
    """The packages: whether they are there, new enough, and can be imported."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {}
        for package in PACKAGES:
            if package.probed and version_of(package.name):
                futures[package.name] = pool.submit(import_error, package.module)
        errors = {}
        for name, future in futures.items():
            step(f"importing {name}")
            errors[name] = future.result()
    return [_package_check(package, errors.get(package.name, "")) for package in PACKAGES]


def examine_data(step: Step) -> list[Check]:
    """The files that efspec brings."""
    del step
    checks = []
    for kind, pattern in DATA.items():
        folder = resources.folder(kind)
        found = any(folder.glob(pattern))
        checks.append(
            Check(
                name=kind,
                state="ok" if found else "missing",
                needed=True,
                purpose=f"the {kind} that come with efspec",
                version=str(folder),
                message="" if found else f"there is no {pattern} in it",
                fix="" if found else "pip install --force-reinstall efspec",
            )
        )
    return checks


def examine_plugins(step: Step) -> list[Check]:
    """The types that other packages add to the spec language."""
    from efspec.spec.plugins import look_for

    step("looking for types of other packages")
    return [
        Check(
            name=plugin.name,
            state="broken" if plugin.mistake else "ok",
            needed=False,
            purpose=f"specs with the type `{plugin.name}`",
            version=plugin.package,
            message=plugin.mistake.message if plugin.mistake else "",
            fix=plugin.mistake.fix if plugin.mistake else "",
        )
        for plugin in look_for().plugins
    ]


PARTS: tuple[Callable[[Step], list[Check]], ...] = (
    examine_python,
    examine_packages,
    examine_data,
    examine_plugins,
)
"""What is looked at, in order. What else there is to look at is one function more."""


def version_of(name: str) -> str:
    """The version of an installed package; empty when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def import_error(module: str) -> str:
    """Why a module cannot be imported, tried in a process of its own; empty when it can."""
    # -P: a file of that name in the working directory is not what is meant.
    command = [sys.executable, "-P", "-c", f"import {module}"]
    try:
        result = subprocess.run(
            command, capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"importing it takes longer than {TIMEOUT} seconds"
    if result.returncode == 0:
        return ""
    if result.returncode < 0:
        return f"importing it ends Python with signal {-result.returncode}"
    lines = result.stderr.decode(errors="replace").strip().splitlines() or ["it cannot be imported"]
    return "".join(c if c.isprintable() else "?" for c in lines[-1][:300])


def _package_check(package: Package, error: str) -> Check:
    version, wanted = version_of(package.name), wanted_versions(package.name)
    state: State = "ok"
    message, fix = "", ""
    install = f"pip install '{package.name}{wanted}'" if wanted else f"pip install {package.name}"
    if not version:
        state, message, fix = "missing", "it is not installed", install
    elif not in_range(version, wanted):
        state, message, fix = "too old", f"efspec wants {wanted}", install
    elif error:
        state, message = "broken", error
        fix = install.replace("install", "install --force-reinstall", 1)
    return Check(
        name=package.name,
        state=state,
        needed=package.needed,
        purpose=package.purpose,
        version=version,
        message=message,
        fix=fix,
    )


def wanted_versions(name: str) -> str:
    """The versions of a package that efspec's metadata asks for, as `>=2.6`; empty for any."""
    requirements = metadata.requires("efspec") if version_of("efspec") else None
    for requirement in requirements or []:
        found = re.match(r"([\w.-]+)\s*([^;\[]*)", requirement)
        if found and found[1].lower().replace("_", "-") == name.lower():
            return found[2].strip()
    return ""
