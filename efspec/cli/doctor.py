"""`efspec doctor`: whether what efspec needs is there and works."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from efspec.cli.console import print_table, progress
from efspec.cli.options import JsonOption

if TYPE_CHECKING:
    from efspec.doctor import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", short_help="Check the installation, and say what mends it.")(doctor)


def doctor(json_: JsonOption = False) -> None:
    """Check the installation: versions, what is missing, and what does not work together.

    Large packages are imported in processes of their own, to see whether they work. Says for each
    thing what it is for, and the command that mends it.

    Exit code 0 when everything that is needed works: Python, the packages without which build,
    score, generate and the like fail, and the files that efspec brings; 1 otherwise. Packages
    that are optional, and known problems, do not count.
    """
    from efspec.doctor import examine, steps

    with progress(steps()) as step:
        report = examine(step)
    if json_:
        typer.echo(json.dumps(_as_dict(report), indent=2))
    else:
        _print(report)
    if not report.is_ok:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    purposes = _purposes()
    print_table(
        ["what", "version or place", "state", "needed", "for"],
        [
            [
                check.name,
                check.version or None,
                check.state,
                "yes" if check.needed else "no",
                purposes.get(check.name, check.purpose),
            ]
            for check in report.checks
        ],
    )
    for check in report.checks:
        if check.state != "ok":
            typer.echo(f"\n{check.name}: {check.message}\n  fix: {check.fix}")
    for problem in report.problems:
        typer.echo(f"\nknown problem[{problem.name}]: {problem.message}")
        typer.echo(f"  fix: {problem.fix}\n  source: {problem.source}")
    needed = [check.name for check in report.checks if check.needed and check.state != "ok"]
    verdict = f"does not work: {', '.join(needed)}" if needed else "everything that is needed works"
    typer.echo(f"\n{verdict}")


def _purposes() -> dict[str, str]:
    """What packages are for that belong to a target, and whether this release has that target."""
    from efspec.cli.targets import TARGETS
    from efspec.doctor import PACKAGES

    return {
        package.name: f"{package.purpose}: build -t {package.target}"
        + ("" if package.target in TARGETS else " (not in this release)")
        for package in PACKAGES
        if package.target
    }


def _as_dict(report: Report) -> dict[str, object]:
    purposes = _purposes()
    return {
        "ok": report.is_ok,
        "platform": sys.platform,
        "checks": [
            {**check.as_dict(), "purpose": purposes.get(check.name, check.purpose)}
            for check in report.checks
        ],
        "problems": [problem.as_dict() for problem in report.problems],
    }
