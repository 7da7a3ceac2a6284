"""Packages that only some commands need, and that the extras of pyproject bring."""

from __future__ import annotations

from importlib.util import find_spec

from efspec.errors import fail


def need(what: str, *modules: str, extra: str, names: dict[str, str] | None = None) -> None:
    """Refuse to begin without packages.

    Args:
        what: What needs them, with its verb: `plots need`.
        modules: The packages, as Python calls them.
        extra: The extra of efspec that brings them.
        names: What pip calls those that it calls otherwise.

    Raises:
        EfspecError: When one is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        listed = " and ".join((names or {}).get(module, module) for module in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise fail(
            "missing-package",
            f"{what} {listed}, which {verb} not installed",
            fix=f"pip install 'efspec[{extra}]'",
        )
