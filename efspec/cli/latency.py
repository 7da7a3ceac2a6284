"""`efspec latency`: tables of latencies, where they come from, and what they hold."""

from __future__ import annotations

from importlib import import_module

import typer

COMMANDS = ("list", "measure", "probes", "import", "fit", "merge", "show")
"""Names of the commands below `latency`, each in a module of its own, in the order of the help."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.info.name = "latency"
    app.callback(short_help="Measure, merge and show tables of latencies.")(latency)
    for name in COMMANDS:
        import_module(f"efspec.cli.latency_{name}").register(app)


def latency() -> None:
    """Make and look at tables of latencies, which `efspec score --device` takes.

    A table says how long the parts of networks take on a device, and how each figure is known.
    `list` tells which parts networks have, `measure` times them on this machine, and `probes`
    writes packages to time them elsewhere; `import` takes what was timed there.
    """
