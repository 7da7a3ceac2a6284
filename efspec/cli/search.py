"""`efspec search`: spaces, their members, and searches for the best of them."""

from __future__ import annotations

from importlib import import_module

import typer

COMMANDS = ("space", "sample", "run")
"""Names of the commands below `search`, each in a module of its own, in the order of the help."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.info.name = "search"
    app.callback(short_help="Look at search spaces, sample them and search them.")(search)
    for name in COMMANDS:
        import_module(f"efspec.cli.search_{name}").register(app)


def search() -> None:
    """Look at search spaces, sample them, and search them for the best networks.

    A space is a spec in which widths, depths and expansion ratios are open. What is found is
    written as specs, which `efspec build` takes.
    """
